"""Build the site in `_docs/`, offline and without Quarto: nbdev processes the notebooks, Sphinx renders them.

    python docs/build.py           # build it in _docs/
    python docs/build.py FOLDER    # build it in FOLDER
"""
import argparse
import ast
import math
import posixpath
import re
import shutil
import sys
from html import unescape
from pathlib import Path

from execnb.nbio import mk_cell, new_nb, read_nb, write_nb
from nbdev.doclinks import nbglob
from sphinx.cmd.build import build_main

import play
import touch
from pages import MODULES, SITE, cfg, link_pages, link_symbols, options, page_name, processed
from themes import follow_theme

GROUPS = {'Book': '.', 'Lessons': 'lessons', 'Workshop': 'reference'} # caption in the sidebar -> folder of notebooks
TAGS = { # option of Quarto's -> tag of MyST-NB's
    ('echo', 'false'): 'remove-input',
    ('output', 'false'): 'remove-output',
    ('include', 'false'): 'remove-cell',
    ('code-fold', 'true'): 'hide-input'}
GLOSSARY = 'reference/glossary.ipynb'
LONG = 36 # columns: what a phone shows of a line of code
SITEMAP = 'http://www.sitemaps.org/schemas/sitemap/0.9'
COLAB = 'https://colab.research.google.com/github'

def symbol_link(text, full): return f'{{py:obj}}`{text} <{full}>`'

def myst(markdown, module):
    "Markdown of nbdev and Quarto, from the page of `module`, as MyST: links to symbols and pages, callouts"
    markdown = link_symbols(markdown, module, symbol_link)
    markdown = re.sub(r'^(:{3,})\s*\{\.callout-(\w+)[^}]*\}', r'\1{\2}', markdown, flags=re.M)
    return link_pages(touch.living(markdown), '{page}.ipynb')

def convert_outputs(cell, module):
    "Make the texts of a cell MyST; returns them"
    texts = []
    for data in (output.data for output in cell.outputs if 'data' in output):
        if 'text/markdown' in data:
            data['text/markdown'] = myst(''.join(data['text/markdown']), module)
            texts.append(data['text/markdown'])
    return texts

def convert(cell, module):
    "A processed cell, from the page of `module`, as MyST-NB reads it"
    if cell.cell_type == 'markdown': return mk_cell(myst(cell.source, module), 'markdown', id=cell.id)
    opts, source = options(cell)
    texts = convert_outputs(cell, module)
    if opts.get('output') == 'asis':
        if not texts: raise ValueError(f'no text from `{source.strip()}`: look for its error above')
        return mk_cell('\n\n'.join(texts), 'markdown', id=cell.id)
    cell.source = source
    cell.metadata = {'tags': [tag for option, tag in TAGS.items() if option in opts.items()], 'mystnb': {}}
    if 'fig-alt' in opts: cell.metadata['mystnb']['image'] = {'alt': opts['fig-alt']}
    if 'code-summary' in opts:
        prompts = dict.fromkeys(['code_prompt_show', 'code_prompt_hide'], opts['code-summary'])
        cell.metadata['mystnb'] |= prompts
    return cell

def minutes(cells):
    "How long a page takes to read: 200 words of prose a minute, or 20 lines of code"
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == 'markdown')
    lines = sum(len(cell.source.splitlines()) for cell in cells if cell.cell_type == 'code')
    return math.ceil(words / 200 + lines / 20)

def head(path, front, cells):
    "Title, description, and what else a reader wants to know first"
    notebook = f'nbs/{path.as_posix()}'
    colab = f'{COLAB}/{cfg.user}/{cfg.repo}/blob/{cfg.branch}/{notebook}'
    download = f'{cfg.git_url}/raw/{cfg.branch}/{notebook}'
    links = (f'<p class="reading">About {minutes(cells)} min · <a href="{colab}">Open in Colab</a> '
             f'(first run <code>%pip install {cfg.lib_name}</code>) · <a href="{download}">Download</a></p>')
    title = f"# {front['title']}"
    if path.name == cfg.readme_nb: title += f'\n\n{play.player()}'
    return mk_cell('\n\n'.join([title, front.get('description', ''), links]), 'markdown')

