"The contract: refusals that change nothing, states that are copies, what a person may hand over."
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import tqdm.auto
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from mnist_steps.estimator import Flag, Number, OneOf, Seed, Whole, Wholes, progress
from mnist_steps.logistic import LogisticRegression
from mnist_steps.rungs import RUNGS

DENSE = ['logistic', 'numpy', 'torch']


def make(name, **params):
    "A rung that trains in a moment"
    quick = dict(max_iter=500) if name == 'logistic' else dict(epochs={'cnn': 4}.get(name, 2), batch_size=64)
    return RUNGS[name].make(**{**quick, 'random_state': 0, **params})


@pytest.fixture(scope='module')
def trained(digits):
    return {name: make(name).fit(digits[0]) for name in RUNGS}


def state_of(model):
    "Everything that a model has learned, as bytes"
    learned = {name: value for name, value in vars(model).items() if name.endswith('_') and name != 'module_'}
    return repr(learned), {name: array.tobytes() for name, array in model.get_state().items()}


# What a person may hand over

@pytest.mark.parametrize('name', RUNGS)
def test_a_data_frame_an_int64_array_and_a_tensor_are_read_like_bytes(trained, digits, name):
    "They were read as if 255 were 1, and a fifth of the answers was wrong."
    model = trained[name]
    rows = digits[1].images.reshape(len(digits[1]), -1)
    expected = model.predict_proba(rows)
    for X in (pd.DataFrame(rows), rows.astype(np.int64), torch.tensor(rows), rows.tolist(), np.asfortranarray(rows)):
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    again = clone(model).fit(pd.DataFrame(digits[0].images.reshape(len(digits[0]), -1)), digits[0].labels)
    np.testing.assert_array_equal(again.predict_proba(rows), expected)


@pytest.mark.parametrize('name', RUNGS)
def test_floats_in_any_order_of_memory(trained, digits, name):
    pixels = digits[1].pixels()[:50]
    expected = trained[name].predict_proba(pixels)
    backwards = pixels[::-1, ::-1].copy()[::-1, ::-1]
    frozen = pixels.copy()
    frozen.flags.writeable = False
    for X in (backwards, np.asfortranarray(pixels), frozen, pixels[None][0]):
        np.testing.assert_array_equal(trained[name].predict_proba(X), expected)


@pytest.mark.parametrize('name', RUNGS)
def test_pixels_from_0_to_255_as_floats_are_refused(trained, digits, name):
    images = digits[1].images.astype(np.float64)
    for X in (images, images.astype(np.float32), images[:1], pd.DataFrame(images.reshape(len(images), -1))):
        with pytest.raises(ValueError, match='reach up to 255'): trained[name].predict(X)


@pytest.mark.parametrize('name', RUNGS)
def test_huge_features_give_no_nan(trained, name):
    with pytest.raises(ValueError, match='1e.300'): trained[name].predict_proba(np.full((1, 784), 1e300))


@pytest.mark.parametrize('name', DENSE)
@pytest.mark.filterwarnings('ignore:overflow', 'ignore:invalid value')
def test_overflow_behind_a_scaler_is_said(digits, name):
    model = make(name, **({} if name == 'logistic' else dict(learning_rate=.01)))
    model.fit(digits[0].pixels() - .5, digits[0].labels)
    with pytest.raises(ValueError, match='no probabilities'): model.predict_proba(np.full((1, 784), 1.7e308))


@pytest.mark.parametrize('name', DENSE)
@pytest.mark.parametrize('scaler', [StandardScaler(), MinMaxScaler()])
def test_pipelines_with_a_scaler_keep_working(digits, name, scaler):
    train, test = digits
    model = make(name, **({} if name == 'logistic' else dict(learning_rate=.05, epochs=15)))
    pipeline = make_pipeline(scaler, model)
    rows = train.images.reshape(len(train), -1)
    pipeline.fit(rows, train.labels)
    assert pipeline.score(test.images.reshape(len(test), -1), test.labels) > .75
    assert len(pipeline.predict(test.images[:1].reshape(1, -1))) == 1


@pytest.mark.parametrize('name', RUNGS)
def test_digits_bring_their_labels(trained, digits, name):
    train, test = digits
    images, labels = train
    by_hand = make(name).fit(images, labels)
    assert state_of(by_hand)[1] == state_of(trained[name])[1]
    assert trained[name].score(test) == trained[name].score(test.images, test.labels)


