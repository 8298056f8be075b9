"The net by hand: hyperparameters, state, any input, and several trainings at once."
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mnist_steps.data import Batches, one_hot
from mnist_steps.numpy_net import ACTIVATIONS, NumpyNet, init_params, train
from mnist_steps.rungs import load, save

PATIENCE = 60 # seconds until a test that waits in vain gives up


@pytest.fixture(scope='module')
def few(digits):
    "200 digits"
    return digits[0][:200]


@pytest.fixture(scope='module')
def trained(few):
    return NumpyNet(hidden=16, epochs=2).fit(few.images, few.labels)


def same(a, b):
    "Are two states equal, bit by bit?"
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def blas_threads():
    return {pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'}


def test_arguments_are_named():
    params = init_params(4, 3, 2, np.random.default_rng(0))
    with pytest.raises(TypeError, match='positional'): NumpyNet(128)
    with pytest.raises(TypeError, match='positional'): train(params, np.eye(4), np.eye(4), Batches(4, 2), 5)


@pytest.mark.parametrize('name, values, allowed', [
    ('decay', ['no', 'yes', 0, 1, None], 'give True or False'),
    ('activation', ['step', 'ReLU', '', None, 1, ['relu'], np.array(['relu'])], 'choose from relu, sigmoid'),
    ('distortion', [-1, np.nan, True, '1', None], 'give a number of at least 0'),
])
def test_choices_are_checked_like_bounds(few, trained, name, values, allowed):
    before = trained.get_state()
    for value in values:
        with pytest.raises(ValueError, match=f'{name}=.* is out of bounds: {allowed}'):
            NumpyNet(**{name: value}).fit(few.images, few.labels)
        with pytest.raises(ValueError, match=f'{name}=.* is out of bounds: {allowed}'):
            NumpyNet(**{name: value}, hidden=16).set_state(before, trained.classes_, 784)


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(ValueError, match='choose from default, regularised, record'): NumpyNet.recipe('best')


def test_numpy_scalars_and_an_activation_of_your_own_are_allowed(few, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, 'tanh', (np.tanh, lambda h: 1 - h ** 2))
    net = NumpyNet(hidden=np.int64(16), decay=np.bool_(True), distortion=np.float32(1), activation='tanh', epochs=2)
    assert net.fit(few.images, few.labels).get_state()['w1'].shape == (784, 16)


def test_what_is_trained_is_the_function_train(few):
    x = few.pixels()
    rng = np.random.default_rng(3)
    params = init_params(784, 16, 10, rng)
    losses = train(params, x, one_hot(few.labels), Batches(200, 64, rng), epochs=2, decay=False, dropout=.2, rng=rng)
    net = NumpyNet(hidden=16, epochs=2, decay=False, dropout=.2, random_state=3).fit(x, few.labels)
    assert same(net.get_state(), params)
    assert np.allclose(net.history_['loss'], losses.reshape(2, 4).mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize('options', [
    {},
    {'dropout': .3},
    {'distortion': 1.},
    {'dropout': .3, 'distortion': 1., 'momentum': .9, 'label_smoothing': .1, 'activation': 'sigmoid'},
], ids=['plain', 'dropout', 'distortion', 'everything'])
def test_trainings_at_once_equal_those_one_after_the_other(few, options):
    def fit(seed, on_epoch=None):
        net = NumpyNet(hidden=64, epochs=3, batch_size=50, learning_rate=.1, random_state=seed, **options)
        return net.fit(few.images, few.labels, on_epoch=on_epoch).get_state()

    seeds = [0, 1, 2, 0]
    all_inside = Barrier(len(seeds), timeout=PATIENCE)
    def wait_for_all(epoch, loss, seconds, net): all_inside.wait() # so that each epoch runs beside the others
    with threadpool_limits(2):
        before = threadpool_info()
        expected = [fit(seed) for seed in seeds]
        with ThreadPoolExecutor(len(seeds)) as pool:
            states = list(pool.map(fit, seeds, [wait_for_all] * len(seeds)))
        assert threadpool_info() == before
    assert all(map(same, states, expected))


def test_a_training_that_ends_first_leaves_the_other_on_one_thread(few):
    both_inside = Barrier(2, timeout=PATIENCE)
    first_ended = Event()
    threads = []

    def fit_first():
        def meet(epoch, loss, seconds, net): both_inside.wait()
        NumpyNet(hidden=16, epochs=1).fit(few.images, few.labels, on_epoch=meet)
        first_ended.set()

    def look(epoch, loss, seconds, net):
        if epoch == 1:
            both_inside.wait()
            assert first_ended.wait(PATIENCE)
        threads.append(blas_threads())

    with threadpool_limits(2):
        before = threadpool_info()
        first = Thread(target=fit_first)
        first.start()
        NumpyNet(hidden=16, epochs=2).fit(few.images, few.labels, on_epoch=look)
        first.join(PATIENCE)
        assert threadpool_info() == before
    assert threads == [{1}, {1}]


def test_an_error_in_a_callback_leaves_threads_and_net_as_they_were(few, trained):
    def fail(epoch, loss, seconds, net): raise RuntimeError('enough')
    net = NumpyNet(hidden=16, epochs=2).fit(few.images, few.labels)
    with threadpool_limits(2):
        before = threadpool_info()
        with pytest.raises(RuntimeError, match='enough'): net.fit(few.images[::-1], few.labels[::-1], on_epoch=fail)
        assert threadpool_info() == before
    assert same(net.get_state(), trained.get_state())


def test_the_number_of_threads_outside_changes_nothing(few):
    states = []
    for n in (1, 2):
        with threadpool_limits(n):
            states.append(NumpyNet(hidden=64, epochs=1, distortion=1).fit(few.images, few.labels).get_state())
    assert same(*states)


def test_get_state_and_set_state_copy(few, trained):
    expected = trained.predict_proba(few.images)
    state = trained.get_state()
    again = NumpyNet(hidden=16).set_state(state, trained.classes_, 784)
    for array in state.values(): array[:] = 7
    assert np.array_equal(trained.predict_proba(few.images), expected)
    assert np.array_equal(again.predict_proba(few.images), expected)


def test_training_again_leaves_the_old_arrays_alone(few):
    net = NumpyNet(hidden=16, epochs=1).fit(few.images, few.labels)
    old, copies = net.params_, net.get_state()
    net.fit(few.images[::-1], few.labels[::-1])
    assert same(old, copies) and not same(net.get_state(), copies)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_state_shapes_are_those_of_the_state(few, dtype):
    net = NumpyNet(hidden=5, epochs=1).fit(few.pixels().astype(dtype), few.labels)
    state = net.get_state()
    assert list(state) == ['w1', 'b1', 'w2', 'b2']
    assert net.state_shapes(784, 10) == {name: (array.shape, 'f') for name, array in state.items()}
    assert {array.dtype for array in state.values()} == {np.dtype(dtype)}
    assert NumpyNet(hidden=5).state_shapes(784, 10) == net.state_shapes(784, 10)


def test_state_shapes_need_no_memory():
    net = NumpyNet(hidden=10 ** 9, distortion=1)
    assert net.state_shapes(10 ** 400, 10)['w1'] == ((10 ** 400, 10 ** 9), 'f')
    for n_features in (-4, 0, 1, 783, 10 ** 400 + 1):
        with pytest.raises(ValueError, match='Only square images'): net.state_shapes(n_features, 10)


def test_a_state_that_does_not_fit_is_refused(few, trained):
    state = trained.get_state()
    for wrong in (
        {**state, 'w1': state['w1'].T},
        {**state, 'b2': state['b2'][:9]},
        {**state, 'b1': state['b1'].astype(int)},
        {**state, 'w3': state['w2']},
        {name: state[name] for name in ('w1', 'b1', 'w2')},
    ):
        net = NumpyNet(hidden=16, epochs=2).fit(few.images, few.labels)
        with pytest.raises(ValueError): net.set_state(wrong, trained.classes_, 784)
        assert same(net.get_state(), state)
    with pytest.raises(ValueError): NumpyNet(hidden=17).set_state(state, trained.classes_, 784)
    with pytest.raises(ValueError, match='Only square images'):
        NumpyNet(hidden=16, distortion=1).set_state({**state, 'w1': state['w1'][1:]}, trained.classes_, 783)


def test_the_order_of_a_state_does_not_matter(few, trained):
    backwards = dict(reversed(trained.get_state().items()))
    again = NumpyNet(hidden=16).set_state(backwards, trained.classes_, 784)
    assert list(again.get_state()) == ['w1', 'b1', 'w2', 'b2']
    assert np.array_equal(again.predict_proba(few.images), trained.predict_proba(few.images))


def test_a_refused_training_leaves_the_net_as_it_was(few):
    x = few.pixels()
    net = NumpyNet(hidden=16, epochs=2).fit(x, few.labels)
    before, expected = net.get_state(), net.predict_proba(x)
    words = np.array(list('abcdefghij'))[few.labels]
    for params, X, y in (
        ({'distortion': 1}, x[:, :700], words), # not square
        ({'decay': 'no'}, x, words),
        ({}, x, words[:-1]),
        ({}, np.full((200, 784), np.nan), words),
    ):
        net.set_params(**params)
        with pytest.raises(ValueError): net.fit(X, y)
        net.set_params(distortion=0., decay=True)
        assert same(net.get_state(), before)
        assert net.n_features_in_ == 784 and net.classes_.tolist() == list(range(10))
        assert np.array_equal(net.predict_proba(x), expected)


ORDERS = {
    'Fortran': np.asfortranarray,
    'rows from the back': lambda x: x[::-1].copy()[::-1],
    'columns from the back': lambda x: x[:, ::-1].copy()[:, ::-1],
    'every second': lambda x: np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2],
    'not aligned': lambda x: np.frombuffer(b'1' + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
    'read-only': lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize('order', ORDERS)
def test_any_order_of_the_same_numbers_is_the_same_digits(few, dtype, order):
    x = few.images.reshape(200, 784) if dtype == np.uint8 else few.pixels().astype(dtype)
    net = NumpyNet(hidden=16, epochs=1, distortion=1)
    expected = net.fit(x, few.labels).get_state()
    answers = net.predict_proba(x)
    assert np.array_equal(net.predict_proba(ORDERS[order](x)), answers)
    assert same(net.fit(ORDERS[order](x), few.labels).get_state(), expected)


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('value', [1e300, 1e38])
def test_numbers_too_large_for_an_answer_are_refused_in_words(few, value):
    x = few.pixels().astype(float)
    for net in (NumpyNet(hidden=16, epochs=1), NumpyNet(hidden=16, epochs=1, activation='sigmoid')):
        net.fit(x, few.labels)
        with pytest.raises(ValueError, match='overflow|scale'): net.predict_proba(np.full((2, 784), value))
        with pytest.raises(ValueError, match='overflow|scale'): net.predict(np.full((2, 784), value))


@pytest.mark.filterwarnings('ignore:overflow', 'ignore:invalid value')
def test_a_distortion_without_bounds_is_refused_in_words(few):
    with pytest.raises(ValueError, match='is the distortion too strong'):
        NumpyNet(hidden=16, distortion=1e300).fit(few.images, few.labels)


@pytest.mark.parametrize('kind', [np.int8, np.uint8, np.int16])
def test_small_integers_of_numpy_do_not_overflow(few, tmp_path, kind):
    params = dict(hidden=100, epochs=100, batch_size=100)
    expected = NumpyNet(**params).fit(few)
    net = NumpyNet(**{name: kind(value) for name, value in params.items()}).fit(few)
    assert same(net.get_state(), expected.get_state())
    assert type(net.get_params()['hidden']) is kind
    shapes = net.state_shapes(784, 10)
    assert shapes == expected.state_shapes(784, 10) and type(shapes['w1'][0][1]) is int
    save(net, tmp_path/'net.safetensors')
    again = load(tmp_path/'net.safetensors')
    assert same(again.get_state(), net.get_state()) and type(again.hidden) is kind


def test_the_function_train_counts_its_steps_without_overflow(few):
    "The learning rate changed its sign."
    ends = []
    for epochs in (20, np.int8(20)):
        rng = np.random.default_rng(0)
        params = init_params(784, 4, 10, rng)
        train(params, few.pixels(), one_hot(few.labels), Batches(200, 16, rng), epochs=epochs)
        ends.append(params)
    assert same(*ends)


def test_another_activation_after_the_training_is_refused(few, tmp_path):
    "It changed the answers silently, those of a saved file, too."
    net = NumpyNet(hidden=16, epochs=1, activation='sigmoid').fit(few)
    expected = net.predict_proba(few)
    save(net, tmp_path/'net.safetensors')
    for other, words in (('relu', 'is not what this net has learned with'), ('foo', 'choose from relu, sigmoid')):
        net.set_params(activation=other)
        for ask in (lambda: net.predict(few), lambda: net.score(few), net.get_state,
                    lambda: save(net, tmp_path/'other.safetensors')):
            with pytest.raises(ValueError, match=f"activation='{other}' .*{words}"): ask()
    assert not (tmp_path/'other.safetensors').exists()
    net.set_params(activation='sigmoid')
    again = load(tmp_path/'net.safetensors')
    moved = NumpyNet(hidden=16, activation='sigmoid').set_state(net.get_state(), net.classes_, 784)
    for same_net in (net, again, moved): assert np.array_equal(same_net.predict_proba(few), expected)
    assert NumpyNet(hidden=16, activation='relu').set_params(activation='sigmoid').fit(few).activation_ == 'sigmoid'
