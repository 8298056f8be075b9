"The page that reads while you draw: as one file without network, and on the front page of the site."
import subprocess
import sys
import threading
from configparser import ConfigParser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mnist_steps.canvas import STROKES

ROOT = Path(__file__).resolve().parents[1]
ONE_FILE = ROOT/'mnist_steps'/'play.html'
READERS = ['logistic', 'numpy', 'torch', 'cnn', 'drawn']
PLAY = "const play = document.querySelector('.play'), pad = play.pad;"
PHONE, SCREEN = {'width': 390, 'height': 664}, {'width': 1280, 'height': 800}
WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words): pass


@pytest.fixture(scope='module')
def front(tmp_path_factory):
    "The address of the site's front page, served as any web space would"
    folder = tmp_path_factory.mktemp('play')/'site'
    build = subprocess.run([sys.executable, 'docs/build.py', str(folder)], cwd=ROOT, capture_output=True, text=True,
                           encoding='utf-8')
    assert build.returncode == 0, build.stdout + build.stderr
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/index.html'
    server.shutdown()
    server.server_close()


@pytest.fixture
def address(request):
    "Where the reader is: parametrize with 'file' or 'site'"
    return ONE_FILE.as_uri() if request.param == 'file' else request.getfixturevalue('front')


@pytest.fixture
def visit(browser):
    "visit(address, **options of the context) opens a page that may say nothing on the console and ask nobody else"
    contexts, found = [], []
    def visit(address, **options):
        context = browser.new_context(viewport=options.pop('viewport', SCREEN), **options)
        contexts.append(context)
        page = context.new_page()
        page.on('console', lambda message: found.append(message.text))
        page.on('pageerror', lambda error: found.append(str(error)))
        home = address.rsplit('/', 1)[0]
        def watch(request):
            if request.url != address and (address.startswith('file:') or not request.url.startswith(home)):
                found.append(request.url)
        page.on('request', watch)
        page.goto(address)
        return page
    yield visit
    for context in contexts: context.close()
    assert found == []


def ask(page, expression):
    "The value of a JavaScript expression about `play`, the reader, and its `pad`"
    return page.evaluate('() => {' + PLAY + f'return {expression}' + '}')


def wait_for(page, condition): page.wait_for_function('() => {' + PLAY + f'return {condition}' + '}')


def settle(page):
    "Wait until what is drawn has been read"
    wait_for(page, '!play.isBusy()')


def placed(page, strokes, size=.64):
    "Strokes of height 1, in the middle of the pad, in pixels of the window; of many points every second"
    box = page.locator('.play-pad canvas').bounding_box()
    points = np.array([point for stroke in strokes for point in stroke])
    shift = .5 - (points.min(0) + points.max(0))/2*size
    strokes = [[*stroke[:-1:2], stroke[-1]] if len(stroke) > 9 else stroke for stroke in strokes]
    return [[(box['x'] + (x*size + shift[0])*box['width'], box['y'] + (y*size + shift[1])*box['height'])
             for x, y in stroke] for stroke in strokes]


def draw_with_mouse(page, strokes, lift=True):
    page.locator('.play-pad').scroll_into_view_if_needed()
    for stroke in placed(page, strokes):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for point in stroke[1:]: page.mouse.move(*point)
        if lift: page.mouse.up()
    settle(page)


def touch(fingers, event, *points):
    "One event of the touch screen: places of all fingers that are on it"
    fingers.send('Input.dispatchTouchEvent', {
        'type': event, 'touchPoints': [{'x': x, 'y': y, 'id': number} for number, (x, y) in enumerate(points)]})


def draw_with_touch(page, strokes):
    page.locator('.play-pad').scroll_into_view_if_needed()
    fingers = page.context.new_cdp_session(page)
    for stroke in placed(page, strokes):
        touch(fingers, 'touchStart', stroke[0])
        for point in stroke[1:]: touch(fingers, 'touchMove', point)
        touch(fingers, 'touchEnd')
    settle(page)