@pytest.mark.parametrize('name', RUNGS)
def test_one_image_is_one_digit(trained, digits, name):
    test = digits[1]
    image, label = test[0]
    answers = [trained[name].predict(one) for one in (test[0], image, test.pixels()[0].reshape(28, 28), test[:1])]
    assert [answer.tolist() for answer in answers] == [answers[0].tolist()] * 4 and len(answers[0]) == 1


@pytest.mark.parametrize('name', RUNGS)
def test_validation_takes_digits_or_a_pair(digits, name):
    train, test = digits
    for validation in (test, (test.images, test.labels), tuple(test)):
        model = make(name).fit(train[:300], validation=validation)
        assert model.history_['valid_accuracy'][-1] == pytest.approx(model.score(test))


def test_sample_weights_count(digits):
    train, test = digits
    twice = np.where(train.labels == 8, 2, 1)
    pixels = train.pixels().astype(np.float64)
    weighted = LogisticRegression(tol=1e-7, max_iter=5000).fit(pixels, train.labels, sample_weight=twice)
    plain = LogisticRegression(tol=1e-7, max_iter=5000).fit(pixels.repeat(twice, axis=0), train.labels.repeat(twice))
    np.testing.assert_allclose(weighted.predict_proba(test), plain.predict_proba(test), atol=1e-4)


@pytest.mark.parametrize('how', [dict(progress=True), dict(on_epoch=progress)])
@pytest.mark.parametrize('name', DENSE)
def test_progress(digits, name, how, capsys):
    model = make(name).fit(digits[0][:100], **how)
    assert f'{model.planned_epochs}/{model.planned_epochs}' in capsys.readouterr().err


# Refusals change nothing

REFUSED = {
    'one class': lambda d: (d.images, np.zeros(len(d), int)),
    'NaN': lambda d: (np.full((len(d), 784), np.nan), d.labels),
    'too few labels': lambda d: (d.images, d.labels[1:]),
    'no ink': lambda d: (d.images.astype(int) * 2, d.labels),
    'other classes, no labels': lambda d: (d.images, None)}


@pytest.mark.parametrize('why', REFUSED)
@pytest.mark.parametrize('name', RUNGS)
def test_a_refused_fit_changes_nothing(trained, digits, name, why):
    model = trained[name]
    before = state_of(model)
    with pytest.raises(ValueError): model.fit(*REFUSED[why](digits[0][:50]))
    assert state_of(model) == before


@pytest.mark.parametrize('name', RUNGS)
def test_a_refused_validation_set_or_hyperparameter_changes_nothing(trained, digits, name):
    model = trained[name]
    before = state_of(model)
    for validation in (digits[1].images, (digits[1].images[:, :9], digits[1].labels), (digits[1].images, [1, 2])):
        with pytest.raises(ValueError): model.fit(digits[0][:50], validation=validation)
        assert state_of(model) == before
    spoilt = {'max_iter': 0} if name == 'logistic' else {'epochs': 0}
    kept = model.get_params()
    with pytest.raises(ValueError, match='out of bounds'): model.set_params(**spoilt).fit(digits[0][:50])
    model.set_params(**kept)
    assert state_of(model) == before


@pytest.mark.parametrize('name', RUNGS)
def test_a_fit_that_fails_on_the_way_changes_nothing(trained, digits, name):
    class Broken(Exception): pass
    def fail(*_): raise Broken
    before = state_of(trained[name])
    shifted = digits[0].labels[:100] + 5 # other classes than before
    with pytest.raises(Broken): trained[name].fit(digits[0].images[:100], shifted, on_epoch=fail)
    assert state_of(trained[name]) == before


@pytest.mark.parametrize('name', ['numpy', 'torch', 'cnn'])
def test_an_interrupted_training_keeps_what_it_has_learned(digits, name):
    def interrupt(epoch, *_):
        if epoch == 2: raise KeyboardInterrupt
    model = make(name, epochs=5)
    with pytest.raises(KeyboardInterrupt): model.fit(digits[0], on_epoch=interrupt)
    assert len(model.history_['loss']) == 2 and model.score(digits[1]) > .2


@pytest.mark.parametrize('name', RUNGS)
def test_a_second_fit_knows_nothing_of_the_first(digits, name):
    train = digits[0]
    two = train[train.labels < 2]
    again = make(name).fit(train[:300], validation=digits[1]).fit(two)
    fresh = make(name).fit(two)
    assert state_of(again)[1] == state_of(fresh)[1]
    assert set(again.history_) == {'loss', 'seconds'} and again.classes_.tolist() == [0, 1]


