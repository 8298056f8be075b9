"The torch rungs: trainings that keep to themselves, and parameters that are refused before anything begins."
import copy
import pickle
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone

from mnist_steps.cnn import CNN, ConvNet, last_side, smallest_side
from mnist_steps.rungs import load
from mnist_steps.torch_augment import HandwrittenDigits, add_flourishes, random_warp, random_width
from mnist_steps.torch_mlp import MLP, TorchMLP
from mnist_steps.torch_train import (
    as_tensor,
    generator_on,
    init_weights,
    one_thread,
    own_threads,
    pick_device,
    private_generator,
    set_own_threads,
)

# Where it doesn't matter what a net has learned, a few digits in one step are enough
pytestmark = pytest.mark.filterwarnings('ignore:This training is a single step')

WAIT = 60 # seconds after which a thread that waits for another gives up

SMALL = dict(channels=(4, 8), epochs=2, batch_size=64)
NETS = {
    'dense': TorchMLP(hidden=16, epochs=2),
    'dense dropout': TorchMLP(hidden=16, epochs=2, dropout=.3),
    'plain': ConvNet(**SMALL, max_shift=0),
    'dropout': ConvNet(**SMALL, dropout=.3),
    'warp': ConvNet(**SMALL, warp=.5),
    'handwriting': ConvNet(**SMALL, handwriting=True),
}


@pytest.fixture(autouse=True)
def settings():
    "Two threads and a seeded generator; whatever a test does, they are the same afterwards"
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "PyTorch's generator has moved"
    assert torch.get_num_threads() == 2
    assert in_another_thread(torch.get_num_threads) == 2, 'a new thread would compute on another number of threads'
    torch.set_num_threads(threads)


def in_another_thread(function):
    with ThreadPoolExecutor(1) as another: return another.submit(function).result(WAIT)


def at_once(nets, train, on_epoch=None):
    "Fit each net in a thread of its own; no thread ends before all of them have finished an epoch"
    all_under_way = threading.Barrier(len(nets))

    def fit(net):
        def meet(epoch, loss, seconds, estimator):
            if epoch == 1: all_under_way.wait(WAIT)
            return on_epoch and on_epoch(epoch, loss, seconds, estimator)
        try: return clone(net).fit(train.images, train.labels, on_epoch=meet)
        except ArithmeticError as error: return error

    with ThreadPoolExecutor(len(nets)) as threads: return [f.result() for f in [threads.submit(fit, n) for n in nets]]


def assert_same_state(a, b):
    a, b = a.get_state(), b.get_state()
    assert list(a) == list(b)
    for name in a: np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize('name', NETS)
def test_equal_fits_at_once_equal_one_alone(digits, name):
    train = digits[0][:300]
    alone = clone(NETS[name]).fit(train.images, train.labels)
    for net in at_once([NETS[name]] * 3, train): assert_same_state(net, alone)


def test_different_fits_at_once_equal_those_in_turn(digits):
    train = digits[0][:300]
    in_turn = [clone(net).fit(train.images, train.labels) for net in NETS.values()]
    for net, alone in zip(at_once(list(NETS.values()), train), in_turn): assert_same_state(net, alone)


def test_fits_are_not_disturbed_by_who_else_draws(digits):
    train = digits[0][:300]
    for net in NETS.values():
        alone = clone(net).fit(train.images, train.labels)
        with torch.random.fork_rng():
            drawing = clone(net).fit(train.images, train.labels, on_epoch=lambda *_: torch.rand(3).sum() < 0)
        assert_same_state(drawing, alone)


def test_failing_fits_at_once_leave_nothing_behind(digits):
    def fail(epoch, *_):
        if epoch == 2: raise ArithmeticError
    results = at_once(list(NETS.values()), digits[0][:300], on_epoch=fail)
    assert all(isinstance(result, ArithmeticError) for result in results)


