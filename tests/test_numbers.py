"""Every number in the text of a page that looks measured must stand in the page's code or stored outputs.

So a number can't outlive its measurement: outputs are made by the code (tests/test_remake.py holds them to it), and a
number that no table shows is asserted by a cell. A sentence may also repeat a number of a page that it links to, or of
somebody else whom it names: by a link to their page, or by name and year.
"""
import html
import io
import json
import os
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

NBS = Path(__file__).resolve().parents[1]/'nbs'
PAGES = sorted(path for path in NBS.rglob('*.ipynb') if '.ipynb_checkpoints' not in path.parts)
UNIT = r'(?:[ \u00a0]|-)?(?:%|per cent\b|(?:seconds?|minutes?|hours?|s|ms|µs|GB|MB|KB|times|mistakes|errors|points)\b)'
# with a decimal point, with a comma for the thousands, before a unit, or of two digits and more
MEASURED = re.compile(rf'(?<![\w.,/-])(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d*\.\d+|\d\d+|\d(?={UNIT}))(?![\w]|[.,]\d)')
SHARE = re.compile(r'[ \u00a0]?(?:%|per cent|percent|points|(?:to|and) [\d.]+[ \u00a0]%|(?:of|in) (?:100|a hundred))')
ANY = re.compile(r'(?<![\w.])\d+(?:[,_]\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?|(?<![\w.])\.\d+(?:e[-+]?\d+)?')
SILENT = '|'.join([ # parts of a text that make no claim
    r'```.*?```', r'`[^`\n]*`', r'\$\$.*?\$\$', r'\$[^$\n]*\$', r'<!--.*?-->', r'(?<=\])\([^)]*\)', r'<[^>\n]+>',
    r'https?://\S+', r'\b\d{4}\.\d{4,5}\b', r'\b(?:18|19|20)\d\d\b', # arXiv, years
    r'\b\d[\d,]* [x×] \d[\d,]*\b', r'\b(?:\d+ and )?\d+ (?:bits|significant digits)\b', # sizes, precisions
    r'\b(?:Python|NumPy|PyTorch|TensorFlow|Keras|nbdev|scikit-learn|version|chapter|section)\s+\d+(?:\.\d+)*'])
SOURCE = re.compile(r'\]\(https?://|\b[A-Z][\w-]+(?: et al\.| and [A-Z]\w+)?,? \(?(?:19|20)\d\d\b')
CONSTANTS = {'60,000', '10,000', '70,000', '50,000', # digits of MNIST: all of a part, those left by a split
             '539', '297', '836', # people who wrote them: training, test, all
             '28', '784', '255', # what a digit consists of
             '99.85', # per cent of the test labels that nobody doubts
             '95', '100', '50'} # per cent: an interval, all, half
OTHER_PROCESSORS = {'92.56', '92.61', '97.88', '97.93', '97.84', '97.95', '99.51', '99.57'}
ALLOWED = { # further numbers that nobody measures on the page, by page
    '02_right_and_wrong': {'90', '92'}, # kinds of mistakes: 10 x 9; its title
    '03_linear': {'7,850'}, # 10 x 784 + 10
    '10_ladder': OTHER_PROCESSORS,
    '11_drawing': {'27'}, # the last of 28 pixels
    '12_doubt': {'0.99999', '0.999', '4.6', '0.01'}, # an example, and the logarithm of 100
    'index': OTHER_PROCESSORS,
    'lessons/03_knobs': {'3,125', '49'}, # steps an epoch: 50,000 / 16 and / 1,024
    'lessons/04_when_is_it_real': {'99.5'}, # "suppose that"
    'reference/folders': {'26'}, # letters of the alphabet
    'reference/glossary': {'80', '92'}, # "if a model says 80 %"; the title of a page
    'reference/idx': {'11', '12', '15'}, # positions of bytes in a format
    'reference/plots': {'90'}} # "if a model says 90 %"


def plain(output):
    "What an output says, without markup"
    data = output.get('data', {})
    parts = [output.get('text', ''), *(data.get(kind, '') for kind in ('text/plain', 'text/html', 'text/markdown'))]
    text = ' '.join(''.join(part) for part in parts)
    return html.unescape(re.sub(r'<style.*?</style>|<[^>]+>', ' ', text, flags=re.S))


def values(text):
    return {float(found.replace(',', '').replace('_', '')) for found in ANY.findall(text)}


def code_values(source):
    "Numbers in code and in its texts, not in its comments"
    try: tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except tokenize.TokenError: return values(source)
    return {value for token in tokens if token.type != tokenize.COMMENT for value in values(token.string)}


@cache
def page(path):
    "Numbers that a page computes, and its texts: `(values, [(cell, text)])`"
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    known, texts = set(), []
    for cell in cells:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'markdown': texts.append((cell['id'], source))
        else:
            known |= code_values(source).union(*(values(plain(output)) for output in cell['outputs']))
            said = re.findall(r'^#\| *(?:fig-alt|fig-cap|code-summary): *(.*)', source, re.M)
            texts += [(cell['id'], text) for text in said]
    return known, texts


def sentences(text):
    "Pieces that name their sources: sentences, rows of tables, items of lists"
    return re.split(r'(?<=[.!?:])\s+(?=[A-Z*`\[])|\n\s*\n|\n(?=[-|*#>\d])', text)


def agrees(written, known, is_share):
    "Is a number one of those known, rounded as it is written, or a share of them in per cent?"
    number = float(written.replace(',', ''))
    half = .5 * 10.0 ** -len(written.partition('.')[2]) * (1 + 1e-6)
    return any(abs(number - value) <= half or is_share and abs(number - 100 * value) <= half for value in known)


def unfounded(path):
    "Numbers of a page that nothing on it gives: `(cell, number, sentence)`"
    known, texts = page(path)
    allowed = CONSTANTS | ALLOWED.get(path.relative_to(NBS).with_suffix('').as_posix(), set())
    for cell, text in texts:
        for sentence in sentences(text):
            if SOURCE.search(sentence): continue
            links = re.findall(r'\]\(([^)\s#:]+\.ipynb)', sentence)
            linked = [Path(os.path.normpath(path.parent/link)) for link in links]
            there = known.union(*(page(other)[0] for other in linked if other.exists()))
            spoken = re.sub(SILENT, ' ', sentence, flags=re.S)
            for found in MEASURED.finditer(spoken):
                is_share = SHARE.match(spoken, found.end())
                if found[0] not in allowed and not agrees(found[0], there, is_share): yield cell, found[0], sentence


@pytest.mark.parametrize('path', PAGES, ids=lambda path: path.relative_to(NBS).as_posix())
def test_a_number_in_the_text_stands_in_the_code_or_outputs(path):
    lines = [f'{cell}: {number} in "{sentence}"' for cell, number, sentence in unfounded(path)]
    assert not lines, 'Show these numbers, assert them in a hidden cell, or say it in words:\n' + '\n'.join(lines)
