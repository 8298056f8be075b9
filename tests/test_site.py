"The site: links, pictures and readability of every page, opened from files as a reader without network would."
import ast
import html.parser
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

import mnist_steps

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT/'docs'))

from maths import mathml  # noqa: E402

ADDRESS = 'https://mnist-steps.github.io/mnist-steps/'
GROUPS = {'Book': 'nbs', 'Lessons': 'nbs/lessons', 'Workshop': 'nbs/reference'} # in the sidebar -> folder of notebooks
ALONE = 'play.html' # a page that one can mail: it has no sidebar, and leads to no other file
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
        names = [re.sub(r'^\d+[a-z]?_', '', path.stem) for path in sorted((ROOT/directory).glob('[!_.]*.ipynb'))]
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
    expected['Workshop'] += ['functions', 'changelog']
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


@pytest.mark.parametrize('width', [390, 1280])
def test_figures_live_on_their_pages(site, browser, width):
    "Where a page has figures, each takes its still picture's place, and nothing is broader than the screen"
    page, found, living = browser.new_page(viewport={'width': width, 'height': 844}), [], 0
    page.on('console', lambda message: found.append(message.text))
    page.on('pageerror', lambda error: found.append(str(error)))
    for path in site:
        names = re.findall(r'<figure class="touch" data-figure="([\w-]+)">', site[path].text)
        if not names: continue
        page.goto(path.as_uri())
        for name in names: page.locator(f'[data-figure={name}][data-built]').wait_for()
        living += len(names)
        assert page.locator('figure.touch:has(img)').count() == len(names) # the still pictures, out of sight
        assert not any(picture.is_visible() for picture in page.locator('figure.touch img').all())
        assert page.evaluate('document.documentElement.scrollWidth') <= width, path.name
    page.close()
    assert found == [] and living >= 3


def weigh(page, path):
    "Bytes of all files that the browser loads for a page"
    loaded = []
    def add(request): loaded.append(Path(unquote(urlsplit(request.url).path)).stat().st_size)
    page.on('requestfinished', add)
    page.goto(path.as_uri())
    page.wait_for_load_state('networkidle')
    page.remove_listener('requestfinished', add)
    return sum(loaded)


def test_weight_of_the_first_page(folder, browser):
    "Without the reader and its weights, which arrive after the text"
    page, reader = browser.new_page(), (folder/'_static'/'play.js').stat().st_size
    assert reader <= 1_200_000 and weigh(page, folder/'index.html') - reader <= 500_000
    page.close()


def test_weight_of_pages_with_formulas(site, browser):
    "Their formulas were rendered when the site was built, and the font for them is one small file"
    page = browser.new_page()
    weights = {path.name: weigh(page, path) for path, content in site.items() if '<math' in content.text}
    assert page.evaluate('document.fonts.check("16px STIX Two Math")')
    page.close()
    assert len(weights) > 10
    assert {name: weight for name, weight in weights.items() if weight > 900_000} == {}


def foreign_symbols(page):
    "Symbols of the formulas of a page that the browser takes from another font"
    devtools = page.context.new_cdp_session(page)
    for domain in ('DOM', 'CSS'): devtools.send(f'{domain}.enable')
    root = devtools.send('DOM.getDocument')['root']['nodeId']
    leaves = devtools.send('DOM.querySelectorAll', {'nodeId': root, 'selector': 'math :is(mi, mn, mo, mtext)'})
    texts = page.evaluate("[...document.querySelectorAll('math :is(mi, mn, mo, mtext)')].map(e => e.textContent)")
    for text, node in dict(zip(texts, leaves['nodeIds'])).items():
        fonts = devtools.send('CSS.getPlatformFontsForNode', {'nodeId': node})['fonts']
        if any(font['familyName'] != 'STIX Two Math' for font in fonts): yield text


