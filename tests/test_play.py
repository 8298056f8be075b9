"The page that reads drawings, in real Chromium and from the one file: it answers as Python does."
import base64
import gzip
import json
import os
from pathlib import Path

import numpy as np
import PIL
import pytest

from mnist_steps.canvas import STROKES, NoDigit, SeveralDigits, draw, to_mnist
from mnist_steps.data import load_mnist
from mnist_steps.rungs import PRETRAINED, load_pretrained

PAGE = Path(__file__).resolve().parents[1]/'mnist_steps'/'play.html'
CHANGED = 0 # answers to the test digits that half precision changes
BLACK, WHITE, NOTHING = (0, 0, 0, 255), (255, 255, 255, 255), (0, 0, 0, 0)
COLORS = [ # paper and pen, each red, green, blue and alpha: what canvases have
    (BLACK, WHITE), (WHITE, BLACK), (NOTHING, WHITE), (NOTHING, (20, 30, 160, 255)),
    ((250, 246, 230, 255), (25, 60, 190, 255)), (BLACK, (120, 120, 120, 255)), ((40, 44, 52, 255), (255, 220, 90, 255))]
SIZES = (280, 280), (300, 420), (600, 600), (900, 700) # height and width of canvases

# An ink of one byte a pixel and a colour for each of its 256 values travel faster than the colours of all pixels
CANVAS = '''([ink, colors, width, height]) => {
  const bytes = text => Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
  const palette = new Uint32Array(bytes(colors).buffer)
  const image = new ImageData(width, height)
  const pixels = new Uint32Array(image.data.buffer)
  bytes(ink).forEach((level, i) => { pixels[i] = palette[level] })
  return image
}'''
READ = f'''drawings => drawings.map({CANVAS}).map(image => {{
  const {{pixels, reason, probabilities}} = mnistSteps.read(image)
  return {{pixels: pixels && btoa(String.fromCharCode(...pixels)), reason: reason ?? null, probabilities}}
}})'''
PROBABILITIES = '''text => {
  const digits = Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
  const out = []
  for (let at = 0; at < digits.length; at += 784) {
    out.push(...Object.values(mnistSteps.probabilities(digits.subarray(at, at + 784))).flat())
  }
  return btoa(Array.from(new Uint8Array(new Float32Array(out).buffer), byte => String.fromCharCode(byte)).join(''))
}'''


def text(array): return base64.b64encode(np.ascontiguousarray(array)).decode()


def parts(items, size=50): return (items[at:at + size] for at in range(0, len(items), size))


@pytest.fixture(scope='module')
def page(browser):
    "The page, opened from the disk; in the end it has asked for nothing else and said nothing"
    page = browser.new_page()
    requests, messages = [], []
    page.on('request', lambda request: requests.append(request.url))
    page.on('console', lambda message: messages.append(message.text))
    page.on('pageerror', lambda error: messages.append(str(error)))
    page.goto(PAGE.as_uri())
    yield page
    page.close()
    assert (requests, messages) == ([PAGE.as_uri()], [])


class Drawing:
    "Ink, and the colours that make a picture of it"
    def __init__(self, ink, paper=(0, 0, 0, 255), pen=(255, 255, 255, 255)):
        paper, pen = np.array(paper), np.array(pen)
        self.ink = ink # (h, w) uint8
        self.palette = (paper + (pen - paper)*np.arange(256)[:, None]/255).round().astype(np.uint8) # (256, 4)

    def image(self): return self.palette[self.ink]

    def arguments(self): return [text(self.ink), text(self.palette), *self.ink.shape[::-1]]


def own_strokes(rng):
    "One of the package's digits, bent, turned and stretched"
    turn = rng.normal(0, .15)
    change = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag(rng.uniform(.8, 1.2, 2))
    bend, phase = rng.uniform(0, .06), rng.uniform(0, 6)
    strokes = [np.array(stroke) for stroke in STROKES[int(rng.integers(10))]]
    return [(stroke + bend*np.sin(5*stroke[:, ::-1] + phase)) @ change for stroke in strokes]


def strangers_strokes(rng, rows):
    "What somebody wrote, as high or wide as 1"
    strokes = [np.array(stroke, float).reshape(-1, 2) for stroke in rows[rng.integers(len(rows))]['strokes']]
    points = np.concatenate(strokes)
    return [(stroke - points.min(axis=0))/max(np.ptp(points, axis=0).max(), 1) for stroke in strokes]


def drawing(rng, rows):
    "A drawing of any size, pen, place and colour"
    strokes = strangers_strokes(rng, rows) if rows else own_strokes(rng)
    height, width = rng.choice(SIZES, p=[.6, .2, .15, .05])
    size = min(height, width)*rng.uniform(.25, .8)
    at = rng.uniform(.02, .98, 2)*(np.array([width, height]) - size)
    ink = draw(strokes, size=size, pen=rng.uniform(2, 30)/280*min(height, width), at=at, shape=(height, width))[..., 0]
    return Drawing(ink, *COLORS[rng.integers(len(COLORS))])


@pytest.fixture(scope='module')
def drawings():
    "A thousand"
    path = os.environ.get('PEN_STROKES')
    rows = [json.loads(line) for line in gzip.open(path, 'rt')] if path else None
    rng = np.random.default_rng(13)
    return [drawing(rng, rows) for _ in range(1000)]


