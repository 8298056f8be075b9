"""Build the site in `_docs/`, offline and without Quarto: nbdev processes the notebooks, Sphinx renders them.

    python docs/build.py
"""
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

from pages import SITE, cfg, link_pages, options, page_name, processed, qualified

TAGS = { # option of Quarto's -> tag of MyST-NB's
    ('echo', 'false'): 'remove-input',
    ('output', 'false'): 'remove-output',
    ('include', 'false'): 'remove-cell',
    ('code-fold', 'true'): 'hide-input'}

def myst(markdown, module):
    "Markdown of nbdev and Quarto, from the page of `module`, as MyST: links to symbols and pages, callouts"
    symbol = rf'\[`([^`\]]+?)(\(\))?`\]\({re.escape(SITE)}[^)]*\.html#[^)]*\)'
    markdown = re.sub(symbol, lambda m: f'{{py:obj}}`{m[1]}{m[2] or ""} <{qualified(m[1], module)}>`', markdown)
    markdown = re.sub(r'^(:{3,})\s*\{\.callout-(\w+)[^}]*\}', r'\1{\2}', markdown, flags=re.M)
    return link_pages(markdown, '{page}.ipynb')

def smaller(png):
    "A picture, in base64, with no more than 256 colours: to the eye the same, and a fraction of the size"
    file = io.BytesIO()
    Image.open(io.BytesIO(b64decode(png))).convert('RGB').quantize(256, dither=Image.Dither.NONE).save(file, 'PNG', optimize=True)
    return b64encode(file.getvalue()).decode() if file.tell() < len(b64decode(png)) else png

def convert(cell, module):
    "A processed cell, from the page of `module`, as MyST-NB reads it"
    if cell.cell_type == 'markdown': return mk_cell(myst(cell.source, module), 'markdown', id=cell.id)
    opts, source = options(cell)
    texts = [o.data for o in cell.outputs if 'text/markdown' in o.get('data', {})]
    for data in (o.data for o in cell.outputs if 'image/png' in o.get('data', {})): data['image/png'] = smaller(''.join(data['image/png']))
    for data in texts: data['text/markdown'] = myst(''.join(data['text/markdown']), module)
    if opts.get('output') == 'asis':
        if not texts: raise ValueError(f'no text from `{source.strip()}`: look for its error above')
        return mk_cell('\n\n'.join(data['text/markdown'] for data in texts), 'markdown', id=cell.id)
    cell.source = source
    cell.metadata = {'tags': [tag for option, tag in TAGS.items() if option in opts.items()], 'mystnb': {}}
    if 'fig-alt' in opts: cell.metadata['mystnb']['image'] = {'alt': opts['fig-alt']}
    if 'code-summary' in opts:
        cell.metadata['mystnb'] |= dict.fromkeys(['code_prompt_show', 'code_prompt_hide'], opts['code-summary'])
    return cell

def minutes(cells):
    "How long a page takes to read: 200 words of prose a minute, or 20 lines of code"
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == 'markdown')
    lines = sum(len(cell.source.splitlines()) for cell in cells if cell.cell_type == 'code')
    return math.ceil(words / 200 + lines / 20)

def head(path, front, cells):
    "Title, description, and what else a reader wants to know first"
    notebook = f'{cfg.user}/{cfg.repo}/blob/{cfg.branch}/nbs/{path.as_posix()}'
    links = (f'<p class="reading">About {minutes(cells)} min · <a href="https://colab.research.google.com/github/{notebook}">Open in Colab</a> '
             f'(first run <code>%pip install {cfg.lib_name}</code>) · <a href="{cfg.git_url}/raw/{cfg.branch}/nbs/{path.as_posix()}">Download</a></p>')
    return mk_cell('\n\n'.join([f"# {front['title']}", front.get('description', ''), links]), 'markdown')

def toctree(caption, names):
    listing = '\n'.join(names)
    return mk_cell(f'```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listing}\n```', 'markdown')

def main():
    source = cfg.config_path/'_proc'
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(cfg.doc_path, ignore_errors=True)
    paths = sorted(p.relative_to(cfg.nbs_path) for p in nbglob(as_path=True))
    def group(folder): return [page_name(p) for p in paths if p.parent == Path(folder) and p.name != cfg.readme_nb]
    for path in paths:
        front, module, cells = processed(cfg.nbs_path/path)
        cells = [head(path, front, cells), *(convert(cell, module) for cell in cells)]
        if path.name == cfg.readme_nb:
            cells += [toctree('Book', group('')), toctree('Lessons', group('lessons')), toctree('Workshop', [*group('reference'), 'changelog'])]
        page = source/f'{page_name(path)}.ipynb'
        page.parent.mkdir(parents=True, exist_ok=True)
        write_nb(new_nb(cells, {'language_info': {'name': 'python', 'pygments_lexer': 'python'}}), page)
    shutil.copytree(cfg.nbs_path/'images', source/'images')
    shutil.copy(cfg.config_path/'CHANGELOG.md', source/'changelog.md')
    return build_main(['-W', '--keep-going', '-q', '-c', str(Path(__file__).parent), '-d', str(source/'.doctrees'),
                       str(source), str(cfg.doc_path)])

if __name__ == '__main__': sys.exit(main())