def test_formulas_are_in_the_font(site, browser):
    "A new symbol in a formula asks for a larger part of the font"
    page, foreign = browser.new_page(), {}
    for path, content in site.items():
        if '<math' not in content.text: continue
        page.goto(path.as_uri())
        page.evaluate('document.fonts.ready')
        symbols = list(foreign_symbols(page))
        if symbols: foreign[path.name] = symbols
    page.close()
    assert foreign == {}


@pytest.mark.parametrize('formula', [r'\unknown x', r'\frac{1', r'\begin{aligned}a&=b\end{aligned}', r'\left('])
def test_a_formula_without_mathml_is_refused(formula):
    with pytest.raises(ValueError, match='formula|missing'): mathml(formula, 'block')


@pytest.mark.parametrize('formula, expected', [
    (r'|x|', '<mo stretchy="false" form="prefix">|</mo><mi>x</mi>'),
    (r'a = -b', '<mo form="prefix">−</mo><mi>b</mi>'),
    (r'(a) - b', '<mo>−</mo><mi>b</mi>'),
    (r'\log x', '<mo lspace="0em" rspace="0.167em">log</mo><mi>x</mi>'),
    (r'\text{a} + \text{b}', '<mo form="infix">+</mo>'),
    (r'a/b', '<mi>/</mi>'),
    (r'\mathrm{i}', '<mi mathvariant="normal">i</mi>')])
def test_spaces_in_formulas(formula, expected):
    "As in TeX, which MathML's own rules don't follow"
    assert expected in mathml(formula, 'inline')


def search(page, folder, words):
    "What the search of the site finds first: address and name"
    page.goto((folder/'index.html').as_uri())
    page.fill('.sidebar-search', words)
    page.press('.sidebar-search', 'Enter')
    page.wait_for_selector('#search-results p:has-text("Search finished")')
    return page.locator('#search-results ul.search a').first.get_attribute('href')


@pytest.mark.parametrize('words, expected', [
    ('softmax', 'linear'), ('backpropagation', 'backprop'), ('momentum', 'numpy_net'), ('dropout', 'overfitting'),
    ('batch normalisation', 'convolution'), ('batch norm', 'convolution'), ('confusion matrix', 'right_and_wrong'),
    ('kernel', 'convolution'), ('learning rate', 'backprop'), ('epoch', 'digits'), ('label', 'first_climb'),
    ('elastic distortion', 'lessons/bent_digits'), ('benchmark', 'reference/benchmark'),
    ('mode', ''), ('load_mnist', 'digits')])
def test_search_finds_what_explains_a_word(folder, browser, words, expected):
    page, errors = browser.new_page(), []
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.on('console', lambda message: message.type == 'error' and errors.append(message.text))
    first = search(page, folder, words)
    page.close()
    assert first.startswith(expected) and not first.startswith('changelog')
    assert errors == []


def public_names():
    "Every function and class that the modules offer: (module, name)"
    for path in sorted((ROOT/'mnist_steps').glob('[!_]*.py')):
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name[0] == '_': continue
            if 'patch' not in map(ast.unparse, node.decorator_list): yield path.stem, node.name


def test_every_function_and_class_is_listed(folder, site):
    linked = {link.rpartition('#')[2] for link in site[folder/'functions.html'].links}
    names = [f'mnist_steps.{module}.{name}' for module, name in public_names()]
    assert len(names) > 150
    assert [name for name in names if name not in linked] == []


def test_every_page_leads_to_the_list(folder, site):
    found = {path: {(path.parent/urlsplit(link).path).resolve() for link in page.links} for path, page in site.items()}
    wanted = (folder/'functions.html').resolve()
    assert {path.name for path, links in found.items() if wanted not in links} <= {'functions.html', ALONE}


def test_sidebar_shows_where_one_is(folder, browser):
    "Also on a page whose entry is further down than the screen reaches"
    page = browser.new_context(viewport={'width': 1280, 'height': 700}).new_page()
    page.goto((folder/'reference/torch_train.html').as_uri())
    page.wait_for_function("""() => {
        const place = document.querySelector('.sidebar-tree .current-page > a').getBoundingClientRect()
        return 0 <= place.top && place.bottom <= innerHeight }""")
    page.context.close()