# States

@pytest.mark.parametrize('name', RUNGS)
def test_a_state_is_a_copy(trained, digits, name):
    expected = trained[name].predict_proba(digits[1])
    for array in trained[name].get_state().values(): array[...] = 0
    np.testing.assert_array_equal(trained[name].predict_proba(digits[1]), expected)


@pytest.mark.parametrize('name', RUNGS)
def test_a_state_moves_to_another_estimator(trained, digits, name):
    model = trained[name]
    arrays = model.get_state()
    other = clone(model).set_state(arrays, model.classes_, model.n_features_in_, model.scale_)
    for array in arrays.values(): array[...] = 0 # it took copies
    np.testing.assert_array_equal(other.predict_proba(digits[1]), model.predict_proba(digits[1]))
    with pytest.raises(ValueError, match='reach up to 255'): other.predict(digits[1].images.astype(float))


@pytest.mark.parametrize('name', RUNGS)
def test_state_shapes_are_those_of_the_state(trained, name):
    model = trained[name]
    shapes = {key: (array.shape, array.dtype.kind) for key, array in model.get_state().items()}
    assert shapes == {key: (tuple(s), kind) for key, (s, kind) in model.state_shapes(784, 10).items()}


@pytest.mark.parametrize('name', RUNGS)
def test_a_state_that_does_not_fit_changes_nothing(trained, name):
    model = trained[name]
    before = state_of(model)
    arrays = model.get_state()
    first = next(iter(arrays))
    for wrong in ({}, arrays | {'more': np.zeros(3)}, arrays | {first: arrays[first][:-1]},
                  arrays | {first: np.zeros(arrays[first].shape, 'U1')}):
        with pytest.raises(ValueError): model.set_state(wrong, np.arange(10), 784)
    with pytest.raises(ValueError): model.set_state(arrays, np.arange(9), 784)
    with pytest.raises(ValueError): model.set_state(arrays, np.arange(10), 676)
    assert state_of(model) == before


# Rules

@pytest.mark.parametrize('rule, good, bad', [
    (Whole(1), [1, np.int64(3), 10**400], [0, 1.0, True, np.True_, '1', None]),
    (Whole(1, 4), [3], [4]),
    (Number(0), [0, .5, np.float32(1)], [-1, np.nan, np.inf, True, '0', None]),
    (Number(0, 1), [0], [1]),
    (Number(0, above=True), [1e-9], [0, 0.]),
    (OneOf('a', 'b'), ['a', np.str_('b')], ['c', 1, None, ['a']]),
    (Flag(), [True, np.False_], ['no', 0, 1, None]),
    (Wholes(1), [(1, 2), [3], (np.int64(4),)], [3, (), [], (0,), (1.5,), 'ab', None]),
    (Seed(), [0, None, np.random.default_rng(0)], [-1, 1.5, 'x'])])
def test_rules(rule, good, bad):
    assert [rule(value) for value in good] == [None] * len(good)
    assert all(isinstance(rule(value), str) for value in bad)


CHOICES = {
    'numpy': [('decay', 'no'), ('activation', 'step'), ('hidden', 2.), ('distortion', -1), ('random_state', -1)],
    'torch': [('hidden', 0), ('device', 'x'), ('random_state', 'x')],
    'cnn': [('lean', 'no'), ('channels', 3), ('channels', []), ('channels', (0,)), ('handwriting', 1), ('warp', 2),
            ('test_shifts', 'x'), ('max_shift', -1), ('device', 'x')],
    'logistic': [('C', 0), ('tol', -1), ('max_iter', 1.5)]}


@pytest.mark.parametrize('name, param, value', [(name, *pair) for name, pairs in CHOICES.items() for pair in pairs])
def test_choices_are_checked_like_bounds(digits, name, param, value):
    with pytest.raises(ValueError, match=param): make(name, **{param: value}).fit(digits[0][:50])


@pytest.mark.parametrize('name', RUNGS)
def test_shows_itself(trained, name):
    assert type(trained[name]).__name__ in repr(trained[name])
    assert type(trained[name]).__name__ in trained[name]._repr_html_()