def answers(page):
    "What each reader reads, as shown"
    return {name: page.locator(f'li[data-reader={name}] b').inner_text() for name in READERS}


def line(page): return page.locator('.play-answer').inner_text()


def heard(page): return page.locator('.play-heard').text_content()


def press(page, name): page.get_by_role('button', name=name, exact=True).click()


def ink(page):
    "Number of white pixels on the pad"
    return ask(page, '''(() => {
        const copy = new OffscreenCanvas(pad.canvas.width, pad.canvas.height).getContext('2d')
        copy.drawImage(pad.canvas, 0, 0)
        const {data} = copy.getImageData(0, 0, pad.canvas.width, pad.canvas.height)
        return data.filter((value, i) => i % 4 === 0 && value === 255).length })()''')


@pytest.mark.parametrize('address', ['file', 'site'], indirect=True)
@pytest.mark.parametrize('how', [draw_with_mouse, draw_with_touch])
def test_ten_digits(visit, address, how):
    touched = how is draw_with_touch
    page = visit(address, has_touch=touched, viewport=PHONE if touched else SCREEN)
    right = 0
    for digit, strokes in STROKES.items():
        how(page, strokes)
        right += answers(page)['drawn'] == str(digit)
        assert page.locator('.play-best').count() == 5
        press(page, 'Clear')
        settle(page)
    assert right >= 9


def test_it_changes_its_mind_while_the_pen_is_down(visit):
    page = visit(ONE_FILE.as_uri())
    nine, = STROKES[9]
    before = line(page)
    draw_with_mouse(page, [nine[:-1]], lift=False)
    circle = answers(page)['drawn']
    assert circle == '0' and line(page) != before and ask(page, 'pad.isDown')
    assert heard(page) == '' # whoever listens is told when the pen is lifted
    start = placed(page, [nine])[0]
    for point in start[-2:]: page.mouse.move(*point)
    settle(page)
    assert answers(page)['drawn'] != circle and ask(page, 'pad.isDown') and heard(page) == ''
    page.mouse.up()
    settle(page)
    assert heard(page) == line(page) != ''


def test_a_stroke_may_leave_the_pad(visit):
    "It goes on outside and ends over a button, which is not pressed; and the pen does not stick"
    page = visit(ONE_FILE.as_uri())
    (start, end), = placed(page, [[(0, 0), (0, .6)]])
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    box = page.get_by_role('button', name='Clear').bounding_box()
    page.mouse.move(box['x'] + 5, box['y'] + 5, steps=4)
    page.mouse.up()
    settle(page)
    drawn = ask(page, 'pad.strokes')
    assert len(drawn) == 1 and drawn[0][-1][1] > 1 and not ask(page, 'pad.isDown')
    page.mouse.move(*start, steps=4)
    settle(page)
    assert ask(page, 'pad.strokes') == drawn and heard(page) == line(page) != ''


def test_a_stroke_may_end_outside_the_window(visit):
    page = visit(ONE_FILE.as_uri())
    (start, end), = placed(page, [[(0, 0), (0, .6)]])
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end)
    page.mouse.move(-50, 300)
    page.mouse.up()
    page.mouse.move(*end)
    settle(page)
    assert len(ask(page, 'pad.strokes')) == 1 and not ask(page, 'pad.isDown')


def test_undo_and_clear(visit):
    page = visit(ONE_FILE.as_uri())
    empty = line(page)
    draw_with_mouse(page, STROKES[4])
    four = answers(page)
    draw_with_mouse(page, [[(0, 0), (.9, .9)]])
    assert len(ask(page, 'pad.strokes')) == 3
    press(page, 'Undo')
    settle(page)
    assert len(ask(page, 'pad.strokes')) == 2 and answers(page) == four
    press(page, 'Clear')
    settle(page)
    assert ask(page, 'pad.strokes') == [] and line(page) == empty and set(answers(page).values()) == {'–'}
    wait_for(page, 'pad.canvas.nextSibling.style.visibility === "visible"') # draw a digit
    press(page, 'Undo') # what was cleared comes back
    settle(page)
    assert answers(page) == four


