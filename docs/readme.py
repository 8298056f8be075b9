"""Render README.md from nbs/index.ipynb.

    python docs/readme.py          # write it
    python docs/readme.py --check  # exit 1, with the difference, when it is out of date
"""
import sys
from difflib import unified_diff

from pages import SITE, address, cfg, link_pages, link_symbols, options, processed

RAW = f'https://raw.githubusercontent.com/{cfg.user}/{cfg.repo}/{cfg.branch}'

def output_text(output):
    "An output of a cell as Markdown; None for one without text, such as a figure"
    data = output.get('data', {})
    if 'text/markdown' in data: return ''.join(data['text/markdown'])
    if any(kind.startswith('image/') for kind in data): return None
    return '```\n' + ''.join(output.get('text') or data['text/plain']).rstrip() + '\n```'

def blocks(cell):
    "A cell as blocks of Markdown: its source, unless it is hidden, and its outputs"
    if cell.cell_type == 'markdown': return [cell.source.strip()]
    opts, source = options(cell)
    shown = [] if opts.get('echo') == 'false' else [f'```python\n{source.strip()}\n```']
    return shown + [text for text in map(output_text, cell.outputs) if text]

def symbol_link(text, full): return f'[`{text}`]({SITE}{address(full)})'

def render():
    front, module, cells = processed(cfg.nbs_path/cfg.readme_nb)
    parts = [f"# {front['title']}", front.get('description', ''), *(b for cell in cells for b in blocks(cell))]
    text = link_symbols('\n\n'.join(filter(None, parts)) + '\n', module, symbol_link)
    text = link_pages(text, SITE + '{page}.html')
    return text.replace('](images/', f']({RAW}/nbs/images/') # PyPI shows it, too

def main():
    path, new = cfg.config_path/'README.md', render()
    if '--check' in sys.argv:
        old = path.read_text(encoding='utf-8')
        sys.stdout.writelines(unified_diff(old.splitlines(True), new.splitlines(True), path.name, str(cfg.readme_nb)))
        return old != new
    path.write_text(new, encoding='utf-8')

if __name__ == '__main__': sys.exit(main())
