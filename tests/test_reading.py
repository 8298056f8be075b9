"From any picture to a digit in one call: what is answered, what is refused, and how a reading shows itself."
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import mnist_steps as ms
from mnist_steps.canvas import STROKES, SeveralDigits, draw, steps, to_mnist
from mnist_steps.data import load_mnist
from mnist_steps.estimator import Classifier
from mnist_steps.explain import SURE
from mnist_steps.numpy_net import NumpyNet
from mnist_steps.reading import Reading, read, read_all, trained_rung
from mnist_steps.rungs import PRETRAINED, RungFileError, load_pretrained, save

THREE = draw(STROKES[3])
BLANK = np.zeros((280, 280, 4), np.uint8)
DIGITS = load_mnist()[1]


def number(digits, size=110, pen=14, width=130):
    "Digits side by side on one canvas."
    shape = 200, 20 + width*len(digits)
    return np.maximum.reduce([draw(STROKES[d], size, pen, (20+width*i, 40), shape) for i, d in enumerate(digits)])


def saved(picture, name='PNG'):
    file = io.BytesIO()
    picture.save(file, name)
    return file.getvalue()


def rung(probabilities, classes=range(10), n_features=784):
    "A trained rung that gives every digit these probabilities."
    model = Classifier()
    model.classes_ = np.array(list(classes))
    model.n_features_in_ = n_features
    model.predict_proba = lambda pictures: np.tile(probabilities, (len(pictures), 1))
    return model


def certain(digit, how=0.9):
    probabilities = np.full(10, (1-how)/9)
    probabilities[digit] = how
    return probabilities


# ---- one digit

@pytest.mark.parametrize('name', PRETRAINED)
def test_every_rung_of_the_package_reads(name):
    model = load_pretrained(name)
    for digit in (0, 3, 7):
        canvas = draw(STROKES[digit], 150, 18)
        reading = read(canvas, name)
        expected = model.predict_proba(to_mnist(canvas)[None])[0]
        assert np.allclose(reading.probabilities, expected, atol=1e-6)
        assert reading.digit == model.classes_[expected.argmax()]
        assert reading.sure == (expected.max() >= SURE)


def test_a_reading_is_complete():
    reading = read(THREE, 'numpy')
    assert isinstance(reading, Reading) and reading.digit == 3 and type(reading.digit) is int
    assert reading.probabilities.shape == (10,) and reading.probabilities.dtype == np.float32
    assert abs(reading.probabilities.sum() - 1) < 1e-5
    assert reading.pixels.shape == (28, 28) and reading.pixels.dtype == np.uint8
    assert type(reading.sure) is bool and reading.reason is None and reading.classes == tuple(range(10))
    wanted = steps(THREE)
    assert list(reading.steps) == list(wanted)
    assert all(np.array_equal(reading.steps[name], picture) for name, picture in wanted.items())
    assert np.array_equal(reading.pixels, wanted['centred'])
    left, top, right, bottom = reading.box
    assert reading.steps['cropped'].shape == (bottom-top, right-left)


def test_drawn_reads_if_no_other_is_named():
    expected = read(THREE, 'drawn').probabilities
    for reading in (read(THREE), read_all(THREE)[0], ms.read(THREE)):
        assert reading.digit == 3 and np.array_equal(reading.probabilities, expected)
    assert not np.allclose(read(THREE, 'cnn').probabilities, expected, atol=1e-3)


def test_the_front_counter_reads():
    assert ms.read(THREE, 'numpy').digit == 3
    assert [reading.digit for reading in ms.read_all(THREE, 'numpy')] == [3]


@pytest.mark.parametrize('how, sure', [(SURE-0.01, False), (SURE+0.01, True)])
def test_sure_is_what_doubt_says(how, sure):
    assert read(THREE, rung(certain(5, how))).sure is sure


def test_a_reading_is_frozen():
    with pytest.raises(AttributeError):
        read(THREE, 'numpy').digit = 4


GREY = THREE[..., 0]
FORMS = {
    'canvas': THREE,
    'rgb': THREE[..., :3],
    'grey': GREY,
    'bool': GREY > 127,
    'float': GREY/255,
    'int64': GREY.astype(int),
    'list': GREY.tolist(),
    'pillow': Image.fromarray(THREE),
    'bytes': saved(Image.fromarray(THREE)),
    'bytearray': bytearray(saved(Image.fromarray(GREY))),
    'file': io.BytesIO(saved(Image.fromarray(GREY))),
    'tensor': torch.tensor(GREY)[None]/255,
    'tensor with channels first': torch.tensor(THREE).permute(2, 0, 1),
    'dark on light': 255-GREY,
}


