"The contract that all rungs keep: scikit-learn's own checks, every form of input, every kind of bad input."
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn import linear_model
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from threadpoolctl import threadpool_info, threadpool_limits

from mnist_steps.cnn import CNN, ConvNet, last_side
from mnist_steps.inputs import as_rows
from mnist_steps.numpy_net import NumpyNet
from mnist_steps.rungs import RUNGS
from mnist_steps.torch_augment import random_shift
from mnist_steps.torch_mlp import TorchMLP

NETS = [NumpyNet, TorchMLP, ConvNet]


def make(name):
    "A rung that trains in a moment"
    quick = dict(max_iter=500) if name == 'logistic' else dict(epochs={'cnn': 8}.get(name, 2), batch_size=64)
    return RUNGS[name].make(random_state=0, **quick)


@pytest.fixture(scope='module')
def trained(digits):
    train, _ = digits
    return {name: make(name).fit(train.images, train.labels) for name in RUNGS}


CHECKS = """
import importlib, json, sys, warnings
from sklearn.utils.estimator_checks import check_estimator
warnings.simplefilter('ignore')
module, name = sys.argv[1:]
results = check_estimator(getattr(importlib.import_module(module), name)(), on_fail=None)
print(json.dumps([(r['check_name'], r['status'], str(r['exception'])) for r in results]))
"""


