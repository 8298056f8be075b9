"From any picture to an MNIST digit: invariances, nothing to read, several digits, property tests."
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from helpers import difference, saved
from mnist_steps.canvas import (
    STROKES,
    NoDigit,
    SeveralDigits,
    centre_by_mass,
    draw,
    find_digits,
    find_steps,
    has_ink,
    read_number,
    steps,
    to_mnist,
)
from mnist_steps.data import load_mnist

CANVAS = draw(STROKES[3])
GREY = Image.fromarray(CANVAS).convert('L')
WANTED = to_mnist(CANVAS)


# ---- the form of the answer

@pytest.mark.parametrize('digit', range(10))
def test_a_drawing_obeys_the_convention(digit):
    out = to_mnist(draw(STROKES[digit], 150, 18))
    assert out.shape == (28, 28) and out.dtype == np.uint8
    rows, columns = np.flatnonzero(out.any(1)), np.flatnonzero(out.any(0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    grid = np.arange(28)
    assert abs(grid @ out.sum(1)/out.sum() - 14) <= 0.51 and abs(grid @ out.sum(0)/out.sum() - 14) <= 0.51


def test_steps_are_pictures_in_order():
    out = steps(CANVAS)
    assert list(out) == ['grey', 'ink', 'cropped', 'scaled', 'centred']
    assert all(p.dtype == np.uint8 and p.ndim == 2 for p in out.values())
    assert max(out['scaled'].shape) == 20 and (out['centred'] == WANTED).all()


def test_the_input_is_left_alone():
    canvas = CANVAS.copy()
    canvas.flags.writeable = False
    im = GREY.copy()
    to_mnist(canvas), to_mnist(im)
    assert (canvas == CANVAS).all() and (np.asarray(im) == np.asarray(GREY)).all()


def test_mnist_comes_through_byte_for_byte():
    images = load_mnist()[1].images
    assert np.mean([np.array_equal(to_mnist(d), d) for d in images]) >= 0.999
    assert np.mean([np.array_equal(to_mnist(255-d), d) for d in images[:1000]]) >= 0.999


# ---- the same drawing elsewhere, larger, on other paper

@pytest.mark.parametrize('digit', range(10))
def test_place_changes_next_to_nothing(digit):
    outs = [to_mnist(draw(STROKES[digit], 120, 16, at)) for at in ((20, 20), (100, 130), (150.5, 60.25))]
    assert max(difference(o, outs[0]) for o in outs) < 0.12


@pytest.mark.parametrize('digit', range(10))
def test_size_changes_little(digit):
    outs = [to_mnist(draw(STROKES[digit], size, size/10)) for size in (80, 140, 220)]
    assert max(difference(o, outs[1]) for o in outs) < 0.45


@pytest.mark.parametrize('digit', range(10))
def test_the_pen_changes_little(digit):
    thin, usual, thick = (to_mnist(draw(STROKES[digit], 180, pen)) for pen in (5, 20, 28))
    assert difference(thin, usual) < 0.6 and difference(thick, usual) < 0.6
    assert 0.6 < thin.sum(dtype=float)/usual.sum() < 1.5 # without evening: a fifth


@pytest.mark.parametrize('digit', range(10))
def test_dark_on_light_is_the_same_digit(digit):
    grey = draw(STROKES[digit])[..., 0]
    assert (to_mnist(255-grey) == to_mnist(grey)).all()
    assert difference(to_mnist(np.where(grey > 127, 90, 200).astype(np.uint8)), to_mnist(grey)) < 0.15


def test_any_size_of_canvas():
    for shape in ((100, 100), (600, 400), (2000, 1500)):
        assert difference(to_mnist(draw(STROKES[3], 0.6*min(shape), 0.06*min(shape), shape=shape)), WANTED) < 0.4


def test_specks_are_ignored():
    dusty = CANVAS.copy()
    dusty[5:8, 5:8, :3] = dusty[260:264, 270:273, :3] = 255
    assert (to_mnist(dusty) == WANTED).all()
    click = np.maximum(CANVAS, draw([[(0, 0)]], at=(30, 250)))
    assert (to_mnist(click) == WANTED).all()


def paper(grey, seed, size=(480, 640), shadow=0.4):
    "A photo of white-on-black `grey` drawn dark on unevenly lit, textured paper."
    rng = np.random.default_rng(seed)
    ink = np.zeros(size)
    ink[100:100+grey.shape[0], 200:200+grey.shape[1]] = grey/255
    y, x = np.mgrid[:size[0], :size[1]]/size[1]
    light = (1 - 0.4*x)*(1 - shadow/(1 + np.exp((0.8-x-y)/0.01)))
    out = light*(0.85 - 0.6*ink + 0.02*rng.standard_normal(size)) + 0.01*rng.standard_normal(size)
    return (out.clip(0, 1)*255).astype(np.uint8)


@pytest.mark.parametrize('digit', range(10))
def test_a_photo_gives_nearly_the_drawing(digit):
    grey = draw(STROKES[digit])[..., 0]
    photo = paper(grey, digit)
    assert difference(to_mnist(photo), to_mnist(grey)) < 0.3
    assert difference(to_mnist(saved(Image.fromarray(photo), 'JPEG', quality=80)), to_mnist(grey)) < 0.3


def test_the_edge_of_the_table_is_not_a_digit():
    photo = paper(draw(STROKES[6])[..., 0], 0)
    photo[:, :30] = 20
    assert difference(to_mnist(photo), to_mnist(draw(STROKES[6]))) < 0.3
    blank = paper(np.zeros((280, 280)), 1)
    assert not has_ink(blank)
    blank = paper(np.zeros((280, 280)), 1, shadow=0)
    blank[:, :30] = 20
    assert not has_ink(blank)


# ---- nothing to read

def noise(seed=0): return np.random.default_rng(seed).random((280, 280))


EMPTY = {
    'black': np.zeros((280, 280, 4), np.uint8),
    'opaque black': np.dstack([np.zeros((280, 280, 3), np.uint8), np.full((280, 280), 255, np.uint8)]),
    'transparent': np.full((280, 280, 4), [255, 255, 255, 0], np.uint8),
    'filled': np.full((280, 280, 4), 255, np.uint8),
    'grey': np.full((50, 60), 0.3),
    'uniform noise': noise(),
    'faint noise': 0.5 + 0.02*noise(),
    'salt and pepper': noise() > 0.5,
    'dust': noise() > 0.995,
    'bytes of noise': np.random.default_rng(1).integers(0, 256, (300, 200, 3), dtype=np.uint8),
    'dot': draw([[(0.5, 0.5)]]),
    'large dot': draw([[(0.5, 0.5)]], pen=90),
    'short slip': draw([[(0.5, 0.5), (0.53, 0.52)]]),
    'filled square': np.pad(np.ones((120, 120)), 80), 'one pixel': np.ones((1, 1)), 'row': np.zeros((1, 500)),
}


@pytest.mark.parametrize('name', EMPTY)
def test_nothing_to_read(name):
    assert not has_ink(EMPTY[name])
    for f in (to_mnist, steps, find_digits):
        with pytest.raises(NoDigit, match='draw a digit'):
            f(EMPTY[name])


def test_no_digit_is_a_value_error():
    assert issubclass(NoDigit, ValueError) and issubclass(SeveralDigits, ValueError)


# ---- several digits

def number(digits, size=110, pen=14, gap=25):
    shape, x, out = (200, 60 + (size+gap)*len(digits)), 20, None
    for d in digits:
        one = draw(STROKES[d], size, pen, (x, 40), shape)
        x = np.flatnonzero(one[..., 0].any(0))[-1] + gap
        out = one if out is None else np.maximum(out, one)
    return out


@pytest.mark.parametrize('digits', [(4, 5), (1, 1, 1), (2, 0, 2, 6), (5, 5), (7, 4, 4, 8, 3)])
def test_digits_are_found_from_left_to_right(digits):
    found = find_digits(number(digits))
    assert len(found) == len(digits)
    assert [box[0] for box, _ in found] == sorted(box[0] for box, _ in found)
    assert all(picture.shape == (28, 28) and picture.dtype == np.uint8 for _, picture in found)
    with pytest.raises(SeveralDigits, match=f'{len(digits)} digits'):
        to_mnist(number(digits))


def test_every_digit_has_its_steps():
    picture = number((3, 1, 6))
    found = find_steps(picture)
    assert [(box, pictures['centred'].tolist()) for box, pictures in found] == [
        (box, centred.tolist()) for box, centred in find_digits(picture)]
    assert all(list(pictures) == ['grey', 'ink', 'cropped', 'scaled', 'centred'] for _, pictures in found)
    (box, pictures), = find_steps(CANVAS)
    assert all(np.array_equal(pictures[name], picture) for name, picture in steps(CANVAS).items())
    left, top, right, bottom = box
    assert pictures['cropped'].shape == (bottom-top, right-left)


def test_what_is_no_scaled_ink_is_refused():
    for ink in (np.zeros((20, 20), np.uint8), np.full((29, 5), 255, np.uint8)):
        with pytest.raises(ValueError, match='at most 28 x 28'):
            centre_by_mass(ink)


def test_read_number_asks_the_model_once():
    calls = []
    def predict(pictures):
        calls.append(pictures.shape)
        return np.arange(len(pictures))
    assert read_number(number((3, 1, 6)), predict) == '012' and calls == [(3, 28, 28)]


FIVE = [[(0.1, 0.1), (0.08, 0.42), (0.5, 0.5), (0.6, 0.8), (0.3, 1), (0, 0.9)], [(0.28, 0.0), (0.75, -0.03)]]
FOUR = [[(0.2, 0), (0.02, 0.55), (0.4, 0.55)], [(0.58, 0.0), (0.5, 1)]]
SEVEN = [[(0, 0), (0.64, 0), (0.25, 1)], [(0.5, 0.62), (0.75, 0.58)]]


@pytest.mark.parametrize('loose', [FIVE, FOUR, SEVEN], ids=['bar of a 5', 'strokes of a 4', 'bar of a 7'])
def test_loose_strokes_stay_one_digit(loose):
    canvas = draw(loose, 160, 12)
    assert len(find_digits(canvas)) == 1
    left, top, right, bottom = find_digits(canvas)[0][0]
    ink = canvas[..., 0] > 63
    assert (left, right) == (np.flatnonzero(ink.any(0))[0], np.flatnonzero(ink.any(0))[-1] + 1)


# ---- hostile arrays

@pytest.mark.parametrize('shape', [(1, 1), (1, 40), (40, 1), (2, 2), (3, 900), (20, 20), (28, 28), (1, 100_000)])
def test_odd_shapes(shape):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        check(rng.integers(0, 256, shape, dtype=np.uint8))
        check(rng.random(shape) > 0.9)


# ---- properties

def check(picture):
    "A digit or a ValueError: nothing else, ever."
    try: out = to_mnist(picture)
    except ValueError as e: assert str(e)
    else: assert out.shape == (28, 28) and out.dtype == np.uint8 and out.any()


flat = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=60)
shapes = flat | st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))


@settings(max_examples=150, deadline=None)
@given(arrays(st.sampled_from([np.uint8, np.bool_, np.uint16, np.int64]), shapes))
def test_any_integers(a): check(a)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float32, shapes, elements=st.floats(-0.5, 2, width=32) | st.just(np.nan)))
def test_any_floats(a): check(a)


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, shapes, elements=st.floats(0, 1), fill=st.sampled_from([0.0, 1.0, 0.5])))
def test_any_sparse_pictures(a): check(a)


stroke = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5)


@settings(max_examples=100, deadline=None)
@given(st.lists(stroke, min_size=1, max_size=4), st.floats(1, 40))
def test_any_strokes(strokes, pen): check(draw(strokes, 150, pen))


def test_importing_needs_neither_torch_nor_scikit_learn():
    code = 'import sys, mnist_steps.canvas; assert not {"torch", "sklearn", "scipy", "matplotlib"} & set(sys.modules)'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0