@pytest.mark.parametrize('form', FORMS)
def test_every_form_of_a_picture(form):
    reading = read(FORMS[form], 'numpy')
    assert reading.digit == 3 and reading.sure
    if form != 'bool': assert np.array_equal(reading.pixels, to_mnist(THREE))


def test_a_path(tmp_path):
    path = tmp_path/'three.png'
    path.write_bytes(saved(Image.fromarray(THREE)))
    for source in (path, str(path)):
        assert read(source, 'numpy').digit == 3
        assert [reading.digit for reading in read_all(source, 'numpy')] == [3]


def test_digits_of_the_test_set_are_read_as_the_rung_reads_them():
    few = DIGITS[:100]
    predicted = load_pretrained('numpy').predict(few.images)
    assert [read(image, 'numpy').digit for image in few.images] == predicted.tolist()
    assert read(DIGITS[0], 'numpy').digit == 7 # with its label


# ---- no digit, several digits

@pytest.mark.parametrize('empty, words', [
    (BLANK, 'blank'),
    (np.random.default_rng(0).random((200, 200)), 'draw a digit'),
    (draw([[(0.5, 0.5)]], pen=60), 'dot'),
], ids=['blank', 'noise', 'dot'])
def test_where_there_is_no_digit(empty, words):
    reading = read(empty, 'numpy')
    assert reading.digit is None and not reading.sure and words in reading.reason and reading.box is None
    for array, shape, dtype in ((reading.probabilities, (10,), np.float32), (reading.pixels, (28, 28), np.uint8)):
        assert array.shape == shape and array.dtype == dtype and not array.any()
    assert list(reading.steps) == ['grey'] and reading.steps['grey'].dtype == np.uint8
    assert read_all(empty, 'numpy') == []


@pytest.mark.parametrize('digits', [(4, 5), (1, 1, 1), (2, 0, 2, 6)])
def test_several_digits_are_read_from_left_to_right(digits):
    readings = read_all(number(digits))
    assert tuple(reading.digit for reading in readings) == digits
    assert [reading.box[0] for reading in readings] == sorted(reading.box[0] for reading in readings)
    for reading in readings: assert list(reading.steps) == ['grey', 'ink', 'cropped', 'scaled', 'centred']
    with pytest.raises(SeveralDigits, match=f'{len(digits)} digits.*read_all'):
        read(number(digits))


def test_several_digits_are_one_question_to_the_rung():
    calls = []
    def predict_proba(pictures):
        calls.append((pictures.shape, pictures.dtype))
        return np.tile(certain(1), (len(pictures), 1))
    model = rung(certain(1))
    model.predict_proba = predict_proba
    assert len(read_all(number((3, 1, 6)), model)) == 3
    assert calls == [((3, 28, 28), np.uint8)]


def test_a_dot_beside_a_digit_is_no_second_digit():
    both = np.maximum(draw(STROKES[3], 110, 14, (20, 40), (200, 300)), draw([[(0, 0)]], 1, 90, (220, 100), (200, 300)))
    reading, = read_all(both, 'numpy')
    again = read(both, 'numpy')
    assert again.digit == reading.digit and np.array_equal(again.pixels, reading.pixels) and again.box == reading.box


@pytest.mark.parametrize('bad, words', [
    (b'no picture', 'known format'),
    (saved(Image.fromarray(THREE))[:300], 'damaged'),
    (np.full((28, 28), 300), 'from 300 to 300'),
    (np.zeros(784), r'\(784,\)'),
    (None, 'not a picture'),
    ('/', 'is a folder'),
    (DIGITS[:1], 'pass one of them'),
    (DIGITS.images[0].reshape(1, 784), r'row\.reshape\(28, 28\)'),
    (DIGITS.images[:4], 'one picture'),
    (torch.tensor(DIGITS.images[:4]), '4 digits or the channels of one'),
    (DIGITS.images[0].astype(np.uint16), '16 bits up to 255'),
])
def test_bad_pictures_are_refused_in_words(bad, words):
    for f in (read, read_all):
        with pytest.raises(ValueError, match=words):
            f(bad, 'numpy')


def test_a_missing_picture_is_missing(tmp_path):
    for f in (read, read_all):
        with pytest.raises(FileNotFoundError):
            f(tmp_path/'nowhere.png', 'numpy')


# ---- rungs

@pytest.fixture
def small_rungs():
    "Two rungs of different sizes that have learned little"
    train = DIGITS[:300]
    return [NumpyNet(hidden=hidden, epochs=1, random_state=0).fit(train.images, train.labels) for hidden in (8, 16)]


def test_a_rung_of_your_own(small_rungs, tmp_path):
    model = small_rungs[0]
    save(model, tmp_path/'mine.safetensors')
    for source in (model, tmp_path/'mine.safetensors', str(tmp_path/'mine.safetensors')):
        assert np.allclose(read(THREE, source).probabilities, model.predict_proba(to_mnist(THREE)[None])[0], atol=1e-6)