def test_sidebar_on_a_phone(folder, browser):
    "Its links are large enough for a thumb"
    page = browser.new_context(viewport={'width': 390, 'height': 844}).new_page()
    page.goto((folder/'index.html').as_uri())
    page.click('.nav-overlay-icon')
    heights = page.evaluate('[...document.querySelectorAll(".sidebar-tree a")].map(link => link.offsetHeight)')
    page.context.close()
    assert len(heights) > 30 and min(heights) >= 44


UNFOLD = """() => Promise.all([...document.querySelectorAll('details:not([open])')].map(fold =>
    new Promise(done => { fold.addEventListener('toggle', done, {once: true}); fold.open = true })))"""
SIDEWAYS = """() => [...document.querySelectorAll('pre')].filter(box => box.scrollWidth > box.clientWidth).length
    + (document.documentElement.scrollWidth > document.documentElement.clientWidth)"""
UNREACHABLE = """() => [...document.querySelectorAll('article *')].filter(box =>
    ['auto', 'scroll'].includes(getComputedStyle(box).overflowX) && box.scrollWidth > box.clientWidth
    && box.tabIndex < 0).length"""


@pytest.mark.parametrize('width', [390, 1280])
def test_nothing_runs_out_of_its_page(folder, site, browser, width):
    "Code wraps; a table or a formula that is too wide scrolls in its box, by the keyboard, too"
    page = browser.new_context(viewport={'width': width, 'height': 844}).new_page()
    wide = {}
    for path in site:
        page.goto(path.as_uri())
        page.evaluate(UNFOLD)
        faults = [page.evaluate(SIDEWAYS), page.evaluate(UNREACHABLE)]
        if any(faults): wide[path.name] = faults
    page.context.close()
    assert wide == {}


def test_wrapped_code_is_copied_as_it_was(folder, browser):
    page = browser.new_context(viewport={'width': 390, 'height': 844}).new_page()
    page.goto((folder/'numpy_net.html').as_uri())
    changed = page.evaluate("""() => [...document.querySelectorAll('.cell_input pre')].filter(box => {
        getSelection().selectAllChildren(box)
        return box.checkVisibility() && getSelection().toString().trimEnd() !== box.textContent.trimEnd() }).length""")
    wrapped = page.locator('pre .long').count()
    page.context.close()
    assert wrapped > 50 and changed == 0


ENTRY = 'mnist_steps.numpy_net.softmax'


def test_entries_of_the_book_are_folded(folder, browser):
    "Until somebody opens one, or follows a link to it"
    page = browser.new_page()
    page.goto((folder/'numpy_net.html').as_uri())
    folds = page.locator('details.py')
    assert folds.count() > 10 and page.locator('details.py[open]').count() == 0
    page.goto((folder/'numpy_net.html').as_uri() + '#' + ENTRY)
    page.wait_for_selector(f'details.py[open] > [id="{ENTRY}"]')
    page.evaluate('location.hash = "mnist_steps.numpy_net.relu"')
    page.wait_for_selector('details.py[open] > [id="mnist_steps.numpy_net.relu"]')
    page.goto((folder/'reference/estimator.html').as_uri())
    assert page.locator('dl.py').count() > 10 and page.locator('details.py').count() == 0
    page.close()