def toctree(caption, names):
    "An entry of the sidebar: a caption and the pages under it"
    listing = '\n'.join(names)
    return mk_cell(f'```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listing}\n```', 'markdown')

def groups(paths):
    "The three groups of pages; book and lessons in the order of their numbers, the workshop in that of the alphabet"
    for caption, folder in GROUPS.items():
        yield caption, [path for path in paths if path.parent == Path(folder) and path.name != cfg.readme_nb]

def sidebar(paths):
    "The three groups as the sidebar shows them"
    for caption, members in groups(paths):
        extra = ['functions', 'changelog'] if caption == 'Workshop' else []
        yield toctree(caption, [page_name(path) for path in members] + extra)

def words_of_pages():
    "The words of the glossary, by the page that introduces each: `{'numpy_net': ['activation', ...]}`"
    words = {}
    text = '\n'.join(cell.source for cell in read_nb(cfg.nbs_path/GLOSSARY).cells)
    for word, target in re.findall(r'^\| \*\*(.+?)\*\* \|.*\]\(([^)#]+)[^)]*\) \|$', text, re.M):
        page = posixpath.normpath(posixpath.join(posixpath.dirname(GLOSSARY), target))
        words.setdefault(page_name(page), []).append(word)
    return words

def place_of(word, cells):
    "Number of the first cell that explains `word`: a heading, or else one that prints it in italics, or that has it"
    forms = rf'^#.*\b{re.escape(word)}', rf'\*{re.escape(word)}s?\*', rf'\b{re.escape(word)}'
    places = [number for form in forms for number, cell in enumerate(cells)
              if cell.cell_type == 'markdown' and re.search(form, cell.source, re.I | re.M)]
    return places[0] if places else 1

def with_index(cells, words):
    "The cells of a page, with an entry of the index, which the search puts first, before the explanation of each word"
    places = {}
    for word in words: places.setdefault(max(place_of(word, cells), 1), []).append(word)
    for number, cell in enumerate(cells):
        for word in places.get(number, []): yield mk_cell(f'```{{index}} ! {word}\n```', 'markdown')
        yield cell

def first_sentence(docstring): return re.match(r'(.*?[.?!])?(?=\s|$)|.*', ' '.join((docstring or '').split()))[0]

def first_sentences(module):
    "What each public function and class of a module is for: `{'softmax': 'Probabilities ...'}`"
    path = cfg.config_path/f'{module.replace(".", "/")}.py'
    nodes = [node for node in ast.parse(path.read_text(encoding='utf-8')).body
             if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and f'{module}.{node.name}' in MODULES[module]]
    return {node.name: first_sentence(ast.get_docstring(node)) for node in nodes if node.name[0] != '_'}

def write_functions(path):
    "Write the page that lists every public function and class, by module, with the first sentence of its docstring"
    text = ('# Functions and classes\n\nEvery public function and class, by module. Methods, and the words of the '
            'glossary, stand in the {ref}`index from A to Z <genindex>`.\n')
    for module in MODULES:
        about = first_sentences(module)
        if about: text += f'\n## `{module}`\n\n'
        for name in sorted(about, key=str.lower): text += f'- {{py:obj}}`{name} <{module}.{name}>`: {about[name]}\n'
    path.write_text(text, encoding='utf-8')