def test_one_thread_ends_for_every_thread_in_any_order():
    inside, ann_left = threading.Barrier(2), threading.Event()

    def ann():
        with one_thread():
            inside.wait(WAIT)
            seen = own_threads()
        ann_left.set()
        return seen, own_threads()

    def bob():
        with one_thread():
            inside.wait(WAIT)
            assert ann_left.wait(WAIT)
            seen = own_threads()
            newcomer = in_another_thread(own_threads)
        return seen, newcomer, own_threads()

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(ann), threads.submit(bob)
        assert first.result() == (1, 2)
        assert second.result() == (1, 2, 2)


def test_threads_of_one_thread_only():
    set_own_threads(1)
    assert own_threads() == 1
    assert in_another_thread(own_threads) == 2
    set_own_threads(2)


def no_new_threads(monkeypatch):
    def refuse(*_): raise RuntimeError("can't start new thread")
    monkeypatch.setattr(threading.Thread, 'start', refuse)


def test_own_threads_stay_where_no_thread_can_be_started(monkeypatch):
    with monkeypatch.context() as patch:
        no_new_threads(patch)
        with pytest.raises(RuntimeError, match="can't start new thread"): set_own_threads(1)
    assert own_threads() == 2


def test_a_training_is_kept_where_threads_cannot_be_put_back(digits, monkeypatch):
    train = digits[0][:300]
    alone = clone(NETS['dense']).fit(train.images, train.labels)
    with monkeypatch.context() as patch, pytest.warns(RuntimeWarning, match='goes on computing on one thread'):
        net = clone(NETS['dense']).fit(train.images, train.labels, on_epoch=lambda *_: no_new_threads(patch))
    assert own_threads() == 1
    set_own_threads(2)
    assert_same_state(net, alone)


OUTLIVES = """
import sys
import threading

from mnist_steps.data import load_mnist
from mnist_steps.rungs import find_rung, save

rung, began, path = sys.argv[1:]
train = load_mnist()[0][:300]
net = find_rung(rung).make(epochs=2, batch_size=64, device='cpu')

def end_of_program(*_): threading.main_thread().join()

def fit():
    if began == 'after the end': end_of_program()
    net.fit(train, on_epoch=end_of_program)
    save(net, path)

threading.Thread(target=fit).start()
"""

@pytest.mark.parametrize('Net, rung', [(TorchMLP, 'torch'), (ConvNet, 'cnn')], ids=['dense', 'convolutional'])
@pytest.mark.parametrize('began', ['before the end', 'after the end'])
def test_a_training_outlives_the_main_thread(digits, tmp_path, Net, rung, began):
    path = tmp_path/'net.safetensors'
    program = subprocess.run(
        [sys.executable, '-c', OUTLIVES, rung, began, str(path)], capture_output=True, text=True, timeout=WAIT * 5)
    assert (program.returncode, program.stderr) == (0, '')
    train = digits[0][:300]
    net = load(path)
    assert net.n_features_in_ == 784 and list(net.classes_) == list(range(10))
    if Net is TorchMLP: # it computes on one thread wherever it trains
        assert_same_state(net, Net(epochs=2, batch_size=64).fit(train.images, train.labels))
    assert net.score(train.images, train.labels) > .3


def test_a_private_generator_follows_from_the_seed():
    def draw(seed): return torch.rand(3, generator=private_generator(np.random.default_rng(seed)))
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    generator = private_generator(np.random.default_rng(0))
    assert generator_on(torch.device('cpu'), generator) is generator


@pytest.mark.parametrize('build', [MLP, CNN, lambda: CNN(40, (3, 5, 7, 9), 3, lean=True)], ids=['MLP', 'CNN', 'lean'])
def test_first_weights_are_those_of_pytorch(build):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = build().state_dict()
        after = torch.get_rng_state()
    with torch.device('meta'): ours = build()
    generator = torch.Generator().manual_seed(3)
    init_weights(ours.to_empty(device='cpu'), generator)
    assert torch.equal(generator.get_state(), after)
    for name, tensor in ours.state_dict().items(): assert torch.equal(tensor, theirs[name]), name