def test_a_rung_is_loaded_once_and_again_when_its_file_has_changed(small_rungs, tmp_path):
    path = tmp_path/'mine.safetensors'
    for model in small_rungs:
        save(model, path)
        assert trained_rung(path) is trained_rung(path)
        assert trained_rung(path).hidden == model.hidden
    assert trained_rung('numpy') is trained_rung('numpy')


def test_a_name_means_the_rung_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path/'numpy').write_text('no rung')
    assert read(THREE, 'numpy').digit == 3
    with pytest.raises(RungFileError):
        read(THREE, './numpy')


def test_readers_in_threads_agree():
    trained_rung('numpy')
    with ThreadPoolExecutor(4) as pool: readings = list(pool.map(lambda _: read(THREE, 'numpy'), range(8)))
    assert all(np.array_equal(reading.probabilities, readings[0].probabilities) for reading in readings)


@pytest.mark.parametrize('bad, words', [
    ('cnnn', 'choose from logistic, numpy, torch, cnn, drawn'),
    ('cnn-pen', 'neither a file nor a rung'),
    ('', 'choose from'),
    (3, 'found int'),
    (None, 'found NoneType'),
    (NumpyNet, 'not trained'),
    (NumpyNet(), 'not trained'),
    (rung(certain(1), n_features=64), '64 pixels'),
    (DummyClassifier().fit(np.zeros((2, 784)), [0, 1]), 'found DummyClassifier, which is no rung'),
    (make_pipeline(MinMaxScaler(), DummyClassifier()).fit(np.zeros((2, 784)), [0, 1]), 'found Pipeline, which is no'),
])
def test_what_is_no_trained_rung_is_refused(bad, words):
    for f in (read, read_all):
        with pytest.raises(ValueError, match=words):
            f(THREE, bad)


def test_a_missing_rung_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='mnist-steps train'):
        read(THREE, tmp_path/'mine.safetensors')


def test_other_classes_keep_their_names():
    reading = read(THREE, rung([0.1, 0.7, 0.2], classes=[3, 5, 8]))
    assert reading.digit == 5 and reading.classes == (3, 5, 8) and reading.probabilities.shape == (3,)
    letter = read(THREE, rung([0.1, 0.9], classes=['<a>', '<b>']))
    assert letter.digit == '<b>' and '&lt;b&gt;' in letter._repr_html_() and '<b>' not in letter._repr_html_()


# ---- how it shows itself

class Page(HTMLParser):
    "What stands on a page: tags with their attributes, and text."
    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ('br', 'img'): self.open.append(tag)

    def handle_endtag(self, tag): assert self.open.pop() == tag
    def handle_data(self, data): self.text.append(data)


def test_it_is_one_line_of_text():
    assert repr(read(THREE, rung(certain(3)))) == 'Reading(3, 90.0%, sure)'
    assert repr(read(THREE, rung(certain(3, 0.5)))) == 'Reading(3, 50.0%, not sure)'
    assert repr(read(BLANK, rung(certain(3)))) == 'Reading(None: the picture is blank: draw a digit)'


def test_it_shows_picture_digit_and_bars():
    page = Page(read(THREE, rung(certain(3)))._repr_html_())
    assert not page.open
    (image,) = [attributes for tag, attributes in page.tags if tag == 'img']
    assert image['alt'] == '28 x 28 pixels, read as 3' and image['src'].startswith('data:image/png;base64,')
    assert '90.0%' in page.text and 'sure' in page.text and page.text.count('1.1%') == 9
    (bars,) = [attributes for tag, attributes in page.tags if attributes.get('role') == 'img']
    assert '3: 90%' in bars['aria-label']


def test_it_takes_its_colours_from_the_page():
    for picture in (THREE, BLANK):
        html = read(picture, rung(certain(3)))._repr_html_()
        page = Page(html)
        styles = ';'.join(attributes.get('style', '') for _, attributes in page.tags)
        assert ';color:' not in styles and 'background:white' not in styles # so dark pages stay readable


def test_a_blank_shows_its_reason_and_stays_small():
    page = Page(read(np.zeros((3000, 2000), np.uint8), rung(certain(3)))._repr_html_())
    assert any('blank' in text for text in page.text)
    assert sum(len(attributes.get('src', '')) for _, attributes in page.tags) < 20_000


def test_reading_without_torch():
    code = '''
import sys
import numpy as np
import mnist_steps as ms
import mnist_steps.reading
assert 'torch' not in sys.modules
ms.read(np.eye(28), 'numpy')
ms.read(np.eye(28), 'logistic')
assert 'torch' not in sys.modules
'''
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
