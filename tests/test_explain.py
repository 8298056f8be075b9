"What the page on explanations can't show: every rung, a few classes, odd input, and what an app relies on."
import subprocess
import sys

import numpy as np
import pytest

from mnist_steps.cnn import ConvNet
from mnist_steps.data import Digits
from mnist_steps.explain import SURE, feature_maps, hidden_votes, is_sure, nearest, occlusion_map, template_votes
from mnist_steps.logistic import LogisticRegression
from mnist_steps.numpy_net import NumpyNet
from mnist_steps.torch_mlp import TorchMLP

MAKE = {
    'logistic': lambda: LogisticRegression(max_iter=500),
    'numpy': lambda: NumpyNet(hidden=16, epochs=3),
    'torch': lambda: TorchMLP(hidden=16, epochs=3),
    'cnn': lambda: ConvNet(channels=(4, 8, 8), epochs=4, batch_size=64, max_shift=0, device='cpu'),
}
EXPLAIN = {'template': template_votes, 'hidden': hidden_votes, 'maps': feature_maps, 'occlusion': occlusion_map}


@pytest.fixture(scope='module')
def rungs(digits):
    train, _ = digits
    return {name: make().fit(train) for name, make in MAKE.items()}


@pytest.fixture(scope='module')
def threes_and_eights(digits):
    train, _ = digits
    return train[np.isin(train.labels, [3, 8])]


@pytest.fixture(scope='module')
def two_classes(threes_and_eights):
    return {name: make().fit(threes_and_eights) for name, make in MAKE.items()}


def log_odds(model, picture, column):
    p = model.predict_proba(picture[None].reshape(1, 784)/np.float64(255))[0].astype(np.float64)
    return np.log(p[column]/np.delete(p, column).sum())


@pytest.mark.parametrize('trained', ['rungs', 'two_classes'])
@pytest.mark.parametrize('name', MAKE)
def test_occlusion_is_what_it_says(name, trained, request, digits):
    "Each value is the fall of the log-odds when that patch is erased, at the border too."
    model = request.getfixturevalue(trained)[name]
    picture = digits[1].images[0].copy()
    picture[0, 0] = picture[27, 27] = 255
    column = model.predict_proba(picture[None])[0].argmax()
    falls = occlusion_map(model, picture)
    assert falls.shape == (28, 28) and np.isfinite(falls).all()
    for row, col in [(0, 0), (27, 27), (2, 2), (14, 14), tuple(np.unravel_index(falls.argmax(), (28, 28)))]:
        erased = picture.copy()
        erased[max(row - 2, 0):row + 3, max(col - 2, 0):col + 3] = 0
        expected = log_odds(model, picture, column) - log_odds(model, erased, column)
        assert falls[row, col] == pytest.approx(expected, abs=2e-3)
    assert falls[0, 5] == 0 # only paper there


@pytest.mark.parametrize('name', MAKE)
def test_occlusion_of_extremes(name, rungs):
    "Nothing to erase, and everything."
    blank = np.zeros((28, 28), np.uint8)
    assert (occlusion_map(rungs[name], blank) == 0).all()
    full = occlusion_map(rungs[name], blank + 255, size=27)
    assert np.isfinite(full).all()


def test_occlusion_survives_certainty(two_classes, threes_and_eights):
    "Where a float32 probability is 1, falls are what they would be in exact arithmetic."
    picture = threes_and_eights.images[0]
    soft = two_classes['numpy']
    state = soft.get_state()
    for name in 'w2', 'b2': state[name] *= 40
    net = NumpyNet(hidden=16).set_state(state, soft.classes_, 784)
    assert net.predict_proba(picture[None]).max() == 1
    np.testing.assert_allclose(occlusion_map(net, picture), 40*occlusion_map(soft, picture), rtol=1e-3, atol=1e-3)


def test_two_class_logistic_survives_certainty(threes_and_eights):
    "scikit-learn computes the second probability as 1 - p."
    model = MAKE['logistic']().fit(threes_and_eights)
    picture = threes_and_eights.images[threes_and_eights.labels == 8][0]
    soft = occlusion_map(model, picture)
    factor = 24/log_odds(model, picture, 1)
    state = {name: factor*array for name, array in model.get_state().items()}
    model.set_state(state, model.classes_, 784)
    assert factor > 1 and model.predict_proba(picture[None].astype(np.float32).reshape(1, 784)/255).max() > 1 - 1e-7
    np.testing.assert_allclose(occlusion_map(model, picture), factor*soft, rtol=1e-3, atol=1e-3)