@pytest.mark.parametrize('change', [
    lambda images, labels, generator: random_warp(images, generator=generator),
    lambda images, labels, generator: random_width(images, generator=generator),
    lambda images, labels, generator: add_flourishes(images, labels, generator),
    lambda images, labels, generator: HandwrittenDigits(images, labels, labels, generator)[np.arange(len(images))][0],
], ids=['warp', 'width', 'flourishes', 'data set'])
def test_changes_draw_from_their_generator(digits, change):
    images = torch.from_numpy(digits[0].pixels()[:100]).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(digits[0].labels[:100].copy())
    first, again, other = (change(images, labels, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


NO_DEVICES = ['x', '', 'meta', 'cpu:', 0, None, 3.5, *([] if torch.cuda.is_available() else ['cuda', 'cuda:0'])]

@pytest.mark.parametrize('Net', [TorchMLP, ConvNet])
@pytest.mark.parametrize('device', NO_DEVICES)
def test_a_device_that_is_not_there_is_refused(digits, Net, device):
    train = digits[0][:50]
    with pytest.raises(ValueError, match='device=.* is out of bounds: give'):
        Net(device=device).fit(train.images, train.labels)
    with pytest.raises(ValueError, match='device=.* is out of bounds: give'): pick_device(device)


@pytest.mark.parametrize('Net', [TorchMLP, ConvNet])
def test_device_auto(digits, Net):
    train = digits[0][:100]
    nets = [Net(epochs=1, device=device).fit(train.images, train.labels) for device in ('auto', str(pick_device()))]
    assert_same_state(*nets)
    again = Net(epochs=1, device='auto').set_state(nets[0].get_state(), nets[0].classes_, nets[0].n_features_in_)
    assert np.array_equal(again.predict_proba(train.images), nets[0].predict_proba(train.images))
    assert 'device' in Net.unsaved


@pytest.mark.parametrize('Net, params, message', [
    (ConvNet, dict(channels=[]), 'channels=.* is out of bounds'),
    (ConvNet, dict(channels=3), 'channels=3 is out of bounds'),
    (ConvNet, dict(channels='12'), 'channels=.* is out of bounds'),
    (ConvNet, dict(channels=(4, 0)), 'channels=.* is out of bounds'),
    (ConvNet, dict(channels=(4, 8.)), 'channels=.* is out of bounds'),
    (ConvNet, dict(channels=[1] * 40), 'at most 12 blocks'),
    (ConvNet, dict(channels=[1] * 100_000), 'at most 12 blocks'),
    (ConvNet, dict(channels=[1] * 12), 'at least 12287 x 12287'),
    (ConvNet, dict(channels=[1] * 12, lean=False), 'at least 8192 x 8192'),
    (ConvNet, dict(channels=(4, 10**400)), 'channels=.* is out of bounds'),
    (ConvNet, dict(channels=(10**5, 10**5)), 'more than 268,435,456 numbers'),
    (ConvNet, dict(channels=(10**8, 10**8, 10**8)), 'more than 268,435,456 numbers'),
    (ConvNet, dict(lean='no'), 'lean=.* is out of bounds'),
    (ConvNet, dict(handwriting='no'), 'handwriting=.* is out of bounds'),
    (ConvNet, dict(test_shifts='x'), 'test_shifts=.* is out of bounds'),
    (ConvNet, dict(max_shift=28), 'max_shift=28 moves'),
    (ConvNet, dict(max_shift=10**400), 'max_shift=.* moves'),
    (ConvNet, dict(test_shifts=10**9), 'test_shifts=1000000000 moves'),
    (TorchMLP, dict(hidden=10**6), 'more than 268,435,456 numbers'),
    (TorchMLP, dict(hidden=10**400), 'hidden=.* is out of bounds'),
    (TorchMLP, dict(momentum=1), 'momentum=1 is out of bounds'),
])
def test_refused_parameters_leave_the_net_as_it_was(digits, Net, params, message):
    train = digits[0][:100]
    net = Net(epochs=1).fit(train.images, train.labels)
    before, net = net.get_state(), net.set_params(**params)
    history, module = net.history_, net.module_
    with pytest.raises(ValueError, match=message): net.fit(train.images, train.labels % 3)
    assert net.history_ is history and net.module_ is module and len(net.classes_) == 10
    for name, array in net.get_state().items(): np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize('labels', [lambda y: np.array(['odd', 'even'])[y % 2], lambda y: y % 2 == 0])
def test_handwriting_refuses_labels_that_are_no_digits(digits, labels):
    train = digits[0][:100]
    net = ConvNet(channels=(4,), epochs=1, handwriting=True).fit(train.images, train.labels)
    answers = net.predict(train.images)
    with pytest.raises(ValueError, match='handwriting=True'): net.fit(train.images, labels(train.labels))
    assert np.array_equal(net.predict(train.images), answers)


SMALL_NUMBERS = [np.int8, np.uint8, np.int16, np.int64, np.uint64]

@pytest.mark.parametrize('dtype', SMALL_NUMBERS)
def test_numbers_of_numpy_are_those_of_python_to_a_convolutional_net(digits, dtype):
    train, test = digits[0][:300], digits[1][:100]
    ours = ConvNet(**SMALL, max_shift=1, test_shifts=1)
    theirs = ConvNet(
        channels=tuple(np.array(SMALL['channels'], dtype)), epochs=dtype(2), batch_size=dtype(64), max_shift=dtype(1),
        test_shifts=dtype(1))
    for net in (ours, theirs): net.fit(train.images, train.labels)
    assert_same_state(theirs, ours)
    assert np.array_equal(theirs.predict_proba(test.images), ours.predict_proba(test.images))
    ours.set_params(test_shifts=2)
    theirs.set_params(test_shifts=dtype(2))
    assert np.array_equal(theirs.predict_proba(test.images), ours.predict_proba(test.images))
    assert type(theirs.get_params()['test_shifts']) is dtype # what somebody gave stays theirs


@pytest.mark.parametrize('dtype', SMALL_NUMBERS)
def test_channels_of_numpy_do_not_overflow(digits, dtype):
    "16 channels of 5 x 5 numbers are 400 features, more than eight bits can count"
    channels = tuple(np.array([4, 16], dtype))
    assert ConvNet(channels=channels).state_shapes(784, 10) == ConvNet(channels=(4, 16)).state_shapes(784, 10)


@pytest.mark.parametrize('dtype', SMALL_NUMBERS)
def test_numbers_of_numpy_are_those_of_python_to_a_dense_net(digits, dtype):
    "20 epochs of 19 steps are more steps than eight bits can count: the learning rate changed its sign."
    train = digits[0][:300]
    nets = [TorchMLP(hidden=number(100), epochs=number(20), batch_size=number(16)) for number in (int, dtype)]
    for net in nets: net.fit(train.images, train.labels)
    assert_same_state(*nets)


def test_a_training_of_a_single_step_is_no_silent_one(digits):
    train = digits[0][:192]
    net = ConvNet.recipe('fast', device='cpu')
    with pytest.warns(RuntimeWarning, match='a single step, of all 192 digits.*\nGive more epochs or a smaller batch'):
        net.fit(train.images, train.labels)
    for more in (dict(epochs=2), dict(batch_size=191)):
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            clone(net).set_params(**more).fit(train.images, train.labels)


@pytest.mark.parametrize('dtype', ['>i2', '>i8', '>u4', '<i8', '<u4'])
def test_labels_in_any_order_of_bytes(digits, dtype):
    train = digits[0][:300]
    for name in ('handwriting', 'dense'):
        usual = clone(NETS[name]).fit(train.images, train.labels)
        assert_same_state(clone(NETS[name]).fit(train.images, train.labels.astype(dtype)), usual)


def test_tensors_of_arrays_in_any_order_of_bytes():
    numbers = np.arange(6).reshape(2, 3)
    for dtype in ('>i4', '<i4', '>f8', '<f8'):
        assert torch.equal(as_tensor(numbers.astype(dtype)), torch.from_numpy(numbers.astype(dtype[1:])))
    shared = numbers.astype(np.float32)
    as_tensor(shared)[0, 0] = 7
    assert shared[0, 0] == 7


@pytest.mark.parametrize('net', NETS.values(), ids=NETS)
def test_state_shapes_are_those_of_the_state(digits, net):
    train = digits[0][:100]
    fitted = clone(net).fit(train.images, train.labels)
    expected = {name: (array.shape, array.dtype.kind) for name, array in fitted.get_state().items()}
    assert fitted.state_shapes(784, 10) == expected
    assert clone(net).state_shapes(784, 10) == expected


@pytest.mark.parametrize('n_features, n_classes', [
    (10**400, 10), (784, 10**400), (10**30, 10), ((10**9)**2, 2), (2**28, 2**28), (783, 10), (4, 2)])
def test_shapes_of_impossible_images(n_features, n_classes):
    with pytest.raises(ValueError): ConvNet().state_shapes(n_features, n_classes)
    if n_features > 784 or n_classes > 10:
        with pytest.raises(ValueError, match='more than'): TorchMLP().state_shapes(n_features, n_classes)


@pytest.mark.parametrize('lean', [True, False])
def test_smallest_side_is_where_variance_begins(lean):
    for n_blocks in range(1, 13):
        side = smallest_side(n_blocks, lean)
        assert last_side(side, n_blocks, lean) == 2 and last_side(side - 1, n_blocks, lean) < 2


@pytest.mark.parametrize('Net', [TorchMLP, ConvNet])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_state_there_and_back(digits, Net, dtype):
    train = digits[0][:200]
    x = train.pixels().astype(dtype)
    net = Net(epochs=1, random_state=3).fit(x, train.labels)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        again = Net(epochs=1).set_state(net.get_state(), net.classes_, net.n_features_in_, net.scale_)
    assert_same_state(again, net)
    assert np.array_equal(again.predict_proba(x), net.predict_proba(x))
    assert all(parameter.requires_grad for parameter in again.module_.parameters())


def test_state_is_a_copy(digits):
    train = digits[0][:100]
    net = TorchMLP(epochs=1).fit(train.images, train.labels)
    before, state = net.predict_proba(train.images), net.get_state()
    again = TorchMLP(epochs=1).set_state(state, net.classes_, net.n_features_in_)
    for array in state.values(): array[:] = 0
    assert np.array_equal(net.predict_proba(train.images), before)
    assert np.array_equal(again.predict_proba(train.images), before)


@pytest.mark.parametrize('Net', [TorchMLP, ConvNet])
def test_rows_of_any_order_and_direction(digits, Net):
    train = digits[0][:100]
    x = train.pixels()
    net = Net(epochs=1).fit(x, train.labels)
    read_only = x.copy()
    read_only.flags.writeable = False
    for rows in (x[::-1].copy()[::-1], np.asfortranarray(x), read_only, x[:, ::-1].copy()[:, ::-1]):
        assert np.array_equal(net.predict_proba(rows), net.predict_proba(x))
        assert_same_state(Net(epochs=1).fit(rows, train.labels), net)


def test_prediction_checks_its_rows_once(digits, monkeypatch):
    train = digits[0][:100]
    net = ConvNet(channels=(4,), epochs=1, test_shifts=2).fit(train.images, train.labels)
    checked = []
    monkeypatch.setattr('sklearn.utils.validation._assert_all_finite', lambda X, **_: checked.append(X.shape))
    assert net.predict_proba(train.images).shape == (100, 10)
    assert checked == [(100, 784)]


@pytest.mark.parametrize('net', [NETS['dense dropout'], NETS['dropout']], ids=['dense', 'convolutional'])
def test_trained_nets_can_be_copied_and_pickled(digits, net):
    train = digits[0][:100]
    net = clone(net).fit(train.images, train.labels)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))): assert_same_state(twin, net)