@pytest.mark.parametrize('name', RUNGS)
def test_feature_names_are_remembered(digits, name):
    columns = [f'pixel{i}' for i in range(784)]
    frame = pd.DataFrame(digits[0].images.reshape(len(digits[0]), -1), columns=columns)
    model = make(name).fit(frame, digits[0].labels)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        model.predict(frame)
    with pytest.raises(ValueError, match='feature names'): model.predict(frame[columns[::-1]])


def test_plain_params_are_numbers_of_pythons_own():
    "Sums of NumPy's small integers overflow: 100 hidden units as uint8 made a file that nobody could load."
    model = RUNGS['numpy'].make(hidden=np.uint8(100), learning_rate=np.float32(.5), decay=np.True_)
    params = model.plain_params()
    assert (type(params.hidden), type(params.learning_rate), type(params.decay)) == (int, float, bool)
    assert params.hidden == 100 and params.activation == 'relu'
    assert type(model.get_params()['hidden']) is np.uint8 # what somebody gave stays theirs
    channels = RUNGS['cnn'].make(channels=(np.uint8(16), np.int64(32))).plain_params().channels
    assert channels == (16, 32) and {type(channel) for channel in channels} == {int}


# Bad labels, listeners and validation sets are found before the first epoch

LABELS = {
    'numbers and text': lambda y: [*y[:-1], 'one'],
    'text and None': lambda y: [None, *map(str, y[1:])],
    'text and NaN': lambda y: np.array([np.nan, *map(str, y[1:])], object),
    'missing': lambda y: pd.Series(y).astype('Int64').mask(y == 3),
    'text and missing': lambda y: pd.Series(y.astype(str)).mask(y == 3),
    'masked': lambda y: np.ma.masked_equal(y, 3),
    'a generator': lambda y: (label for label in y)}


@pytest.mark.parametrize('what', LABELS)
def test_mixed_labels_are_refused_in_words(trained, digits, what):
    few = digits[0][:100]
    model = trained['logistic']
    before = state_of(model)
    words = 'y: expected|masked values|contains NaN'
    with pytest.raises(ValueError, match=words): model.fit(few.images, LABELS[what](few.labels))
    with pytest.raises(ValueError, match=words): model.score(few.images, LABELS[what](few.labels))
    assert state_of(model) == before


@pytest.mark.parametrize('name', RUNGS)
def test_labels_in_any_container_and_byte_order(trained, digits, name):
    images, labels = digits[0]
    expected = trained[name].get_state()
    model = make(name).fit(images, labels.astype('>i4'))
    assert model.classes_.dtype.isnative
    assert all(np.array_equal(array, expected[key]) for key, array in model.get_state().items())
    for text in (labels.astype(str), labels.astype(str).astype(object), pd.Series(labels.astype(str))):
        assert make('logistic').fit(images, text).classes_.dtype.kind == 'U'


def test_handwriting_takes_labels_in_any_byte_order(digits):
    few = digits[0][:128]
    options = dict(epochs=1, handwriting=True, lean=False, channels=(4, 4))
    expected = make('cnn', **options).fit(few).get_state()
    state = make('cnn', **options).fit(few.images, few.labels.astype('>i8')).get_state()
    assert all(np.array_equal(array, expected[key]) for key, array in state.items())


@pytest.mark.parametrize('name', RUNGS)
def test_a_list_of_digits_brings_its_labels(trained, digits, name):
    train, test = digits
    listed = [train[i] for i in range(len(train))]
    model = make(name).fit(listed, validation=[test[i] for i in range(len(test))])
    assert state_of(model)[1] == state_of(trained[name])[1]
    assert model.history_['valid_accuracy'][-1] == pytest.approx(model.score(test))
    assert model.score(listed[:50]) == model.score(train[:50])
    assert model.score(test[0]) in (0, 1)


def test_missing_labels_are_missed_by_the_method_that_needs_them(trained, digits):
    images, labels = digits[0][:50]
    model = trained['numpy']
    with pytest.raises(ValueError, match='fit requires y'): model.fit(images)
    with pytest.raises(ValueError, match='score requires y'): model.score(images)
    with pytest.raises(ValueError, match='validation requires y'): model.fit(images, labels, validation=(images, None))
    for method in (model.fit, model.score):
        with pytest.raises(ValueError, match='images and labels as two arguments'): method((images, labels))
    for method in (model.predict, model.predict_proba):
        with pytest.raises(ValueError, match='Pass one of them'): method(digits)


