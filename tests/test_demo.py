"The pages of the app in every state that needs no browser; what was drawn stands in the session."
import io
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from mnist_steps.canvas import STROKES, draw, to_mnist
from mnist_steps.data import load_mnist
from mnist_steps.explain import occlusion_map
from mnist_steps.plots import RUNG_COLORS
from mnist_steps.rungs import PRETRAINED, RUNGS, load_pretrained, pretrained_file, read_rung_file

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT/'demo'
BLANK = np.zeros((280, 280, 4), np.uint8) + np.uint8([0, 0, 0, 255])
QUESTIONS = ['What matters?', 'How do the votes add up?', 'What would make it another digit?',
             'Which digits look like it?', 'How does a net look at it?']
DOT = [[(0, 0), (0, 0)]]


@pytest.fixture
def demo(monkeypatch):
    "The modules of the app can be imported while a test runs"
    own = 'pad', 'parts', 'why', 'draw', 'visitors'
    monkeypatch.syspath_prepend(DEMO)
    for name in own: monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in own: sys.modules.pop(name, None)


@pytest.fixture
def app(demo):
    "app(page, *drawings) runs a page on which these were drawn"
    def run(page, *drawings):
        at = AppTest.from_file(DEMO/page, default_timeout=120)
        strokes = [stroke for drawing in drawings for stroke in drawing]
        for key in ('canvas', 'own'): at.session_state[f'{key}_kept'] = {'strokes': strokes, 'pen': 20}
        at.run()
        assert not at.exception, at.exception
        return at
    return run


def sent(strokes, size=180, at=None):
    "Strokes as the pad sends them: in the unit of its side; `at` is the left and top of the unit square in pixels"
    middle = (np.min(np.concatenate(strokes), axis=0) + np.max(np.concatenate(strokes), axis=0)) / 2
    corner = 140 - middle * size if at is None else np.array(at)
    return [[((corner + size * np.array(point)) / 280).round(3).tolist() for point in stroke] for stroke in strokes]


def said(at):
    "All texts of a page"
    kinds = at.markdown, at.info, at.error, at.caption
    return '\n'.join([element.value for kind in kinds for element in kind] + bodies(at))


def bodies(at): return [block.proto.body for block in at.get('html')]


def headline(at): return next(m.value for m in at.markdown if 'All five' in m.value or 'disagree' in m.value)


def captions(at): return re.findall('<figcaption>(.*?)</figcaption>', '\n'.join(bodies(at)))


def choose(at, name, label):
    "Press one of several options"
    next(group for group in at.segmented_control if group.label == label).set_value(name).run()
    assert not at.exception, at.exception


def picture(image):
    "An array as a file: PNG"
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'png')
    return file.getvalue()


def test_the_pad_is_that_of_the_site():
    "If this fails, copy docs/play/pad.js to demo/pad.js"
    assert (DEMO/'pad.js').read_bytes() == (ROOT/'docs'/'play'/'pad.js').read_bytes()


def test_nothing_drawn(app):
    assert 'Draw one digit, anywhere' in said(app('draw.py'))


@pytest.mark.parametrize('drawing', [
    {'strokes': 'a line', 'pen': 20}, {'strokes': [[['left', 1]]], 'pen': 20}, {'strokes': [[[.1, .1]]]}, {}, None, 5,
    {'strokes': [[[math.nan, .1]]], 'pen': 20}, {'strokes': [[[.1, 1e300]]], 'pen': 20},
    {'strokes': [[[.1, .1]] * 100_000], 'pen': 20}, {'strokes': [[]], 'pen': 20}])
def test_what_no_pad_sends_is_no_drawing(demo, drawing):
    from pad import picture as drawn
    assert drawn(drawing) is None


def test_a_drawing_is_what_the_pad_shows(demo):
    from pad import picture as drawn
    strokes = sent(STROKES[5], 180, (70, 50))
    assert np.abs(drawn({'strokes': strokes, 'pen': 20}).astype(int) - draw(STROKES[5], at=(70, 50))).mean() < .5
    gone = drawn({'strokes': strokes + [[(.5, 1.2), (1.4, 1.4)]], 'pen': 20}) # a stroke that left the pad
    assert gone.shape == (280, 280, 4)


