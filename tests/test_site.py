"The site: links, pictures and readability of every page, opened from files as a reader without network would."
import html.parser
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]


class Page(html.parser.HTMLParser):
    "What a page links to, loads and shows"
    def __init__(self, path):
        super().__init__()
        self.path, self.anchors, self.links, self.loads, self.pictures = path, set(), [], [], []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.anchors.add(a.get('id'))
        if tag == 'a' and a.get('href'): self.links.append(a['href'])
        if tag in ('script', 'img', 'iframe', 'source'): self.loads.append(a.get('src'))
        if tag == 'link' and a['rel'] in ('stylesheet', 'icon', 'shortcut icon', 'preload'): self.loads.append(a['href'])
        if tag == 'img': self.pictures.append((a['src'], a.get('alt')))


@pytest.fixture(scope='module')
def site():
    "The built site: path -> page"
    done = subprocess.run([sys.executable, 'docs/build.py'], cwd=ROOT, capture_output=True, text=True, encoding='utf-8')
    assert done.returncode == 0, done.stdout + done.stderr # a warning of Sphinx's fails the build
    return {path: Page(path) for path in (ROOT/'_docs').rglob('*.html')}


def test_links_lead_somewhere(site):
    dead = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme: continue
            target = (path.parent/unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or parts.fragment and target in site and unquote(parts.fragment) not in site[target].anchors:
                dead.append(f'{path.name}: {link}')
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site):
    assert [(path.name, url) for path, page in site.items() for url in page.loads if url and urlsplit(url).scheme not in ('', 'data')] == []


def test_every_picture_is_described(site):
    assert sum(len(page.pictures) for page in site.values()) > 60
    assert [(path.name, src) for path, page in site.items() for src, alt in page.pictures if not alt or alt.endswith(('.png', '.svg'))] == []


def test_size(site):
    assert sum(p.stat().st_size for p in (ROOT/'_docs').rglob('*') if p.is_file()) <= 10_000_000


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_in_a_browser(site, browser, scheme):
    "No page asks anyone, complains, or breaks a rule of WCAG 2.1, levels A and AA, that axe can check"
    from axe_playwright_python.sync_playwright import Axe
    options = {'preload': False, 'resultTypes': ['violations'], # the dark pages differ in their colours only
               'runOnly': ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] if scheme == 'light' else ['color-contrast']}
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


def test_weight_of_the_first_page(site, browser):
    page, loaded = browser.new_page(), []
    page.on('requestfinished', lambda request: loaded.append(Path(unquote(urlsplit(request.url).path)).stat().st_size))
    page.goto((ROOT/'_docs'/'index.html').as_uri())
    page.wait_for_load_state('networkidle')
    page.close()
    assert sum(loaded) <= 500_000
