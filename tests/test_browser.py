"The app as a visitor meets it: Chromium, a mouse, a finger, and a server of its own."
import gzip
import json
import os
import re
from contextlib import contextmanager

import numpy as np
import pytest

from mnist_steps.canvas import STROKES

PHONE = dict(viewport={'width': 360, 'height': 740}, device_scale_factor=2, has_touch=True, is_mobile=True)


@contextmanager
def visit(browser, address, title=None, **context):
    "A page, by its title, that must neither complain in its console nor ask anyone but the server"
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(60_000)
    complaints, strangers = [], []
    page.on('console', lambda message: message.type == 'error' and complaints.append(message.text))
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('request', lambda request: request.url.split(':')[0] in ('http', 'https', 'ws', 'wss') and '//localhost:' not in request.url and strangers.append(request.url))
    page.goto(address)
    if title: page.get_by_role('link', name=title).click()
    page.get_by_role('heading', level=3).first.wait_for()
    ready(page)
    yield page
    assert page.locator('[data-testid="stException"]').count() == 0, page.locator('[data-testid="stException"]').first.inner_text()
    page.context.close()
    assert complaints == [] and strangers == []


def ready(page):
    "Wait until the server has answered everything"
    page.wait_for_function("document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'")


def sheet(page):
    "The canvas, in view"
    canvas = page.locator('canvas').last
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    return canvas


def draw(page, digit, size=180, at=None): draw_strokes(page, STROKES[digit], size, at or ((280 - .7 * size) / 2, (280 - size) / 2))


def draw_strokes(page, strokes, size, at):
    "Draw with the mouse; `at` is the left and top of the unit square that the strokes lie in"
    box = sheet(page).bounding_box()
    for stroke in strokes:
        points = [(box['x'] + at[0] + x * size, box['y'] + at[1] + y * size) for x, y in stroke]
        page.mouse.move(*points[0])
        page.wait_for_timeout(200) # the toolbar makes way
        page.mouse.down()
        for (a, b), (c, d) in zip(points, points[1:]):
            page.mouse.move((a + c) / 2, (b + d) / 2)
            page.mouse.move(c, d)
        page.mouse.up()
        page.wait_for_timeout(400)
    ready(page)


def verdict(page, rung='cnn'):
    "The digit that a rung names"
    return page.locator(f'.st-key-verdict_{rung} [style*="3rem"]').inner_text()


def choose(page, name):
    "Press one of several options"
    page.get_by_test_id('stButtonGroup').get_by_text(name, exact=True).click()


def button(page, name): return page.get_by_test_id('stButton').get_by_role('button', name=name)


def clear(page):
    button(page, 'Clear').click()
    page.get_by_text('Draw one digit, anywhere').wait_for()
    ready(page)


@pytest.mark.parametrize('size, at', [(180, None), (90, (12, 12)), (230, None)], ids=['middle', 'corner', 'large'])
def test_ten_digits(browser, url, size, at):
    with visit(browser, url) as page:
        named = []
        for digit in range(10):
            draw(page, digit, size, at)
            named.append(verdict(page))
            assert all(verdict(page, rung) in '0123456789' for rung in ('logistic', 'numpy', 'torch'))
            clear(page)
        right = sum(int(name) == digit for digit, name in enumerate(named))
        assert right >= 9, f'drew 0 to 9, read {" ".join(named)}'


@pytest.mark.skipif('PEN_STROKES' not in os.environ, reason='PEN_STROKES names no file of pen strokes')
def test_strangers_digits(browser, url):
    "One digit of each class, by ten writers; the file is described in lessons/06_other_hands"
    digits = {}
    for row in map(json.loads, gzip.open(os.environ['PEN_STROKES'], 'rt')): digits.setdefault((row['label'], row['writer']), row['strokes'])
    with visit(browser, url) as page:
        named = []
        for label in range(10):
            strokes = [np.array(stroke, float).reshape(-1, 2) for stroke in digits[label, label + 1]]
            low, high = np.concatenate(strokes).min(axis=0), np.concatenate(strokes).max(axis=0)
            draw_strokes(page, [((s - low) / (high - low).max()).tolist() for s in strokes], 180, (280 - 180 * (high - low) / (high - low).max()) / 2)
            named.append(verdict(page))
            clear(page)
        assert sum(int(name) == label for label, name in enumerate(named)) >= 9, f'drew 0 to 9, read {" ".join(named)}'