def test_a_page_on_paper(folder, browser):
    "Nothing to press, nothing folded, light, and no line cut off"
    page = browser.new_context(color_scheme='dark', viewport={'width': 700, 'height': 900}).new_page()
    page.goto((folder/'numpy_net.html').as_uri())
    page.emulate_media(media='print')
    shown = page.evaluate("""selector => [...document.querySelectorAll(selector)].filter(
        element => element.checkVisibility({contentVisibilityAuto: true}) && element.offsetHeight).length""",
        '.sidebar-drawer, .toc-drawer, .copybtn, .theme-toggle, .mobile-header, .related-pages, .bottom-of-page')
    folded = page.evaluate("""() => [...document.querySelectorAll('details > :not(summary)')].filter(
        element => !element.checkVisibility() && element.textContent.trim()).length""")
    paper = page.evaluate('getComputedStyle(document.body).backgroundColor')
    sideways = page.evaluate(SIDEWAYS)
    page.context.close()
    assert (shown, folded, sideways) == (0, 0, 0)
    assert paper in ('rgb(255, 255, 255)', 'rgba(0, 0, 0, 0)')


def titles():
    "Titles of book and lessons"
    for caption in ('Book', 'Lessons'):
        for path in sorted((ROOT/GROUPS[caption]).glob('[!_.]*.ipynb')):
            if path.name != 'index.ipynb': yield re.search(r'"# (.*?)(\\n)?"', path.read_text(encoding='utf-8'))[1]


def test_book_on_paper(folder, browser, tmp_path):
    "One PDF with every page of book and lessons, in their order, in its outline"
    file = tmp_path/'book.pdf'
    subprocess.run([sys.executable, 'docs/book.py', str(file), '--site', str(folder)], cwd=ROOT, check=True)
    content = file.read_bytes()
    outline = re.findall(rb'/Title \(((?:[^()\\]|\\.)*)\)', content)
    found = [title.decode().replace(' ', '') for title in outline] # where a title is broken it has no blank
    places = [found.index(title.replace(' ', '')) for title in titles()]
    assert len(places) > 15 and places == sorted(places)
    assert len(re.findall(rb'/Type /Page\b', content)) > 100


def test_llms_txt(folder):
    "One line for every page: its title, its address, what it is about"
    text = (folder/'llms.txt').read_text(encoding='utf-8')
    assert text.startswith(f'# mnist-steps {mnist_steps.__version__}\n\n> ')
    listed = re.findall(rf'^- \[.+?\]\({re.escape(ADDRESS)}(\S+?)\.html\): \S.*$', text, re.M)
    assert [page for group in pages().values() for page in group if page not in listed] == []


def test_sitemap(folder, site):
    places = [place.text for place in ElementTree.parse(folder/'sitemap.xml').iter() if place.tag.endswith('loc')]
    names = {path.relative_to(folder).as_posix() for path in site} - {'search.html'}
    assert sorted(places) == sorted(ADDRESS + name for name in names)


def test_every_page_says_which_it_is(folder, site):
    "Its one address, and the version that it describes"
    silent = []
    for path, page in site.items():
        if path.name == ALONE: continue
        address = ADDRESS + path.relative_to(folder).as_posix()
        if f'<link rel="canonical" href="{address}">' not in page.text: silent.append(f'{path.name}: address')
        if f'mnist-steps {mnist_steps.__version__}</span>' not in page.text: silent.append(f'{path.name}: version')
    assert silent == []


def test_figures_follow_the_theme(folder, browser):
    "A dark page shows its figures for dark pages and loads no others; a light one the others"
    page, loaded = browser.new_context(color_scheme='dark').new_page(), []
    page.on('requestfinished', lambda request: loaded.append(Path(unquote(urlsplit(request.url).path)).name))
    page.goto((folder/'ladder.html').as_uri())
    light, dark = (page.locator(f'article img.only-{theme}') for theme in ('light', 'dark'))
    assert light.count() == dark.count() >= 2
    for figure in dark.all(): figure.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('img.only-dark')].every(image => image.naturalWidth)")
    assert not any(figure.is_visible() for figure in light.all())
    assert [name for name in loaded if name.endswith('.webp') and not name.endswith('-dark.webp')] == []
    page.evaluate("document.body.dataset.theme = 'light'")
    assert all(figure.is_visible() for figure in light.all())
    assert not any(figure.is_visible() for figure in dark.all())
    page.context.close()
