"The site: links, pictures and readability of every page, opened from files as a reader without network would."
import html.parser
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = 'https://mnist-steps.github.io/mnist-steps/'
GROUPS = {'Book': 'nbs', 'Lessons': 'nbs/lessons', 'Workshop': 'nbs/reference'} # in the sidebar -> folder of notebooks
LOADED = ('stylesheet', 'icon', 'shortcut icon', 'preload')


class Page(html.parser.HTMLParser):
    "What a page links to, loads and shows"
    def __init__(self, path):
        super().__init__()
        self.anchors = set()
        self.links = []
        self.loads = []
        self.pictures = []
        self.text = path.read_text(encoding='utf-8')
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        attribute = dict(attributes)
        self.anchors.add(attribute.get('id'))
        if tag == 'a' and attribute.get('href'): self.links.append(attribute['href'])
        if tag in ('script', 'img', 'iframe', 'source'): self.loads.append(attribute.get('src'))
        if tag == 'link' and attribute['rel'] in LOADED: self.loads.append(attribute['href'])
        if tag == 'img': self.pictures.append((attribute['src'], attribute.get('alt')))


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    "Where the site is built, once for all tests: none of them writes into the checkout"
    folder = tmp_path_factory.mktemp('site')/'site'
    build = subprocess.run([sys.executable, 'docs/build.py', str(folder)], cwd=ROOT, capture_output=True, text=True,
                           encoding='utf-8')
    assert build.returncode == 0, build.stdout + build.stderr # a warning of Sphinx's fails the build
    return folder


@pytest.fixture(scope='session')
def site(folder):
    "The built site: path -> page"
    return {path: Page(path) for path in folder.rglob('*.html')}


def leads_somewhere(site, path, anchor):
    "Is there such a file, and such a place in it?"
    return path.is_file() and (not anchor or path not in site or unquote(anchor) in site[path].anchors)


def test_links_lead_somewhere(site):
    dead = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme: continue
            target = (path.parent/unquote(parts.path)).resolve() if parts.path else path
            if not leads_somewhere(site, target, parts.fragment): dead.append(f'{path.name}: {link}')
    assert dead == []


def pages():
    "The notebooks under each caption of the sidebar, in the order of their files, as addresses without `.html`"
    listed = {}
    for caption, directory in GROUPS.items():
        inside = directory.removeprefix('nbs').lstrip('/')
        names = [re.sub(r'^\d+_', '', path.stem) for path in sorted((ROOT/directory).glob('[!_.]*.ipynb'))]
        listed[caption] = [f'{inside}/{name}'.lstrip('/') for name in names if name != 'index']
    return listed


def test_readme_leads_to_every_page(folder, site):
    readme = (ROOT/'README.md').read_text(encoding='utf-8')
    links = re.findall(rf'\]\({re.escape(ADDRESS)}([^)#]*)#?([^)]*)\)', readme)
    assert [link for link in links if not leads_somewhere(site, folder/link[0], link[1])] == []
    linked = {page for page, _ in links}
    assert [page for group in pages().values() for page in group if f'{page}.html' not in linked] == []


@pytest.mark.parametrize('name', ['fit', 'predict', 'train', 'read'])
def test_no_such_word_leads_to_the_command_line(site, name):
    "What every rung can is a method, though a command may have the same name"
    texts = {path.name: page.text for path, page in site.items() if path.name != 'genindex.html'}
    texts['README.md'] = (ROOT/'README.md').read_text(encoding='utf-8')
    assert [page for page, text in texts.items() if re.search(rf'cli\.html#(mnist_steps\.cli\.)?{name}\b', text)] == []


def test_three_groups_in_the_sidebar(folder, site):
    "Every notebook stands under the group of its folder, in the order of the files"
    sidebar = site[folder/'index.html'].text.split('<div class="sidebar-tree">')[1].split('</div>')[0]
    _, *groups = re.split(r'<p class="caption"[^>]*><span class="caption-text">(.*?)</span></p>', sidebar)
    listed = {caption: re.findall(r'href="([^"#]+)\.html"', links) for caption, links in zip(groups[::2], groups[1::2])}
    expected = pages()
    expected['Workshop'].append('changelog')
    assert listed == expected


def test_options_are_described(folder, site):
    assert '<p>for <code' in re.search(r'<td><p>options</p></td>.*?</tr>',
                                       site[folder/'reference/processes.html'].text, re.S)[0]


@pytest.mark.parametrize('page, parameter, cells', [
    ('reference/files', 'path', ['str | bytes | os.PathLike', 'name of a file or folder, which need not exist']),
    ('reference/plots', 'classes', ['numpy.ndarray | None', 'None', 'default: every class that occurs, sorted']),
])
def test_a_type_with_a_bar_stays_in_its_column(folder, site, page, parameter, cells):
    "Else the description of the parameter drops out of the table"
    rows = re.findall(rf'<td><p>{parameter}</p></td>\n(.*?)</tr>', site[folder/f'{page}.html'].text, re.S)
    found = re.findall(r'<td><p>(.*?)</p></td>', rows[0])
    assert len(found) == len(cells) and all(found[i].endswith(cell) for i, cell in enumerate(cells))


def test_nothing_is_loaded_from_elsewhere(site):
    loads = [(path.name, url) for path, page in site.items() for url in page.loads if url]
    assert [(name, url) for name, url in loads if urlsplit(url).scheme not in ('', 'data')] == []


def test_every_picture_is_described(site):
    pictures = [(path.name, *picture) for path, page in site.items() for picture in page.pictures]
    assert len(pictures) > 60
    assert [(name, src) for name, src, alt in pictures if not alt or alt.endswith(('.png', '.svg'))] == []


def test_no_address_in_memory(site):
    "Whoever builds the site twice gets the same pages"
    address = r'[ >]at(</span> <span class="pre">| )0x'
    assert [path.name for path, page in site.items() if re.search(address, page.text)] == []


def test_size(folder):
    assert sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) <= 10_000_000


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_in_a_browser(site, browser, scheme):
    "No page asks anyone, complains, or breaks a rule of WCAG 2.1, levels A and AA, that axe can check"
    from axe_playwright_python.sync_playwright import Axe
    rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] if scheme == 'light' else ['color-contrast'] # all that differs
    options = {'preload': False, 'resultTypes': ['violations'], 'runOnly': rules}
    axe, found = Axe(), []
    page = browser.new_context(color_scheme=scheme).new_page()
    page.on('console', lambda message: message.type == 'error' and found.append(message.text))
    page.on('request', lambda request: request.url.startswith(('http', 'ws')) and found.append(request.url))
    for path in site:
        page.goto(path.as_uri())
        for rule in axe.run(page, options=options).response['violations']:
            found += [f'{path.name}: {rule["help"]}: {node["html"][:200]}' for node in rule['nodes']]
    page.context.close()
    assert found == []


def test_weight_of_the_first_page(folder, browser):
    "Without the reader and its weights, which arrive after the text"
    page, loaded = browser.new_page(), {}
    def weigh(request):
        path = Path(unquote(urlsplit(request.url).path))
        loaded[path.name] = path.stat().st_size
    page.on('requestfinished', weigh)
    page.goto((folder/'index.html').as_uri())
    page.wait_for_load_state('networkidle')
    page.close()
    assert loaded.pop('play.js') <= 1_200_000 and sum(loaded.values()) <= 500_000