def test_explanations_leave_everything_as_it_was(rungs, digits):
    picture = digits[1].images[0].copy()
    before = {name: model.predict_proba(picture[None]) for name, model in rungs.items()}
    kept = picture.copy()
    rungs['cnn'].module_.train() # as after a training
    template_votes(rungs['logistic'], picture)[:] = 0
    for name in ('numpy', 'torch'): hidden_votes(rungs[name], picture)
    first = feature_maps(rungs['cnn'], picture)
    for name, model in rungs.items(): occlusion_map(model, picture)
    np.testing.assert_array_equal(picture, kept)
    np.testing.assert_array_equal(first, feature_maps(rungs['cnn'], picture))
    for name, model in rungs.items(): np.testing.assert_array_equal(model.predict_proba(picture[None]), before[name])


def test_read_only_and_strided_pictures(rungs, digits):
    images = digits[1].images # read-only
    strided = np.repeat(images[0], 2, axis=1)[:, ::2]
    for explain, name in ((template_votes, 'logistic'), (feature_maps, 'cnn'), (occlusion_map, 'torch')):
        np.testing.assert_array_equal(explain(rungs[name], images[0]), explain(rungs[name], strided))
    assert nearest(strided, digits[1])[0] == 0


def test_template_votes_of_two_classes(two_classes, digits):
    model = two_classes['logistic']
    picture = digits[1].images[0]
    votes = template_votes(model, picture)
    assert votes.shape == (2, 28, 28)
    np.testing.assert_allclose(votes[0], -votes[1], atol=1e-7)
    decision = log_odds(model, picture, 1)
    assert 2*votes[1].sum() + model.get_state()['intercept'][0] == pytest.approx(decision, abs=1e-4)


@pytest.mark.parametrize('name', ['numpy', 'torch'])
def test_hidden_votes_of_two_classes(name, two_classes, digits):
    model = two_classes[name]
    picture = digits[1].images[0]
    units = hidden_votes(model, picture, n=100)
    assert sorted(u.unit for u in units) == list(range(16))
    assert [u.vote for u in units] == sorted((u.vote for u in units), reverse=True)
    bias = next(array for key, array in model.get_state().items() if key in ('b2', 'output.bias'))
    column = model.predict_proba(picture[None])[0].argmax()
    logit = sum(u.vote for u in units) + bias[column] - bias.mean()
    assert 2*logit == pytest.approx(log_odds(model, picture, column), abs=1e-3)


def test_hidden_votes_of_a_sigmoid_net(digits):
    train, test = digits
    net = NumpyNet(hidden=8, activation='sigmoid', epochs=1).fit(train)
    units = hidden_votes(net, test.images[0], n=8)
    assert all(0 < u.activation < 1 for u in units)
    z = {u.unit: (u.weights*(test.images[0]/255)).sum() + net.params_['b1'][u.unit] for u in units}
    for u in units: assert u.activation == pytest.approx(1/(1 + np.exp(-z[u.unit])), abs=1e-5)


@pytest.mark.parametrize('block, shape', [(0, (4, 12, 12)), (1, (8, 5, 5)), (2, (8, 3, 3))])
def test_feature_maps_of_other_channels(block, shape, rungs, digits):
    maps = feature_maps(rungs['cnn'], digits[1].images[0], block)
    assert maps.shape == shape and maps.min() == 0 and maps.max() > 0


def test_a_net_hands_out_its_own_maps(rungs, digits):
    "For any digits that `predict` takes, and from the last maps follows the answer"
    net, test = rungs['cnn'], digits[1]
    last = net.feature_maps(test[:5], 2)
    assert last.shape == (5, 8, 3, 3) and last.dtype == np.float32
    for maps, picture in zip(last, test.images):
        np.testing.assert_allclose(maps, feature_maps(net, picture, 2), atol=1e-6)
    np.testing.assert_array_equal(net.feature_maps(test.images[:5].reshape(5, 784), 2), last)
    state = net.get_state()
    logits = last.reshape(5, -1) @ state['output.2.weight'].T + state['output.2.bias']
    np.testing.assert_array_equal(net.classes_[logits.argmax(axis=1)], net.predict(test[:5]))
    with pytest.raises(ValueError, match='block: expected an integer from 0 to 2'): net.feature_maps(test[:5], 3)
    with pytest.raises(ValueError): net.feature_maps(test.images[:5, 1:], 0)


@pytest.mark.parametrize('block', [-1, 3, .5, '0', None])
def test_feature_maps_of_no_block(block, rungs, digits):
    with pytest.raises(ValueError, match='block: expected an integer from 0 to 2'):
        feature_maps(rungs['cnn'], digits[1].images[0], block)