def test_the_pen_has_a_width(visit):
    page = visit(ONE_FILE.as_uri())
    draw_with_mouse(page, STROKES[1])
    thin = ink(page)
    page.get_by_label('Pen width').focus()
    page.keyboard.press('End')
    settle(page)
    assert ink(page) > 1.5*thin and answers(page)['drawn'] == '1'


def test_with_the_keyboard_alone(visit):
    page = visit(ONE_FILE.as_uri())
    wait_for(page, 'pad.canvas')
    while not ask(page, 'document.activeElement === pad.canvas'): page.keyboard.press('Tab')
    for _ in range(8): page.keyboard.press('ArrowUp')
    assert ask(page, 'pad.strokes') == [] and page.evaluate('scrollY') == 0
    page.keyboard.press('Space')
    for _ in range(14): page.keyboard.press('ArrowDown')
    settle(page)
    assert ask(page, 'pad.isDown') and answers(page)['drawn'] == '1'
    page.keyboard.press('Enter')
    settle(page)
    assert not ask(page, 'pad.isDown') and heard(page) == line(page)
    page.keyboard.press('Control+z')
    settle(page)
    assert ask(page, 'pad.strokes') == []
    for key in ('Delete', 'Backspace', 'Escape'):
        page.keyboard.press('Space')
        page.keyboard.press('ArrowLeft')
        page.keyboard.press(key)
        settle(page)
        assert ask(page, 'pad.strokes') == [] and not ask(page, 'pad.isDown')
    page.keyboard.press('Tab')
    assert ask(page, 'document.activeElement.textContent') == 'Undo'


def test_a_second_finger_is_ignored(visit):
    page = visit(ONE_FILE.as_uri(), has_touch=True, viewport=PHONE)
    fingers = page.context.new_cdp_session(page)
    (a, b, c), = placed(page, [[(0, 0), (0, .5), (0, 1)]])
    other = a[0] - 60, a[1]
    touch(fingers, 'touchStart', a)
    touch(fingers, 'touchStart', a, other)
    touch(fingers, 'touchMove', b, (other[0], b[1]))
    touch(fingers, 'touchMove', c, (other[0], c[1]))
    settle(page)
    stroke, = ask(page, 'pad.strokes')
    assert len({round(x, 3) for x, y in stroke}) == 1 and ask(page, 'pad.isDown')
    touch(fingers, 'touchEnd')
    settle(page)
    assert not ask(page, 'pad.isDown') and len(ask(page, 'pad.strokes')) == 1


def test_a_finger_scrolls_the_page_beside_the_pad_only(visit):
    page = visit(ONE_FILE.as_uri(), has_touch=True, viewport=PHONE)
    fingers = page.context.new_cdp_session(page)
    box = page.locator('.play-pad').bounding_box()
    def swipe(x, y):
        touch(fingers, 'touchStart', (x, y))
        for k in range(1, 10): touch(fingers, 'touchMove', (x, y - 20*k))
        touch(fingers, 'touchEnd')
    swipe(box['x'] + 100, box['y'] + 250)
    settle(page)
    assert page.evaluate('scrollY') == 0 and len(ask(page, 'pad.strokes')) == 1
    swipe(box['x']/2, box['y'] + 250) # beside it
    page.wait_for_function('scrollY > 50')
    assert len(ask(page, 'pad.strokes')) == 1


@pytest.mark.parametrize('scale', [1, 1.5, 2, 3])
def test_sharp_at_any_size(visit, scale):
    "The drawing is kept, and every pixel of the screen is one of the pad"
    page = visit(ONE_FILE.as_uri(), device_scale_factor=scale)
    draw_with_mouse(page, STROKES[3])
    drawn, said = ask(page, 'pad.strokes'), answers(page)
    fits = 'pad.canvas.width === Math.round(pad.canvas.clientWidth*devicePixelRatio)'
    assert ask(page, fits)
    wide = ask(page, 'pad.canvas.width')
    share = ink(page)/wide**2
    page.set_viewport_size({'width': 360, 'height': 500})
    wait_for(page, f'pad.canvas.width !== {wide} && {fits}')
    assert ask(page, 'pad.strokes') == drawn and answers(page) == said
    assert abs(ink(page)/ask(page, 'pad.canvas.width')**2 - share) < .02


