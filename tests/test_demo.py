"The pages of the app in every state that needs no browser; a stand-in draws."
import io
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from mnist_steps.canvas import STROKES, draw, to_mnist
from mnist_steps.plots import RUNG_COLORS
from mnist_steps.rungs import PRETRAINED, RUNGS, load_pretrained

DEMO = Path(__file__).resolve().parents[1]/'demo'
BLANK = np.zeros((280, 280, 4), np.uint8) + np.uint8([0, 0, 0, 255])


@pytest.fixture
def app(monkeypatch):
    "app(page, drawing) runs a page on which `drawing` was drawn"
    state = types.SimpleNamespace(drawing=None)
    def st_canvas(**options):
        assert options['return_image_data']
        strokes = [] if state.drawing is None or state.drawing is BLANK else [{}]
        return types.SimpleNamespace(image_data=state.drawing, json_data={'objects': strokes})
    monkeypatch.setitem(sys.modules, 'streamlit_drawable_canvas', types.SimpleNamespace(st_canvas=st_canvas))
    monkeypatch.syspath_prepend(DEMO)
    monkeypatch.delitem(sys.modules, 'parts', raising=False)
    def run(page, drawing=None):
        state.drawing = drawing
        at = AppTest.from_file(DEMO/page, default_timeout=120).run()
        assert not at.exception, at.exception
        return at
    yield run
    sys.modules.pop('parts', None)


def said(at):
    "All texts of a page"
    return '\n'.join(element.value for kind in (at.markdown, at.info, at.error) for element in kind)


def picture(image):
    "An array as a file: PNG"
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'png')
    return file.getvalue()


@pytest.mark.parametrize('drawing', [None, BLANK], ids=['first visit', 'cleared'])
def test_nothing_drawn(app, drawing):
    assert 'Draw one digit, anywhere' in said(app('draw.py', drawing))


@pytest.mark.parametrize('digit', range(10))
def test_the_rungs_and_the_reader_for_drawings_answer(app, digit):
    image = draw(STROKES[digit])
    at = app('draw.py', image)
    read = {name: load_pretrained(name).predict(to_mnist(image)[None])[0] for name in PRETRAINED}
    headline = next(m.value for m in at.markdown if 'All five' in m.value or 'disagree' in m.value)
    assert all(f'**{d}**' in headline for d in read.values())
    assert 'What the models see' in said(at)


@pytest.mark.parametrize('choice', [*PRETRAINED, 'patch by patch', 'nearest digits'])
def test_every_explanation(app, choice):
    at = app('draw.py', draw(STROKES[5]))
    assert not at.segmented_control[1].set_value(choice).run().exception


def test_each_reader_has_a_column_and_a_colour_of_its_own(app):
    image = draw(STROKES[7])
    at = app('draw.py', image)
    names = [m.value.split('**')[1] for m in at.markdown if m.value.startswith('**')]
    assert names == list(PRETRAINED) == list(RUNG_COLORS)
    verdicts, bars = [[block.proto.body for block in at.get('html')[start::2]] for start in (0, 1)]
    assert len(verdicts) == len(bars) == 5
    for name, verdict, ten in zip(names, verdicts, bars):
        p = load_pretrained(name).predict_proba(to_mnist(image)[None])[0]
        assert f'>{p.argmax()}</div>' in verdict and f'{100 * p.max():.1f}%</span>' in ten
        assert ten.count(f'background:{RUNG_COLORS[name]}') == 10
    assert not at.toggle # `drawn` stands beside `cnn`, never in its place
    assert 'no fifth rung' in '\n'.join(caption.value for caption in at.caption)


def test_a_dot_is_no_digit(app):
    assert 'No digit yet' in said(app('draw.py', draw([[(0, 0), (0, 0)]], pen=30)))


def test_a_filled_canvas_is_no_digit(app):
    assert 'No digit yet' in said(app('draw.py', BLANK + np.uint8([255, 255, 255, 0])))


def test_several_digits_are_read_in_order(app):
    two = np.maximum(draw(STROKES[1], 130, 14, (30, 70)), draw(STROKES[7], 130, 14, (160, 70)))
    at = app('draw.py', two)
    assert '2 digits, from left to right' in said(at) and '**drawn** reads **17**' in said(at)
    assert [m.value.split('**')[1] for m in at.markdown if ' reads ' in m.value] == list(PRETRAINED)


@pytest.mark.parametrize('content, answer', [
    pytest.param(b'text', 'can not be read', id='text'),
    pytest.param(picture(draw(STROKES[3])), 'read **3**', id='a three'),
    pytest.param(picture(BLANK), 'No digit yet', id='a black picture')])
def test_upload(app, content, answer):
    at = app('draw.py')
    at.segmented_control[0].set_value('Upload').run()
    assert 'Draw one digit' in said(at)
    at.file_uploader[0].set_value(('picture.png', content, 'image/png')).run()
    assert not at.exception and answer in said(at)


def test_other_inputs(app):
    at = app('draw.py')
    assert not at.segmented_control[0].set_value('Camera').run().exception
    at.segmented_control[0].set_value('Surprise me').run()
    assert not at.exception and 'What the models see' in said(at)


def test_workshop(app):
    at = app('workshop.py')
    assert 'Choose the settings' in said(at)
    for rung in RUNGS:
        at.selectbox[0].set_value(rung).run()
        assert not at.exception


def test_train_stop_and_draw(app):
    at = app('workshop.py', draw(STROKES[8]))
    at.slider[0].set_value(1)
    at.button[0].click().run()
    training = at.session_state.training
    training.wait(300)
    at.run()
    assert not at.exception and training.error is None
    assert 'of the test digits' in said(at) and at.session_state.training.model.epochs == 1
    at.button[0].click().run()
    at.button[1].click().run()
    assert not at.exception and not at.session_state.training.running


def test_quiz(app):
    at = app('quiz.py')
    asked = at.session_state.asked
    at.button(key='answer_7').click().run()
    assert not at.exception and 'You say **7**' in said(at) and at.session_state.answers == [(asked, 7)]
    next(b for b in at.button if b.label == 'Next').click().run()
    assert not at.exception and at.session_state.answer is None
    for rung in RUNGS: assert not at.segmented_control[0].set_value(rung).run().exception