@pytest.mark.parametrize('bad', [
    np.zeros((28, 28)), np.zeros((28, 28), np.int64), np.zeros((28, 28), bool), np.zeros((1, 28, 28), np.uint8),
    np.zeros(784, np.uint8), np.zeros((8, 8), np.uint8), np.zeros((28, 28, 4), np.uint8), None, 'seven'],
    ids=lambda bad: f'{np.asarray(bad).dtype}{np.shape(bad)}')
def test_bad_pictures(bad, rungs, digits):
    words = r'picture: expected uint8 of shape \(28, 28\)'
    for explain, name in (
            (template_votes, 'logistic'), (hidden_votes, 'numpy'), (feature_maps, 'cnn'), (occlusion_map, 'torch')):
        with pytest.raises(ValueError, match=words): explain(rungs[name], bad)
    with pytest.raises(ValueError, match=words): nearest(bad, digits[0])


@pytest.mark.parametrize('function, fits', [
    ('template', {'logistic'}), ('hidden', {'numpy', 'torch'}), ('maps', {'cnn'}), ('occlusion', set(MAKE))])
@pytest.mark.parametrize('name', MAKE)
def test_which_function_explains_which_rung(function, fits, name, rungs, digits):
    explain = EXPLAIN[function]
    picture = digits[1].images[0]
    if name in fits: explain(rungs[name], picture)
    else:
        with pytest.raises(ValueError, match='model: expected .* trained on 28 x 28'): explain(rungs[name], picture)
    with pytest.raises(ValueError, match='Train it with fit first'): explain(MAKE[name](), picture)


@pytest.mark.parametrize('name', MAKE)
def test_rungs_of_another_size(name, digits):
    train, test = digits
    model = MAKE[name]().fit(train.images[:300, 2:26, 2:26], train.labels[:300])
    for explain in EXPLAIN.values():
        with pytest.raises(ValueError, match='28 x 28'): explain(model, test.images[0])


@pytest.mark.parametrize('size', [0, -1, 2, 28, 29, 2.5, '5', None])
def test_bad_patch(size, rungs, digits):
    with pytest.raises(ValueError, match='size: expected an odd number'):
        occlusion_map(rungs['numpy'], digits[1].images[0], size)


def test_nearest_is_exact(digits):
    train, test = digits
    for picture in test.images[:20]:
        squares = ((train.images.astype(np.int64) - picture)**2).sum(axis=(1, 2))
        np.testing.assert_array_equal(nearest(picture, train, n=10), squares.argsort(kind='stable')[:10])


def test_nearest_on_few_digits_and_many(digits):
    train, test = digits
    assert sorted(nearest(test.images[0], train[:3], n=5)) == [0, 1, 2]
    assert len(nearest(test.images[0], train[:0])) == 0
    images = np.concatenate([train.images, test.images, train.images]) # three chunks, the last one short
    many = Digits(images, np.zeros(2500, np.int64))
    assert list(nearest(train.images[7], many, n=2)) == [7, 1507]
    assert len(nearest(test.images[0], many, n=10_000)) == 2500


@pytest.mark.parametrize('n', [0, -3, 2.5, '5', None])
def test_bad_counts(n, rungs, digits):
    with pytest.raises(ValueError, match='n: expected'): nearest(digits[1].images[0], digits[0], n)
    with pytest.raises(ValueError, match='n: expected'): hidden_votes(rungs['numpy'], digits[1].images[0], n)


@pytest.mark.parametrize('bad', [
    np.zeros((5, 28, 28), np.uint8), None, Digits(np.zeros((3, 8, 8), np.uint8), np.arange(3))],
    ids=['array', 'None', 'small'])
def test_nearest_among_no_digits(bad, digits):
    with pytest.raises(ValueError, match='digits: expected Digits'): nearest(digits[1].images[0], bad)


def test_is_sure_keeps_the_shape():
    proba = np.array([[SURE, 1 - SURE], [.5, .5], [0, 1]])
    np.testing.assert_array_equal(is_sure(proba), [True, False, True])
    assert is_sure(proba).dtype == bool
    assert is_sure(proba[0]) is True and is_sure(proba[1].tolist()) is False
    assert is_sure(np.zeros((0, 10))).shape == (0,)


@pytest.mark.parametrize('bad', [.7, [.7], [], np.zeros((2, 2, 2)), [[.2, np.nan]], [-.1, 1.1], [5., -3.]])
def test_is_sure_of_no_probabilities(bad):
    with pytest.raises(ValueError, match='proba: expected'): is_sure(bad)


def test_import_is_light():
    "An app can import the module before it has loaded a framework."
    heavy = 'torch', 'sklearn', 'matplotlib', 'mnist_steps.ladder'
    code = f'import sys, mnist_steps.explain; print([name for name in {heavy} if name in sys.modules])'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