@pytest.mark.parametrize('digit', range(10))
def test_the_rungs_and_the_reader_for_drawings_answer(app, digit):
    at = app('draw.py', sent(STROKES[digit]))
    pixels = to_mnist(draw(STROKES[digit]))
    read = {name: load_pretrained(name).predict(pixels[None])[0] for name in PRETRAINED}
    assert {f'{d}' for d in read.values()} == set(headline(at).split('**')[1::2])
    assert 'What the models see' in said(at)


def test_a_disagreement_is_counted(demo):
    from draw import agreement
    assert agreement({'logistic': 5, 'numpy': 3, 'torch': 3, 'cnn': 5, 'drawn': 5}) == \
        'They disagree: three say **5**, two **3**.'
    assert agreement({'logistic': 8, 'numpy': 3, 'torch': 3}) == 'They disagree: two say **3**, one **8**.'
    assert agreement(dict.fromkeys(range(6), 2)) == 'All six read **2**.'


def test_each_reader_has_a_card_and_a_colour_of_its_own(app):
    at = app('draw.py', sent(STROKES[7]))
    cards = next(body for body in bodies(at) if 'class="verdicts"' in body).split('<section')[1:]
    names = [re.search('<strong>(.*?)</strong>', card)[1] for card in cards]
    assert names == list(PRETRAINED) == list(RUNG_COLORS)
    for name, card in zip(names, cards):
        p = load_pretrained(name).predict_proba(to_mnist(draw(STROKES[7]))[None])[0]
        assert f'class="digit">{p.argmax()}</div>' in card and card.count(f'background:{RUNG_COLORS[name]}') == 10
        likeliest = float(re.findall(r'([\d.]+)%</span>', card)[p.argmax()])
        assert abs(likeliest - 100 * p.max()) < 3 # the pad rounds its points


def test_a_model_of_the_visitor_stands_beside_the_others(app):
    at = app('draw.py', sent(STROKES[7]))
    at.session_state['mine'] = {'yours': load_pretrained('logistic')}
    at.run()
    assert not at.exception and 'All six' in said(at) and 'your settings' in said(at)


def test_a_visitor_learns_what_a_rung_is_and_how_good_each_is(app):
    for at in (app('draw.py'), app('draw.py', sent(STROKES[7]))):
        assert 'each is called a **rung**' in said(at) and '**drawn**, is no\nrung' in said(at)
        about = next(body for body in bodies(at) if 'class="readers"' in body)
        for name in PRETRAINED:
            with pretrained_file(name) as path: accuracy = float(read_rung_file(path)[1]['accuracy'])
            assert f'{accuracy:.2%}' in about
        pages = {re.sub(r'\d+_', '', path.relative_to(ROOT/'nbs').with_suffix('.html').as_posix())
                 for path in (ROOT/'nbs').rglob('*.ipynb')}
        links = re.findall('href="https://mnist-steps.github.io/mnist-steps/(.*?)"', about)
        assert len(links) == 5 and set(links) <= pages


@pytest.mark.parametrize('question', QUESTIONS)
def test_every_question(app, question):
    at = app('draw.py', sent(STROKES[5]))
    choose(at, question, 'Ask')
    assert at.markdown[0].value == headline(at) # the answer comes first
    for label in ('For which model?', 'Which net?'):
        if label not in [group.label for group in at.segmented_control]: continue
        for name in PRETRAINED: choose(at, name, label)


def test_what_matters_is_shown_for_every_reader(app, demo):
    from why import falls as every_second, over
    at = app('draw.py', sent(STROKES[5]))
    assert [caption.split(' reads ')[0] for caption in captions(at)[-5:]] == list(PRETRAINED)
    pixels = to_mnist(draw(STROKES[5]))
    falls = occlusion_map(load_pretrained('cnn'), pixels)
    assert np.allclose(every_second(load_pretrained('cnn'), pixels)[::2, ::2], falls[::2, ::2], atol=1e-3)
    red, _, blue = over(pixels, falls).astype(int).transpose(2, 0, 1)
    assert (red > blue)[falls > .2 * falls.max()].all() and (over(pixels, falls * 0)[0, 0] > 240).all()
    assert over(pixels, falls * 0)[pixels > 250].max() < over(pixels, falls * 0)[pixels == 0].min() # the ink shows