def test_at_most_one_reading_a_frame(visit):
    "and the last one is of the whole drawing"
    page = visit(ONE_FILE.as_uri())
    page.evaluate('''() => {
        window.frames_ = window.readings = 0
        const read = mnistSteps.read
        mnistSteps.read = picture => { window.readings++; window.last = picture; return read(picture) }
        const count = () => { window.frames_++; requestAnimationFrame(count) }
        requestAnimationFrame(count) }''')
    draw_with_mouse(page, STROKES[8])
    readings, frames = page.evaluate('[readings, frames_]')
    assert 1 < readings <= frames
    assert ask(page, 'last.data.join() === pad.picture().data.join()')


@pytest.mark.parametrize('reduced', [False, True])
def test_show_me_one(visit, reduced):
    page = visit(ONE_FILE.as_uri(), reduced_motion='reduce' if reduced else 'no-preference')
    right = 0
    for digit in (7, 4, 1, 8, 5, 2, 9, 6, 3, 0):
        press(page, 'Show me one')
        if reduced: assert not ask(page, 'pad.isDown') # it's there at once
        wait_for(page, '!pad.isDown && !play.isBusy()')
        right += answers(page)['drawn'] == str(digit)
    assert right >= 9
    durations = page.locator('.play-track i').first.evaluate('bar => getComputedStyle(bar).transitionDuration')
    assert (float(durations.split('s')[0]) == 0) == reduced


def test_drawing_over_an_example(visit):
    "Whoever begins to draw while an example draws itself begins with an empty pad"
    page = visit(ONE_FILE.as_uri())
    ask(page, 'pad.show([[[.1, .1], [.9, .9]]], 1000)')
    wait_for(page, 'pad.strokes.length > 0')
    draw_with_mouse(page, STROKES[1])
    assert len(ask(page, 'pad.strokes')) == 1 and answers(page)['drawn'] == '1'


def test_where_there_is_no_digit(visit):
    page = visit(ONE_FILE.as_uri())
    draw_with_mouse(page, [[(0, 0), (.01, .01)]], lift=False)
    assert 'No digit' not in line(page) # it has only begun
    page.mouse.up()
    settle(page)
    assert line(page).startswith('No digit yet: ') and heard(page) == line(page)
    assert set(answers(page).values()) == {'–'}
    press(page, 'Clear')
    draw_with_mouse(page, [[(-.6, 0), (-.6, 1)], [(.6, 0), (.6, 1)]])
    assert line(page) == '2 digits at once: draw one, and clear the pad before the next.'
    ask(page, 'pad.show([[[-1, .5], [2, .5]]])')
    ask(page, 'pad.setPen(.9)')
    settle(page)
    assert line(page) == 'More ink than paper: clear the pad, and draw one digit.'


def test_what_the_readers_see(visit):
    page = visit(ONE_FILE.as_uri())
    draw_with_mouse(page, STROKES[5])
    same = '''(() => {
        const shown = play.querySelector('.play-seen canvas').getContext('2d').getImageData(0, 0, 28, 28).data
        const {pixels} = mnistSteps.read(pad.picture())
        return pixels.every((value, i) => shown[4*i] === value && shown[4*i + 3] === 255) })()'''
    assert ask(page, same)