def test_undo_takes_back_one_stroke(browser, url):
    with visit(browser, url) as page:
        draw(page, 4)
        assert verdict(page) == '4'
        before = page.locator('.st-key-verdict_cnn').inner_text()
        button(page, 'Undo').click()
        page.wait_for_function('text => document.querySelector(".st-key-verdict_cnn")?.innerText !== text', arg=before)
        button(page, 'Undo').click()
        page.get_by_text('Draw one digit, anywhere').wait_for()


def test_pen_width_keeps_the_drawing(browser, url):
    with visit(browser, url) as page:
        draw(page, 0)
        page.get_by_role('slider', name='Pen width').focus()
        page.keyboard.press('ArrowRight')
        page.wait_for_timeout(1000)
        ready(page)
        assert verdict(page) == '0'


def test_two_digits_are_read_in_order(browser, url):
    with visit(browser, url) as page:
        draw(page, 1, 150, (40, 60))
        draw(page, 0, 150, (150, 60))
        page.get_by_text('2 digits, from left to right').wait_for()
        assert page.get_by_text('cnn reads 10').count() == 1


def test_touch_on_a_phone(browser, url):
    with visit(browser, url, **PHONE) as page:
        box = sheet(page).bounding_box()
        assert box['x'] >= 0 and box['x'] + box['width'] <= 360
        touch = page.context.new_cdp_session(page)
        def send(kind, *points): touch.send('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': [{'x': box['x'] + 90 + 150 * x, 'y': box['y'] + 60 + 150 * y} for x, y in points]})
        for stroke in STROKES[3]:
            send('touchStart', stroke[0])
            for point in stroke[1:]: send('touchMove', point)
            send('touchEnd')
        page.locator('.st-key-verdict_cnn').wait_for()
        ready(page)
        assert verdict(page) == '3'
        assert page.evaluate('document.documentElement.scrollWidth') <= 360


def test_upload(browser, url, tmp_path):
    from PIL import Image

    from mnist_steps.canvas import draw as drawing
    Image.fromarray(255 - drawing(STROKES[6])[..., :3]).save(tmp_path/'six.png')
    (tmp_path/'no.png').write_text('not a picture')
    with visit(browser, url) as page:
        choose(page, 'Upload')
        page.locator('input[type=file]').set_input_files(tmp_path/'six.png')
        page.locator('.st-key-verdict_cnn').wait_for()
        assert verdict(page) == '6'
        page.locator('input[type=file]').set_input_files(tmp_path/'no.png')
        page.get_by_text('is not a picture').wait_for()


def test_every_explanation(browser, url):
    with visit(browser, url) as page:
        choose(page, 'Surprise me')
        page.locator('.st-key-verdict_cnn').wait_for()
        for name, text in {'logistic': 'Each pixel votes', 'numpy': 'speak loudest', 'torch': 'speak loudest', 'nearest digits': 'most like yours', 'patch by patch': 'patch is blanked', 'cnn': 'first block'}.items():
            choose(page, name)
            page.get_by_text(text).wait_for()
            ready(page)


def test_train_draw_and_stop(browser, url):
    with visit(browser, url, 'Train it yourself') as page:
        button(page, 'Start').click()
        page.get_by_text('yours').first.wait_for()
        page.get_by_text('of the test digits').first.wait_for()
        draw(page, 2)
        assert page.locator('.st-key-verdict_yours').count() == 1
        button(page, 'Start').click()
        page.get_by_text(' of 5 epochs').wait_for()
        button(page, 'Stop').click()
        page.get_by_text('Stopped before the first epoch').or_(page.get_by_text('of the test digits').first).wait_for()


def test_quiz(browser, url):
    with visit(browser, url, 'Test yourself') as page:
        page.get_by_role('button', name='7', exact=True).click()
        page.get_by_text('You say 7').wait_for()
        button(page, 'Next').click()
        page.get_by_text('You say 7').wait_for(state='detached')
        page.get_by_text('of 1', exact=False).first.wait_for()


@pytest.mark.parametrize('title', [None, 'Train it yourself', 'Test yourself'])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_narrow_screen_and_themes(browser, url, title, scheme):
    with visit(browser, url, title, color_scheme=scheme) as page:
        page.set_viewport_size({'width': 360, 'height': 740})
        page.wait_for_timeout(500)
        assert page.evaluate('document.documentElement.scrollWidth') <= 360
        ground, text = page.evaluate("[getComputedStyle(document.querySelector('.stApp')).backgroundColor, getComputedStyle(document.querySelector('h3')).color]")
        def light(color): return sum(map(int, re.findall(r'\d+', color)[:3]))
        assert (light(ground) > light(text)) == (scheme == 'light')