@pytest.mark.parametrize('digit', range(10))
def test_votes_add_up_to_the_answer(demo, digit):
    from why import scores
    model = load_pretrained('logistic')
    pixels = to_mnist(draw(STROKES[digit]))
    by_pixel, sums = scores(model, pixels)
    assert np.allclose(by_pixel.sum(axis=(1, 2)), sums[:, 0] + sums[:, 1], atol=1e-4)
    assert np.allclose(sums[:, :3].sum(axis=1), sums[:, 3])
    odds = np.exp(sums[:, 3] - sums[:, 3].max())
    assert np.allclose(odds / odds.sum(), model.predict_proba(pixels[None])[0], atol=1e-5)


def test_the_sums_on_the_page_add_up(app):
    at = app('draw.py', sent(STROKES[5]))
    choose(at, QUESTIONS[1], 'Ask')
    table = next(m.value for m in at.markdown if m.value.startswith('| digit |'))
    rows = [[float(number) for number in re.findall(r'[+-]\d+\.\d\d', line)] for line in table.splitlines()[2:]]
    assert len(rows) == 4 and all(abs(sum(row[:3]) - row[3]) < .016 for row in rows) # three roundings


@pytest.mark.parametrize('name', PRETRAINED)
def test_a_few_changes_make_it_another_digit(demo, name):
    from why import MOST_CHANGES, changed
    model = load_pretrained(name)
    reached = 0
    for digit in range(10):
        pixels = to_mnist(draw(STROKES[digit]))
        before = pixels.copy()
        column = model.predict_proba(pixels[None])[0].argsort()[-2]
        new, count, p = changed(model, pixels, column)
        assert (pixels == before).all() and 1 <= count <= MOST_CHANGES and (new != pixels).sum() <= 9 * count
        assert np.allclose(p, model.predict_proba(new[None])[0], atol=1e-5)
        assert p[column] > model.predict_proba(pixels[None])[0][column]
        reached += p.argmax() == column
    assert reached >= 7


def test_neighbours_are_counted(app):
    at = app('draw.py', sent(STROKES[1]))
    choose(at, QUESTIONS[3], 'Ask')
    text = next(m.value for m in at.markdown if 'nearest' in m.value)
    assert sum(map(int, re.findall(r'(\d+) (?:carry )?the label', text))) == 50
    assert captions(at)[-6:] == ['label 1'] * 6


@pytest.mark.parametrize('drawings', [[DOT], [DOT, DOT]], ids=['one', 'two'])
def test_dots_are_no_digit(app, drawings):
    places = (60, 60), (200, 200)
    at = app('draw.py', *[sent(dot, at=place) for dot, place in zip(drawings, places)])
    assert 'No digit yet' in said(at)


def test_a_digit_and_a_dot_is_a_digit(app):
    at = app('draw.py', sent(STROKES[7]), sent(DOT, at=(20, 260)))
    assert '**7**' in headline(at)


def test_several_digits_are_read_in_order(app):
    at = app('draw.py', sent(STROKES[7], 130, (160, 70)), sent(STROKES[1], 130, (30, 70)))
    assert '2 digits, from left to right' in said(at) and '**drawn** reads **17**' in said(at)
    assert [m.value.split('**')[1] for m in at.markdown if m.value.startswith('**')] == list(PRETRAINED)


def test_rows_are_read_one_by_one(app):
    rows = [(3, (100, 160)), (1, (40, 20)), (7, (160, 20))]
    at = app('draw.py', *[sent(STROKES[digit], 90, place) for digit, place in rows])
    assert '3 digits, in two rows' in said(at) and '**drawn** reads **17**, then **3**' in said(at)
    assert captions(at)[-3:] == ['1', '7', '3']


@pytest.mark.parametrize('boxes, rows', [
    ([(0, 0, 10, 10)], [[0]]),
    ([(20, 3, 30, 12), (0, 0, 10, 10)], [[1, 0]]),
    ([(0, 20, 10, 30), (0, 0, 10, 10), (20, 2, 30, 9)], [[1, 2], [0]]),
    ([(0, 0, 10, 30), (20, 2, 30, 12)], [[0, 1]])], ids=['one', 'a line', 'two lines', 'a tall and a small one'])
def test_boxes_in_rows(demo, boxes, rows):
    from draw import rows_of
    assert rows_of(boxes) == rows


def upload(app, name, content):
    at = app('draw.py')
    choose(at, 'Upload', 'Input')
    assert 'Choose a picture' in said(at) and 'Draw one digit' not in said(at)
    at.file_uploader[0].set_value((name, content, 'image/png')).run()
    assert not at.exception
    return at


