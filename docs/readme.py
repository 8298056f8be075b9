"""Render README.md from nbs/index.ipynb.

    python docs/readme.py          # write it
    python docs/readme.py --check  # exit 1, with the difference, when it is out of date
"""
import re
import sys
from difflib import unified_diff
from pathlib import Path

from pages import SITE, address, cfg, link_pages, link_symbols, options, processed

RAW = f'https://raw.githubusercontent.com/{cfg.user}/{cfg.repo}/{cfg.branch}'

ANIMATION = ('A nine is drawn: while it grows, five readers beside it change their minds, from 1 over 0 to 9, each '
             'with bars for its ten probabilities')

def badge(name, about, target): return f'[![{about}](images/badge_{name}.svg)]({target})'

def banner():
    "What the README shows first, where the site has the page that reads itself: facts in a line, and its animation"
    licence = cfg.license.split()[0]
    first, *_, last = re.findall(r'Python :: (3\.\d+)', cfg.classifiers)
    badges = [badge('python', f'Python {first} to {last}', 'https://www.python.org'),
              badge('code', f'Code under {licence}', f'{cfg.git_url}/blob/{cfg.branch}/LICENSE')]
    return (' '.join(badges), f'[![{ANIMATION}](images/play.gif)]({SITE}play.html)',
            f'[Draw on it yourself]({SITE}play.html): the page runs in your browser alone.')

def themed(match):
    "A picture that has a twin for dark pages as HTML that shows the one that suits"
    about, path = match.groups()
    twin = Path(path).with_name(f'{Path(path).stem}-dark{Path(path).suffix}').as_posix()
    if not (cfg.nbs_path/twin).exists(): return match[0]
    return (f'<picture><source media="(prefers-color-scheme: dark)" srcset="{RAW}/nbs/{twin}">'
            f'<img src="{RAW}/nbs/{path}" alt="{about}"></picture>')

def linked(match): return f'<a href="{match[2]}">{match[1]}</a>'

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
    head = [f"# {front['title']}", front.get('description', ''), *banner()]
    parts = head + [block for cell in cells for block in blocks(cell)]
    text = link_symbols('\n\n'.join(filter(None, parts)) + '\n', module, symbol_link)
    text = link_pages(text, SITE + '{page}.html')
    text = re.sub(r'!\[([^\]]*)\]\((images/[^)]+)\)', themed, text)
    text = re.sub(r'\[(<picture>.*</picture>)\]\(([^)]+)\)', linked, text) # HTML has no links of Markdown in it
    return text.replace('](images/', f']({RAW}/nbs/images/') # PyPI shows it, too

def main():
    path, new = cfg.config_path/'README.md', render()
    if '--check' in sys.argv:
        old = path.read_text(encoding='utf-8')
        sys.stdout.writelines(unified_diff(old.splitlines(True), new.splitlines(True), path.name, str(cfg.readme_nb)))
        return old != new
    path.write_text(new, encoding='utf-8')

if __name__ == '__main__': sys.exit(main())