@pytest.fixture(scope='module')
def read(page, drawings):
    "What the page reads in each"
    return [found for part in parts(drawings) for found in page.evaluate(READ, [one.arguments() for one in part])]


@pytest.fixture(scope='module')
def expected(drawings):
    "What Python sees in each: 28 x 28 pixels, or why there is no digit"
    return [seen(one.image()) for one in drawings]


def seen(image):
    try: return to_mnist(image)
    except (NoDigit, SeveralDigits) as e: return str(e)


def pixels(found): return np.frombuffer(base64.b64decode(found['pixels']), np.uint8).reshape(28, 28)


def test_the_file_is_small_enough_to_mail():
    assert PAGE.stat().st_size <= 1_200_000


def test_probabilities_of_all_test_digits(page):
    digits = load_mnist()[1].images
    found = np.concatenate([np.frombuffer(base64.b64decode(page.evaluate(PROBABILITIES, text(part))), np.float32)
                            for part in parts(digits, 500)]).reshape(len(digits), len(PRETRAINED), 10)
    changed = 0
    for i, name in enumerate(PRETRAINED):
        probabilities = load_pretrained(name).predict_proba(digits)
        assert abs(found[:, i] - probabilities).max() <= 1e-3, name
        changed += (found[:, i].argmax(1) != probabilities.argmax(1)).sum()
    assert changed <= CHANGED


@pytest.mark.skipif(int(PIL.__version__.split('.')[0]) < 13, reason='Pillow 13 scales tall pictures in another order')
def test_pictures_are_equal_byte_for_byte(read, expected):
    pairs = [(found, there) for found, there in zip(read, expected)]
    equal = [found['reason'] == there if isinstance(there, str) else
             found['pixels'] is not None and np.array_equal(pixels(found), there) for found, there in pairs]
    assert np.mean(equal) >= .99, f'{equal.count(False)} of {len(equal)} differ'


def test_answers_are_equal(read, expected):
    digits = [i for i, there in enumerate(expected) if not isinstance(there, str)]
    assert len(digits) > 900
    assert {i for i, found in enumerate(read) if found['pixels'] is not None} == set(digits)
    pictures = np.stack([expected[i] for i in digits])
    for name in PRETRAINED:
        answers = np.array([np.argmax(read[i]['probabilities'][name]) for i in digits])
        assert (answers == load_pretrained(name).predict(pictures)).mean() >= .998, name


def blank(): return np.zeros((280, 280), np.uint8)


def dots(*places): return draw([[place, place] for place in places], size=200, pen=24)[..., 0]


def side_by_side(*digits, shape=(280, 560)):
    strokes = [[(x + i, y) for x, y in stroke] for i, digit in enumerate(digits) for stroke in STROKES[digit]]
    return draw(strokes, size=150, pen=16, shape=shape)[..., 0]


def patch():
    ink = blank()
    ink[100:180, 90:170] = 255
    return ink


def noise(share): return (np.random.default_rng(0).random((280, 280)) < share).astype(np.uint8)*255


@pytest.mark.parametrize('ink', [
    blank(), dots((0, 0)), dots((0, 0), (1, 0)), patch(), side_by_side(4, 2), side_by_side(1, 2, 3, shape=(280, 700)),
    noise(.05), noise(.3)],
    ids=['blank', 'dot', 'two dots', 'patch', 'two digits', 'three digits', 'specks', 'noise'])
@pytest.mark.parametrize('paper, pen', COLORS[:3], ids=['dark', 'light', 'transparent'])
def test_reasons_are_those_of_python(page, ink, paper, pen):
    one = Drawing(ink, paper, pen)
    with pytest.raises((NoDigit, SeveralDigits)) as error: to_mnist(one.image())
    assert page.evaluate(READ, [one.arguments()]) == [
        {'pixels': None, 'reason': str(error.value), 'probabilities': None}]


def test_specks_are_left_out_and_pieces_kept(page):
    strokes = [*STROKES[5], [(.9, .1), (.9, .1)]] # with a speck of the pen beside it
    inks = [draw(strokes, pen=pen)[..., 0] for pen in (6, 12)]
    inks.append(draw([STROKES[7][0], [(0.1, .5), (.6, .5)]], pen=10)[..., 0])
    inks.append(draw([[(0, 0), (0, 1)], [(.3, 0), (.9, 0)]], pen=10)[..., 0]) # two strokes that don't touch
    inks.append(np.pad(load_mnist()[1].images[3], 40)) # a digit that is as MNIST has them
    found = page.evaluate(READ, [Drawing(ink).arguments() for ink in inks])
    for ink, there in zip(inks, found):
        expected = seen(Drawing(ink).image())
        assert (there['reason'] if isinstance(expected, str) else pixels(there).tolist()) == (
            expected if isinstance(expected, str) else expected.tolist())


def test_a_photo_has_no_place_on_the_page(page):
    ink = np.add.outer(np.arange(280), np.arange(280)).astype(np.uint8)
    [found] = page.evaluate(READ, [Drawing(ink).arguments()])
    assert found['pixels'] is None and 'more than one colour' in found['reason']