@pytest.mark.parametrize('content, answer', [
    pytest.param(b'text', 'wrong.png can not be read: it holds text', id='text'),
    pytest.param(b'', 'is empty', id='empty'),
    pytest.param(bytes(range(256)), 'is not a picture in a known format', id='bytes'),
    pytest.param(picture(draw(STROKES[3]))[:300], 'can not be read', id='cut short')])
def test_a_file_that_can_not_be_read_says_why(app, content, answer):
    at = upload(app, 'wrong.png', content)
    assert answer in at.error[0].value and not at.get('image')


@pytest.mark.parametrize('image, answer', [
    pytest.param(draw(STROKES[3]), 'read **3**', id='a three'),
    pytest.param(BLANK, 'No digit yet: the picture is blank', id='a black picture'),
    pytest.param(np.maximum(draw(STROKES[1], 130, 14, (30, 70)), draw(STROKES[7], 130, 14, (160, 70))),
                 '2 digits, from left to right', id='two digits')])
def test_an_uploaded_picture_is_shown_with_the_answer(app, image, answer):
    at = upload(app, 'picture.png', picture(image))
    assert answer in said(at) and len(at.get('image')) == 1


def test_camera_has_words_of_its_own(app):
    at = app('draw.py')
    choose(at, 'Camera', 'Input')
    assert 'in front of the camera' in said(at) and 'Draw one digit' not in said(at)


def test_surprise_tells_the_label_after_the_guess(app):
    from mnist_steps.data import load_mnist
    at = app('draw.py')
    choose(at, 'Surprise me', 'Input')
    assert 'Which digit is this?' in said(at) and not [b for b in bodies(at) if 'class="verdicts"' in b]
    assert 'label says' not in said(at)
    label = load_mnist()[1].labels[at.session_state.surprise]
    wrong = (label + 1) % 10
    at.button(key=f'guess_{wrong}').click().run()
    assert not at.exception and f'You say **{wrong}**, the label says **{label}**' in said(at) and headline(at)
    next(b for b in at.button if b.label == 'Another digit').click().run()
    assert 'Which digit is this?' in said(at) and 'You say' not in said(at)
    label = load_mnist()[1].labels[at.session_state.surprise]
    at.button(key=f'guess_{label}').click().run()
    assert f'You say **{label}**, and so does the label' in said(at)


def test_workshop(app):
    at = app('workshop.py')
    assert 'press **Start**' in said(at)
    for rung in RUNGS:
        at.selectbox[0].set_value(rung).run()
        assert not at.exception


def test_train_and_stop(app):
    at = app('workshop.py')
    bench = sys.modules['visitors'].workshop().benches[at.session_state.bench]
    assert bench.name in at.query_params['bench']
    at.slider[0].set_value(1)
    at.button[0].click().run()
    training = bench.run.training
    training.wait(300)
    at.run()
    assert not at.exception and training.error is None
    assert 'of the test digits' in said(at) and training.model.epochs == 1
    assert '1 epoch, batches of 64 digits, learning rate 0.5' in said(at)
    at.button[0].click().run()
    at.button[1].click().run()
    assert not at.exception and not bench.running and [run.stopped for run in bench.runs] == [False, True]
    assert at.table[0].value.shape == (2, 5)
    again = AppTest.from_file(DEMO/'workshop.py', default_timeout=120) # another session, as after a reload
    again.query_params['bench'] = bench.name
    again.run()
    assert not again.exception and again.session_state.bench == bench.name and 'has learned' in said(again)


def test_quiz(app):
    at = app('quiz.py')
    asked = at.session_state.asked
    at.button(key='answer_7').click().run()
    assert not at.exception and 'You say **7**' in said(at) and at.session_state.answers == [(asked, 7)]
    next(b for b in at.button if b.label == 'Next').click().run()
    assert not at.exception and at.session_state.answer is None
    for rung in RUNGS: assert not at.segmented_control[0].set_value(rung).run().exception


@pytest.mark.parametrize('right', [True, False])
def test_quiz_says_right_and_wrong_in_colour_and_by_a_sign(app, right):
    at = app('quiz.py')
    label = int(load_mnist()[1].labels[at.session_state.asked])
    digit = label if right else (label + 1) % 10
    at.button(key=f'answer_{digit}').click().run()
    badge = ':green-badge[:material/check:' if right else ':red-badge[:material/close:'
    assert f'{badge} You say **{digit}**]' in said(at) and f'The label says **{label}**' in said(at)
    assert at.table[0].value.iloc[0, 0] == f'{right:d} of 1'
