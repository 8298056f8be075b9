"""Print the book and its lessons as one PDF, with Chromium and the pages of the site.

    python docs/book.py book.pdf                # builds the site first, elsewhere
    python docs/book.py book.pdf --site _docs   # takes the site in that folder
"""
import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup
from nbdev.config import get_config
from playwright.sync_api import sync_playwright

GROUPS = ('Book', 'Lessons') # captions of the sidebar
CHROMIUM = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
NOT_ON_PAPER = '.headerlink, .reading, .only-dark, button, script, template, link'
FOOTER = '<div style="width: 100%; font-size: 8px; text-align: center"><span class="pageNumber"></span></div>'

cfg = get_config()

def soup_of(path): return BeautifulSoup(path.read_text(encoding='utf-8'), 'html.parser')

def pages_of(home):
    "The pages of the groups, in the order of the sidebar, as addresses"
    captions = [p for p in home.select('.sidebar-tree p.caption') if p.get_text(strip=True) in GROUPS]
    return [link['href'] for caption in captions for link in caption.find_next('ul').select('a.internal')]

def prefix(page): return page.removesuffix('.html').replace('/', '-')

def target_of(href, page, pages):
    "Where a link of `page` leads in the PDF: a place in it, or an address on the web"
    url = urljoin(page, href)
    parts = urlsplit(url)
    if parts.scheme: return url
    if parts.path not in pages: return cfg.doc_host + cfg.doc_baseurl + '/' + url
    return '#' + prefix(parts.path) + ('--' + parts.fragment if parts.fragment else '')

def article_of(site, page, pages):
    "The text of a page: nothing folded, names and links valid in one document"
    article = soup_of(site/page).select_one('article[role=main]')
    for element in article.select(NOT_ON_PAPER): element.decompose()
    for fold in article.select('details'): fold['open'] = ''
    for element in article.select('[id]'): element['id'] = f'{prefix(page)}--{element["id"]}'
    for link in article.select('a[href]'): link['href'] = target_of(link['href'], page, pages)
    for image in article.select('img[src]'):
        image['src'] = urljoin((site/page).as_uri(), image['src'])
        image['loading'] = 'eager'
    article['id'] = prefix(page)
    return article

def document(site):
    "Cover, contents and all pages as one document in HTML"
    home = soup_of(site/'index.html')
    pages = pages_of(home)
    articles = [article_of(site, page, pages) for page in pages]
    sheets = [urljoin((site/'index.html').as_uri(), link['href']) for link in home.select('link[rel=stylesheet]')]
    entries = [f'<li><a href="#{article["id"]}">{article.h1.decode_contents()}</a></li>' for article in articles]
    return '\n'.join([
        '<!doctype html><html lang="en"><meta charset="utf-8">', f'<title>{cfg.title} {cfg.version}</title>',
        *(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets), *map(str, home.select('head style')),
        '<body data-theme="light" class="book">', f'<article role="main"><h1>{cfg.title} {cfg.version}</h1>',
        f'<p>{cfg.description}</p>', f'<ol>{"".join(entries)}</ol></article>', *map(str, articles), '</body></html>'])

def print_book(site, file):
    "Print the pages of the site in the folder `site` into `file`"
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not program: raise SystemExit('no Chromium found: install it, as by `apt-get install chromium`')
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        whole = Path(folder)/'book.html'
        whole.write_text(document(site), encoding='utf-8')
        browser = playwright.chromium.launch(executable_path=program, args=['--no-sandbox', '--disable-gpu'])
        page = browser.new_page()
        page.goto(whole.as_uri())
        page.pdf(path=file, format='A4', outline=True, tagged=True, display_header_footer=True,
                 header_template='<div></div>', footer_template=FOOTER,
                 margin={'top': '15mm', 'bottom': '18mm', 'left': '15mm', 'right': '15mm'})
        browser.close()

def main():
    parser = argparse.ArgumentParser(description='Print the book and its lessons as one PDF.')
    parser.add_argument('file', type=Path, help='where to')
    parser.add_argument('--site', type=Path, help='folder of a site that is built, instead of building it')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = args.site or Path(folder)/'site'
        if not args.site:
            subprocess.run([sys.executable, str(Path(__file__).with_name('build.py')), str(site)], check=True)
        print_book(site.resolve(), args.file)

if __name__ == '__main__': main()
