"""Build the site in `_docs/`, offline and without Quarto: nbdev processes the notebooks, Sphinx renders them.

    python docs/build.py           # build it in _docs/
    python docs/build.py FOLDER    # build it in FOLDER
"""
import argparse
import io
import math
import re
import shutil
import sys
from base64 import b64decode, b64encode
from pathlib import Path

from execnb.nbio import mk_cell, new_nb, write_nb
from nbdev.doclinks import nbglob
from PIL import Image
from sphinx.cmd.build import build_main

import play
from pages import cfg, link_pages, link_symbols, options, page_name, processed

GROUPS = {'Book': '.', 'Lessons': 'lessons', 'Workshop': 'reference'} # caption in the sidebar -> folder of notebooks
TAGS = { # option of Quarto's -> tag of MyST-NB's
    ('echo', 'false'): 'remove-input',
    ('output', 'false'): 'remove-output',
    ('include', 'false'): 'remove-cell',
    ('code-fold', 'true'): 'hide-input'}
COLAB = 'https://colab.research.google.com/github'

def symbol_link(text, full): return f'{{py:obj}}`{text} <{full}>`'

def myst(markdown, module):
    "Markdown of nbdev and Quarto, from the page of `module`, as MyST: links to symbols and pages, callouts"
    markdown = link_symbols(markdown, module, symbol_link)
    markdown = re.sub(r'^(:{3,})\s*\{\.callout-(\w+)[^}]*\}', r'\1{\2}', markdown, flags=re.M)
    return link_pages(markdown, '{page}.ipynb')

def smaller(png):
    "A picture, in base64, with no more than 256 colours: to the eye the same, and a fraction of the size"
    whole, file = b64decode(png), io.BytesIO()
    picture = Image.open(io.BytesIO(whole)).convert('RGB').quantize(256, dither=Image.Dither.NONE)
    picture.save(file, 'PNG', optimize=True)
    return b64encode(file.getvalue()).decode() if file.tell() < len(whole) else png

def convert_outputs(cell, module):
    "Make the pictures of a cell small and its texts MyST; returns the texts"
    texts = []
    for data in (output.data for output in cell.outputs if 'data' in output):
        if 'image/png' in data: data['image/png'] = smaller(''.join(data['image/png']))
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

def sidebar(paths):
    "The three groups of pages; book and lessons in the order of their numbers, the workshop in that of the alphabet"
    for caption, folder in GROUPS.items():
        names = [page_name(path) for path in paths if path.parent == Path(folder) and path.name != cfg.readme_nb]
        yield toctree(caption, names + ['changelog'] * (caption == 'Workshop'))

def write_pages(source):
    "Write what Sphinx reads into the folder `source`"
    paths = sorted(path.relative_to(cfg.nbs_path) for path in nbglob(as_path=True))
    for path in paths:
        front, module, cells = processed(cfg.nbs_path/path)
        cells = [head(path, front, cells), *(convert(cell, module) for cell in cells)]
        if path.name == cfg.readme_nb: cells += sidebar(paths)
        page = source/f'{page_name(path)}.ipynb'
        page.parent.mkdir(parents=True, exist_ok=True)
        write_nb(new_nb(cells, {'language_info': {'name': 'python', 'pygments_lexer': 'python'}}), page)
    shutil.copytree(cfg.nbs_path/'images', source/'images')
    shutil.copy(cfg.config_path/'CHANGELOG.md', source/'changelog.md')

def drop_idle_spans(out):
    "Take away the spans around names, punctuation and blanks, which have the colour of all code: a quarter of a page"
    for page in out.rglob('*.html'):
        text = page.read_text(encoding='utf-8')
        page.write_text(re.sub(r'<span class="[npw]">([^<]*)</span>', r'\1', text), encoding='utf-8')

def main():
    parser = argparse.ArgumentParser(description='Build the site.')
    parser.add_argument('folder', nargs='?', type=Path, default=cfg.doc_path, help='where to, instead of _docs')
    out = parser.parse_args().folder.resolve()
    source = out.parent/'_proc'
    for folder in (source, out): shutil.rmtree(folder, ignore_errors=True)
    write_pages(source)
    failed = build_main(['-W', '--keep-going', '-q', '-c', str(Path(__file__).parent), '-d', str(source/'.doctrees'),
                         str(source), str(out)])
    drop_idle_spans(out)
    play.write_site(out)
    return failed

if __name__ == '__main__': sys.exit(main())