@pytest.mark.parametrize('name', ['logistic', 'numpy', 'torch'])
def test_scikit_learn_checks(name):
    """Every check of scikit-learn passes, and none is skipped: one needs SCIPY_ARRAY_API=1 when the process starts.
    (The convolutional net takes square images only, so it can't be shown the checks' tables of five columns.)"""
    rung = RUNGS[name]
    done = subprocess.run(
        [sys.executable, '-c', CHECKS, rung.module, rung.factory], env=os.environ | {'SCIPY_ARRAY_API': '1'},
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [result for result in results if result[1] != 'passed'] == []
    assert len(results) > 40


@pytest.mark.parametrize('name', RUNGS)
def test_every_rung_is_an_estimator_of_scikit_learn(name):
    model = make(name)
    assert isinstance(model, ClassifierMixin) and isinstance(model, BaseEstimator)


@pytest.mark.parametrize('name', RUNGS)
def test_every_form_of_input_is_the_same_digits(trained, digits, name):
    images, pixels = digits[1].images[:20], digits[1].pixels()[:20]
    expected = trained[name].predict_proba(images)
    assert expected.shape == (20, 10) and np.allclose(expected.sum(axis=1), 1, atol=1e-5)
    for X in (images.tolist(), images.astype(np.int64), images.reshape(20, -1), pixels, pixels.tolist(),
              pixels.reshape(20, 28, 28), pixels.astype(np.float64)):
        assert np.allclose(trained[name].predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize('name', RUNGS)
def test_learns_real_digits(trained, digits, name):
    assert trained[name].score(digits[1].images, digits[1].labels) > .75
    assert trained[name].n_features_in_ == 784
    assert trained[name].classes_.tolist() == list(range(10))


@pytest.mark.parametrize('name', RUNGS)
@pytest.mark.parametrize('spoil, message', [
    (lambda x, y: (x[:, :14].reshape(-1)[:100], y), r'1D array|2D array'),
    (lambda x, y: (np.where(np.eye(len(x), 784), np.nan, 0.), y), 'NaN'),
    (lambda x, y: (np.full((len(x), 784), np.inf), y), 'infinity'),
    (lambda x, y: (x, y[:-1]), 'inconsistent numbers of samples'),
    (lambda x, y: (x, y + .5), 'Unknown label type'),
    (lambda x, y: (x, np.where(y == 0, np.nan, y)), 'NaN'),
    (lambda x, y: (x, np.zeros_like(y)), r'one class|2 classes'),
    (lambda x, y: (x[:0], y[:0]), r'0 sample'),
    (lambda x, y: (x.astype(int) + 1000, y), 'from 0 to 255'),
    (lambda x, y: (np.array([['a'] * 784] * len(x)), y), r'convert|dtype'),
    (lambda x, y: (x[None], y), r'dim|expected'),
    (lambda x, y: ([[0.] * 784, [0.] * 783], [0, 1]), 'inhomogeneous'),
], ids=['flat', 'NaN', 'infinity', 'lengths', 'continuous labels', 'NaN label', 'one class', 'empty', 'not ink', 'text',
        '4-D', 'ragged'])
def test_bad_training_data(digits, name, spoil, message):
    train = digits[0][:100]
    with pytest.raises(ValueError, match=message): make(name).fit(*spoil(train.images, train.labels))


@pytest.mark.parametrize('name', RUNGS)
def test_bad_input_to_a_trained_rung(trained, digits, name):
    with pytest.raises(ValueError, match='expecting 784 features'): trained[name].predict(digits[1].images[:5, :14])
    with pytest.raises(ValueError, match='NaN'): trained[name].predict_proba(np.full((1, 784), np.nan))
    with pytest.raises(NotFittedError): make(name).predict(digits[1].images)


@pytest.mark.parametrize('name', RUNGS)
def test_classes_may_have_any_names(digits, name):
    train = digits[0]
    words = np.array('zero one two three four five six seven eight nine'.split())[train.labels]
    model = make(name).fit(train.images, words)
    assert set(model.predict(train.images[:50])) <= set(words)
    assert model.score(train.images, words) > .75


@pytest.mark.parametrize('name', RUNGS)
def test_random_state_fixes_everything(trained, digits, name):
    train, test = digits
    again = clone(trained[name]).fit(train.images, train.labels)
    assert np.array_equal(again.predict_proba(test.images), trained[name].predict_proba(test.images))


@pytest.mark.parametrize('Net', NETS)
def test_random_state_none_differs_from_run_to_run(digits, Net):
    train = digits[0][:200]
    a, b = (Net(epochs=1, random_state=None).fit(train).predict_proba(train) for _ in range(2))
    assert not np.allclose(a, b)


@pytest.mark.parametrize('Net', NETS)
@pytest.mark.parametrize('name, value', [
    ('epochs', 0), ('epochs', 1.5), ('epochs', True), ('batch_size', 0), ('learning_rate', -1),
    ('learning_rate', np.nan),
    ('dropout', 1), ('label_smoothing', 1.), ('weight_decay', '1')])
def test_hyperparameters_out_of_bounds(digits, Net, name, value):
    with pytest.raises(ValueError, match=f'{name}=.* is out of bounds'): Net(**{name: value}).fit(digits[0])


def test_unknown_choices():
    x, y = np.zeros((10, 784)), np.arange(10)
    with pytest.raises(ValueError, match='choose from relu, sigmoid'): NumpyNet(activation='step').fit(x, y)
    with pytest.raises(ValueError, match='choose from default, regularised'): NumpyNet.recipe('best')
    with pytest.raises(ValueError, match='square images'): ConvNet().fit(x[:, :700], y)
    with pytest.raises(ValueError, match='at least 23 x 23'): ConvNet().fit(x[:, :49], y)


@pytest.mark.parametrize('Net', NETS)
def test_callback_sees_every_epoch_and_can_stop(digits, Net):
    train = digits[0]
    seen = []
    net = Net(epochs=5)
    def on_epoch(epoch, loss, seconds, estimator):
        seen.append((epoch, loss))
        assert estimator is net and 0 <= estimator.score(train.images[:50], train.labels[:50]) <= 1
        return epoch == 3
    net.fit(train, on_epoch=on_epoch, validation=train[:50])
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert net.history_['loss'] == [loss for _, loss in seen]
    assert len(net.history_['valid_accuracy']) == len(net.history_['seconds']) == 3


@pytest.mark.parametrize('Net', [NumpyNet, TorchMLP])
@pytest.mark.filterwarnings('ignore:overflow', 'ignore:invalid value')
def test_a_diverging_training_stops_and_says_so(digits, Net):
    train = digits[0]
    with pytest.warns(RuntimeWarning, match='lower learning rate'):
        net = Net(learning_rate=1e30).fit(train.pixels(), train.labels)
    assert len(net.history_['loss']) == 1


def test_twins_with_every_knob_turned(digits):
    train = digits[0]
    knobs = dict(
        hidden=30, epochs=3, batch_size=48, learning_rate=.05, momentum=.9, weight_decay=1e-3, label_smoothing=.1,
        random_state=5)
    x = train.pixels().astype(np.float64)
    a, b = (Net(**knobs).fit(x, train.labels) for Net in (NumpyNet, TorchMLP))
    assert np.allclose(a.history_['loss'], b.history_['loss'], rtol=1e-12, atol=0)
    assert np.allclose(a.predict_proba(x), b.predict_proba(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize('Net', [NumpyNet, TorchMLP])
def test_works_inside_scikit_learn(digits, Net):
    train = digits[0]
    assert cross_val_score(Net(epochs=3), train.images, train.labels, cv=3).mean() > .7
    search = GridSearchCV(Net(epochs=2), {'hidden': [1, 64]}, cv=2).fit(train.pixels(), train.labels)
    assert search.best_params_ == {'hidden': 64}


def test_training_leaves_threads_and_random_numbers_as_they_were(digits):
    train = digits[0][:200]
    torch.set_num_threads(2)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with threadpool_limits(2):
        before = [pool['num_threads'] for pool in threadpool_info()]
        for Net in NETS: Net(epochs=1, dropout=.1).fit(train.images, train.labels)
        assert [pool['num_threads'] for pool in threadpool_info()] == before
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.rand(3), expected)


def test_logistic_regression_fits_on_one_thread(digits, monkeypatch):
    threads = []
    fit = linear_model.LogisticRegression.fit
    def count(model, X, y, sample_weight=None):
        threads.append({pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'})
        return fit(model, X, y, sample_weight)
    monkeypatch.setattr(linear_model.LogisticRegression, 'fit', count)
    with threadpool_limits(2, user_api='blas'):
        RUNGS['logistic'].make().fit(digits[0])
        assert {pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'} == {2}
    assert threads == [{1}]


@pytest.mark.parametrize('size', [1, 3, 64, 65, 129])
def test_convnet_takes_any_number_of_digits(digits, size):
    train = digits[0]
    y = np.arange(size + 1) % 2
    net = ConvNet(epochs=1, batch_size=64).fit(train.images[:size + 1], y)
    assert net.predict(train.images[:1]).shape == (1,)


def test_convnet_takes_other_sizes():
    rng = np.random.default_rng(0)
    for lean, sides in ((True, (23, 24, 32)), (False, (16, 17, 32))):
        for side in sides:
            images = rng.integers(0, 256, (33, side, side)).astype(np.uint8)
            net = ConvNet(epochs=1, batch_size=16, lean=lean).fit(images, np.arange(33) % 3)
            assert net.predict_proba(np.zeros((2, side, side), np.uint8)).shape == (2, 3)


@pytest.mark.parametrize('channels', [(4,), (4, 8), (4, 8, 8), (2, 4, 4, 8)])
@pytest.mark.parametrize('lean', [True, False])
def test_last_side_is_that_of_the_maps(channels, lean):
    for side in (40, 57):
        maps = CNN(side, channels, lean=lean).blocks(torch.zeros(2, 1, side, side))
        end = last_side(side, len(channels), lean)
        assert maps.shape == (2, channels[-1], end, end)


def test_test_shifts_answer_with_the_mean(digits):
    train, test = digits
    net = ConvNet(channels=(4, 8, 8), epochs=2, batch_size=64).fit(train)
    images = test.images[:20]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    steps = [(axis, step) for axis in (1, 2) for step in (-1, 1)]
    moved = [images, *(np.roll(padded, step, axis)[:, 1:-1, 1:-1] for axis, step in steps)]
    expected = np.mean([net.predict_proba(x) for x in moved], axis=0)
    assert not np.allclose(net.predict_proba(images), expected, atol=1e-4)
    np.testing.assert_allclose(net.set_params(test_shifts=1).predict_proba(images), expected, atol=1e-6)
    with pytest.raises(ValueError, match='test_shifts=-1 is out of bounds'): net.set_params(test_shifts=-1).fit(train)


def test_warped_digits_train_reproducibly(digits):
    train, test = digits
    def answers(seed):
        net = ConvNet.recipe('record', channels=(4, 8, 8), epochs=1, random_state=seed)
        return net.fit(train).predict_proba(test[:9])
    first, again, other = answers(0), answers(0), answers(1)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_random_shift_moves_and_never_mixes():
    images = torch.zeros(50, 2, 9, 9)
    images[:, :, 4, 4] = torch.arange(1, 101).reshape(50, 2).float()
    moved = random_shift(images, 2, np.random.default_rng(0))
    assert torch.equal(moved.sum(dim=(2, 3)), images.sum(dim=(2, 3)))
    places = {tuple(image[0].nonzero()[0].tolist()) for image in moved}
    assert len(places) > 15 and all(2 <= i <= 6 for place in places for i in place)
    assert torch.equal(random_shift(images, 0, np.random.default_rng(0)), images)


def test_as_rows_never_changes_its_input(digits):
    images = digits[0].images[:5].copy()
    as_rows(images)[:] = 0
    assert images.max() == 255