def test_one_line_says_who_reads_what(visit):
    page = visit(ONE_FILE.as_uri())
    page.evaluate('''() => { mnistSteps.read = () => ({pixels: new Uint8Array(784), probabilities: said}) }''')
    def say(digits):
        rows = {name: [.9 if digit == d else .01 for d in range(10)] for name, digit in zip(READERS, digits)}
        page.evaluate('rows => { window.said = rows }', rows)
        ask(page, 'pad.show([[[.5, .2], [.5, .8]]])')
        settle(page)
        return line(page)
    assert say([7, 7, 7, 7, 7]) == 'All five read 7.'
    assert say([3, 7, 7, 7, 7]) == 'They disagree: four read 7, logistic reads 3.'
    assert say([3, 3, 7, 7, 7]) == 'They disagree: three read 7, logistic and numpy read 3.'
    assert say([3, 3, 7, 1, 7]) == 'They disagree: logistic and numpy read 3, torch and drawn read 7, cnn reads 1.'


@pytest.mark.parametrize('viewport', [PHONE, SCREEN], ids=['phone', 'screen'])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('address', ['file', 'site'], indirect=True)
def test_accessible(visit, address, scheme, viewport):
    "Before and after a drawing no rule of WCAG 2.1, levels A and AA, that axe can check is broken; no line is too long"
    from axe_playwright_python.sync_playwright import Axe
    page = visit(address, color_scheme=scheme, viewport=viewport, reduced_motion='reduce')
    options = {'preload': False, 'resultTypes': ['violations'], 'runOnly': WCAG}
    for strokes in (None, STROKES[2]):
        if strokes: draw_with_mouse(page, strokes)
        part = 'html' if address.startswith('file:') else '.play' # tests/test_site.py looks at the rest of the site
        broken = Axe().run(page, context=part, options=options).response['violations']
        assert [f'{rule["help"]}: {node["html"][:200]}' for rule in broken for node in rule['nodes']] == []
    assert page.evaluate('document.documentElement.scrollWidth') <= viewport['width']


def test_a_phone_shows_it_all_at_once(visit):
    page = visit(ONE_FILE.as_uri(), viewport=PHONE)
    for selector in ('.play-answer', '.play-verdicts', '.play-pad canvas', '.play-tools', '.play-bars'):
        box = page.locator(selector).bounding_box()
        assert box['x'] >= 0 and box['y'] >= 0 and box['x'] + box['width'] <= 390 and box['y'] + box['height'] <= 664
    for element in page.locator('.play-tools :is(button, input)').all(): assert element.bounding_box()['height'] >= 44
    assert page.locator('.play-pad canvas').bounding_box()['width'] >= 300


@pytest.mark.parametrize('address', ['file', 'site'], indirect=True)
def test_readable_without_javascript(visit, address):
    page = visit(address, java_script_enabled=False)
    still = page.locator('.play-still')
    assert still.locator('svg').bounding_box()['width'] > 200
    assert 'five readers say what they see' in still.inner_text()


def test_on_the_front_page_only(visit, front):
    "It comes first, with a link to the page of its own; no other page loads it"
    page = visit(front)
    after = '[...document.querySelectorAll("h1 ~ *")].find(element => element.tagName !== "LINK").classList[0]'
    assert page.evaluate(after) == 'play'
    assert page.evaluate('document.querySelector("script[src*=play]").defer')
    page.get_by_role('link', name='a page of its own').click()
    wait_for(page, 'pad')
    assert page.url.endswith('/play.html')
    page.goto(front.replace('index', 'linear'))
    assert page.locator('script[src*=play], link[href*=play], .play').count() == 0


def test_the_one_file_says_what_it_is(visit):
    config = ConfigParser(delimiters=['='])
    config.read(ROOT/'settings.ini', encoding='utf-8')
    page = visit(ONE_FILE.as_uri())
    text = page.locator('footer').inner_text()
    assert f'version {config["DEFAULT"]["version"]} of mnist-steps' in text
    for words in ('works offline', 'sends nothing', 'pip install mnist-steps'): assert words in text
    assert page.evaluate('document.documentElement.lang') == 'en' and page.title()
    assert page.locator('meta[name=description]').get_attribute('content')
    assert page.locator('link[rel=icon]').get_attribute('href').startswith('data:image/svg+xml')