def write_pages(source):
    "Write what Sphinx reads into the folder `source`; returns title and description of each notebook, by its path"
    paths = sorted(path.relative_to(cfg.nbs_path) for path in nbglob(as_path=True))
    words, fronts = words_of_pages(), {}
    for path in paths:
        fronts[path], module, cells = processed(cfg.nbs_path/path)
        cells = [head(path, fronts[path], cells), *(convert(cell, module) for cell in cells)]
        cells = [*with_index(cells, words.get(page_name(path), [])), *touch.loaders(cells, path.parent)]
        if path.name == cfg.readme_nb: cells += sidebar(paths)
        page = source/f'{page_name(path)}.ipynb'
        page.parent.mkdir(parents=True, exist_ok=True)
        write_nb(new_nb(cells, {'language_info': {'name': 'python', 'pygments_lexer': 'python'}}), page)
    shutil.copytree(cfg.nbs_path/'images', source/'images')
    shutil.copy(cfg.config_path/'CHANGELOG.md', source/'changelog.md')
    write_functions(source/'functions.md')
    return fronts

def hang(block):
    "Lines of a block of code that a phone has to wrap, marked so that they go on four columns further in"
    lines = block[2].split('\n')
    for number, line in enumerate(lines):
        text = unescape(re.sub('<[^>]*>', '', line))
        if len(text) <= LONG: continue
        indent = len(text) - len(text.lstrip()) + 4
        lines[number] = f'<span class="long" style="--in:{indent}ch">{line}</span>'
    return block[1] + '\n'.join(lines) + block[3]

def finish(out):
    """Take away the spans around names, punctuation and blanks, which have the colour of all code: a quarter of a page.

    Mark the long lines of code, and what a search must not highlight: Sphinx's script stumbles over titles of icons."""
    for page in out.rglob('*.html'):
        text = re.sub(r'<span class="[npwo]">([^<]*)</span>', r'\1', page.read_text(encoding='utf-8'))
        text = re.sub(r'(<pre><span></span>)(.*?)(</pre>)', hang, text, flags=re.S)
        text = re.sub(r'(<symbol[^>]*>\s*<title)(?=>)', r'\1 class="nohighlight"', text)
        page.write_text(text, encoding='utf-8')

def write_llms(out, fronts):
    "Write what a language model should know first: what the project is, and each page in a line (llmstxt.org)"
    home = fronts[Path(cfg.readme_nb)]
    summary = ' '.join(cfg.description.split())
    text = f"# {home['title']} {cfg.version}\n\n> {summary}\n\n{home.get('description', '')}\n"
    for caption, members in groups(fronts):
        text += f'\n## {caption}\n\n'
        for path in members:
            front = fronts[path]
            text += f"- [{front['title']}]({SITE}{page_name(path)}.html): {front.get('description', '')}\n"
    text += f'\n## Optional\n\n- [Functions and classes]({SITE}functions.html): each with a line\n'
    text += f'- [Changelog]({SITE}changelog.html): what changed\n- [Source]({cfg.git_url}): the notebooks\n'
    (out/'llms.txt').write_text(text, encoding='utf-8')

def write_sitemap(out):
    "Write the addresses of all pages but the one that searches"
    pages = sorted(page.relative_to(out).as_posix() for page in out.rglob('*.html') if page.name != 'search.html')
    urls = '\n'.join(f'<url><loc>{SITE}{page}</loc></url>' for page in pages)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{SITEMAP}">\n{urls}\n</urlset>\n'
    (out/'sitemap.xml').write_text(text, encoding='utf-8')

def main():
    parser = argparse.ArgumentParser(description='Build the site.')
    parser.add_argument('folder', nargs='?', type=Path, default=cfg.doc_path, help='where to, instead of _docs')
    out = parser.parse_args().folder.resolve()
    source = out.parent/'_proc'
    for folder in (source, out): shutil.rmtree(folder, ignore_errors=True)
    fronts = write_pages(source)
    failed = build_main(['-W', '--keep-going', '-q', '-c', str(Path(__file__).parent), '-d', str(source/'.doctrees'),
                         str(source), str(out)])
    finish(out)
    follow_theme(out)
    play.write_site(out)
    touch.write_scripts(out/'_static')
    write_llms(out, fronts)
    write_sitemap(out)
    return failed

if __name__ == '__main__': sys.exit(main())
