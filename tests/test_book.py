"The book, walked from its first page to its last: what a page may use, how long it may be, what its pictures say."
import json
import re
from functools import cache
from pathlib import Path

import pytest

NBS = Path(__file__).resolve().parents[1]/'nbs'
BOOK = sorted(path for path in NBS.glob('[0-9]*.ipynb'))
LESSONS = sorted(path for path in NBS.glob('lessons/[0-9]*.ipynb'))
MOST_CELLS = 110 # of a page, those hidden included
ROW = re.compile(r'^\| \*\*(.+?)\*\* \|.*\]\(([\w./]+\.ipynb)\) \|$', re.M)
# parts of a text that may name a thing before it is explained: where a reader is sent, code, and what lies ahead
AHEAD = r'\[[^\]]*\]\([^)]*\)|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|!\[.*?\]\(.*?\)|\(.*?\.ipynb.*?\)'
EVERYDAY = { # words of the glossary that a reader knows, or that a sentence may use in their everyday meaning
    'class', 'weight', 'feature', 'cluster', 'interval', 'channel', 'loss', 'module', 'recall', 'precision', 'label',
    'parameter', 'recipe', 'schedule', 'rung', 'pixel', 'benchmark', 'bias', 'normalisation', 'tensor', 'convolution',
    'activation', 'estimator', 'optimiser', 'kernel'}


def cells(path): return json.loads(path.read_text(encoding='utf-8'))['cells']


def prose(path):
    "Texts of a page, without code, links and formulas"
    return '\n\n'.join(re.sub(AHEAD, ' ', ''.join(cell['source']), flags=re.S)
                       for cell in cells(path) if cell['cell_type'] == 'markdown')


@cache
def terms():
    "Word -> the page that introduces it, by the glossary"
    text = '\n'.join(''.join(cell['source']) for cell in cells(NBS/'reference'/'glossary.ipynb'))
    return {term: (NBS/'reference'/page).resolve().relative_to(NBS).as_posix() for term, page in ROW.findall(text)}


def test_the_glossary_names_pages_that_say_the_word():
    silent = []
    for term, page in terms().items():
        text = '\n'.join(''.join(cell['source']) for cell in cells(NBS/page))
        stem = term[:max(4, len(term) - 4)]
        if not re.search(rf'\b{re.escape(stem)}', text.replace('*', ''), re.I): silent.append(f'{term}: {page}')
    assert silent == []


@pytest.mark.parametrize('path', BOOK, ids=lambda path: path.stem)
def test_no_word_is_used_before_its_page(path):
    everything = ''.join(''.join(cell['source']) for cell in cells(path))
    later = {page.name for page in BOOK if page.name > path.name}
    later |= {name for page in LESSONS if (name := f'lessons/{page.name}') not in everything} # unless it leads there
    text = prose(path)
    early = [f'{term} ({page})' for term, page in terms().items() if page in later and term not in EVERYDAY
             and re.search(rf'(?<![\w-]){re.escape(term)}s?(?![\w-])', text, re.I)]
    assert early == [], 'Explain these words here, or do without them:'


@pytest.mark.parametrize('path', BOOK + LESSONS, ids=lambda path: path.stem)
def test_a_page_begins_with_what_it_is_for(path):
    first = ''.join(cells(path)[0]['source'])
    assert re.match(r'# \S.*\n\n> \S', first), 'a title and a line under it'


@pytest.mark.parametrize('path', BOOK, ids=lambda path: path.stem)
def test_a_page_of_the_book_has_an_end(path):
    assert len(cells(path)) <= MOST_CELLS
    assert re.search(r'^#+ Exercises', '\n'.join(''.join(cell['source']) for cell in cells(path)), re.M)


@pytest.mark.parametrize('path', BOOK + LESSONS, ids=lambda path: path.stem)
def test_a_picture_says_in_words_what_it_shows(path):
    mute = []
    for cell in cells(path):
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'markdown':
            mute += [alt for alt in re.findall(r'!\[(.*?)\]\(', source, re.S) if len(alt) < 20]
        elif any('image/png' in output.get('data', {}) for output in cell['outputs']):
            if not re.search(r'^#\| *fig-alt: *".{20,}"', source, re.M): mute.append(cell['id'])
    assert mute == []