VALIDATION = {
    'text': lambda y: y.astype(str),
    'NaN': lambda y: np.where(y == 3, np.nan, y),
    'no classes': lambda y: y + .5,
    'a mixture': lambda y: [*y[:-1], None]}


@pytest.mark.parametrize('what', VALIDATION)
@pytest.mark.parametrize('name', DENSE)
def test_validation_labels_that_can_not_match_are_refused_before_the_first_epoch(trained, digits, name, what):
    train, test = digits
    epochs = []
    before = state_of(trained[name])
    with pytest.raises(ValueError):
        trained[name].fit(
            train, validation=(test.images, VALIDATION[what](test.labels)), on_epoch=lambda *a: epochs.append(a))
    assert epochs == [] and state_of(trained[name]) == before
    words = train.labels.astype(str)
    with pytest.raises(ValueError, match='like those of the training'):
        trained[name].fit(train.images, words, validation=test, on_epoch=lambda *a: epochs.append(a))
    assert epochs == []


@pytest.mark.parametrize('on_epoch', [5, 'bar', True])
def test_a_listener_that_nobody_can_call_is_refused_before_the_first_epoch(digits, monkeypatch, on_epoch):
    model = make('numpy')
    monkeypatch.setattr(model, '_fit', lambda *_: pytest.fail('it has trained'), raising=True)
    with pytest.raises(TypeError, match='on_epoch: expected a function'): model.fit(digits[0][:50], on_epoch=on_epoch)


@pytest.mark.parametrize('answer, epochs', [
    (None, 3), (False, 3), (np.False_, 3), (np.ones(2), 3), ([], 3), ('go on', 3), (True, 1), (np.True_, 1)])
def test_only_true_stops(digits, answer, epochs):
    "An array as the answer was an error after the first epoch."
    model = make('numpy', epochs=3).fit(digits[0][:50], on_epoch=lambda *_: answer)
    assert len(model.history_['loss']) == epochs


@pytest.mark.parametrize('epochs', ['5', -1, 0, None])
def test_a_bar_is_made_after_all_checks(digits, epochs, capsys):
    model = make('numpy', epochs=epochs)
    for how in (dict(progress=True), dict(on_epoch=progress)):
        with pytest.raises(ValueError, match='epochs=.* out of bounds'): model.fit(digits[0][:50], **how)
    with pytest.raises(ValueError, match='validation'): make('numpy').fit(digits[0][:50], validation=5, progress=True)
    assert capsys.readouterr().err == ''


@pytest.mark.parametrize('fails', [True, False])
def test_a_bar_is_closed_whatever_happens(digits, monkeypatch, fails):
    bars = []
    class Kept(tqdm.auto.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            bars.append(self)
    monkeypatch.setattr(tqdm.auto, 'tqdm', Kept)
    def stop(*_):
        if fails: raise RuntimeError('enough')
        return True
    try: make('numpy', epochs=9).fit(digits[0][:50], on_epoch=stop, progress=True)
    except RuntimeError: assert fails
    assert bars and all(bar.disable for bar in bars) # as tqdm marks a bar that has been closed


@pytest.mark.parametrize('weights, words', [
    (2., 'found shape'), (np.ones(49), 'found shape'), (np.ones((50, 1)), 'found shape'),
    (-np.ones(50), 'at least 0'), (np.full(50, np.nan), 'finite'), (np.full(50, np.inf), 'finite'),
    (np.zeros(50), 'all are zero'), (['1'] * 50, 'numbers')])
def test_sample_weights_that_make_no_sense_are_refused_in_words(trained, digits, weights, words):
    before = state_of(trained['logistic'])
    with pytest.raises(ValueError, match=f'sample_weight: .*{words}'):
        trained['logistic'].fit(digits[0][:50], sample_weight=weights)
    assert state_of(trained['logistic']) == before


def test_sample_weights_in_any_container(digits):
    train = digits[0][:200]
    weights = 1 + np.arange(200) % 3
    expected = LogisticRegression().fit(train, sample_weight=weights).get_state()
    for same in (weights.tolist(), pd.Series(weights), torch.tensor(weights)):
        state = LogisticRegression().fit(train, sample_weight=same).get_state()
        assert all(np.array_equal(array, expected[key]) for key, array in state.items())


@pytest.mark.parametrize('name', DENSE)
def test_only_a_square_image_is_one_digit(trained, digits, name):
    with pytest.raises(ValueError, match='expecting 784 features'):
        trained[name].predict(digits[1].images[0].reshape(7, 112))
