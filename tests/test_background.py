"Training in other processes: what they report, that they don't disturb each other, and that nothing is left of them."
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from mnist_steps.background import Training, hear_batches, make_rung, running
from mnist_steps.cnn import ConvNet
from mnist_steps.numpy_net import NumpyNet
from mnist_steps.rungs import RUNGS, to_json
from mnist_steps.torch_mlp import TorchMLP

ENDLESS = 100_000 # epochs
TESTS = str(Path(__file__).parent)


@pytest.fixture
def endless(digits_dir, until):
    "A training that goes on, two epochs after its start"
    with Training('numpy', data=digits_dir, epochs=ENDLESS) as training:
        until(lambda: len(training.history['loss']) >= 2)
        yield training


@pytest.fixture
def folders(tmp_path, monkeypatch):
    "The folder in which trainings make theirs"
    place = tmp_path/'folders'
    place.mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(place))
    return place


def assert_same(model, other):
    arrays = model.get_state()
    others = other.get_state()
    assert arrays.keys() == others.keys()
    for name in arrays: assert np.array_equal(arrays[name], others[name]), name


def test_history_is_that_of_a_fit_right_here(digits, digits_dir):
    train, held_out = digits[0].split(1/6)
    here = NumpyNet(hidden=np.int64(16), epochs=3, random_state=5).fit(train, validation=held_out)
    with Training('numpy', seed=5, data=digits_dir, hidden=np.int64(16), epochs=3) as there:
        assert there.epochs == 3 and there.wait() and not there.running and there.error is None
    assert there.history.keys() == here.history_.keys()
    for name in 'loss', 'valid_accuracy': assert there.history[name] == here.history_[name]
    assert all(seconds > 0 for seconds in there.history['seconds'])
    assert_same(there.model, here)
    assert there.model.get_params() == here.get_params()
    assert type(there.model.hidden) is np.int64


def test_hyperparameters_keep_their_types(digits_dir):
    params = dict(channels=(4, 8, 8), lean=False, epochs=1, warp=np.float32(.5))
    with Training('cnn', 3, digits_dir, **params) as training:
        assert training.wait() and training.error is None
    assert training.model.get_params() == ConvNet(random_state=3, **params).get_params()
    assert type(training.model.channels) is tuple


@pytest.mark.parametrize('rung, params', [
    ('numpy', dict(dropout=.3, momentum=.5)), ('numpy', dict(distortion=.5)), ('torch', dict(dropout=.3)),
    ('cnn', dict(channels=(4, 8, 8)))])
def test_every_batch_is_told(rung, params, digits, digits_dir):
    "Their mean is the loss of the epoch, and telling it changes nothing"
    with Training(rung, 2, digits_dir, epochs=2, batch_size=30, **params) as training: training.wait()
    assert training.error is None
    losses = np.reshape(training.batch_losses, (2, -1))
    train, _ = digits[0].split(1/6)
    assert losses.shape[1] == -(-len(train) // 30)
    assert np.allclose(losses.mean(axis=1), training.history['loss'], rtol=1e-6)
    here = make_rung(rung, 2, epochs=2, batch_size=30, **params).fit(train)
    if rung != 'cnn': assert here.history_['loss'] == training.history['loss'] # cnn: one thread there, several here


def test_batches_up_to_the_divergence_are_told(digits_dir):
    with Training('numpy', data=digits_dir, learning_rate=1e9, epochs=3) as training: training.wait()
    assert training.error and np.isfinite(training.batch_losses[0])


def test_hearing_ends(digits):
    model = NumpyNet(epochs=1)
    heard = []
    with hear_batches(model, heard.append): model.fit(digits[0])
    n = len(heard)
    model.fit(digits[0]).score(digits[1])
    assert n == -(-len(digits[0]) // model.batch_size) and len(heard) == n


@pytest.mark.skipif(not hasattr(os, 'getpriority'), reason='Windows counts priorities in another way')
def test_a_training_goes_last(endless):
    assert os.getpriority(os.PRIO_PROCESS, endless.pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_logistic_regression_reports_once(digits, digits_dir):
    train, held_out = digits[0].split(1/6)
    with Training('logistic', data=digits_dir, C=.01) as training:
        assert training.epochs is None and training.wait()
    assert [len(values) for values in training.history.values()] == [1, 1, 1]
    assert training.model.C == .01 and training.batch_losses == []
    assert training.history['valid_accuracy'] == [training.model.score(held_out)]
    here = make_rung('logistic', C=.01).fit(train, validation=held_out)
    assert_same(training.model, here)
    for name in 'loss', 'valid_accuracy': assert training.history[name] == here.history_[name]


def test_stop_keeps_the_model_of_the_last_epoch(endless, digits):
    endless.stop()
    endless.stop()
    assert not endless.running and endless.error is None and endless.wait()
    _, held_out = digits[0].split(1/6)
    assert endless.model.score(held_out) == endless.history['valid_accuracy'][-1]


def test_model_follows_the_training(endless, digits):
    "It is the rung of an epoch that was over when somebody asked, and not an older one"
    _, held_out = digits[0].split(1/6)
    for _ in range(20):
        before = len(endless.history['loss'])
        model = endless.model
        now = endless.history['valid_accuracy'][before - 1:]
        assert model.classes_.tolist() == list(range(10)) and model.score(held_out) in now
    assert endless.running and not endless.wait(0)


def test_close_leaves_nothing_but_model_and_history(endless):
    folder = endless.folder
    assert list(folder.glob('*.safetensors'))
    endless.close()
    endless.close()
    assert not endless.running and not folder.exists()
    assert endless.model is not None and len(endless.history['loss']) >= 2


def test_a_training_that_nobody_holds_ends(digits_dir, until):
    training = Training('numpy', data=digits_dir, epochs=ENDLESS)
    folder = training.folder
    assert folder.exists() and running() == 1
    del training
    gc.collect()
    until(lambda: running() == 0)
    assert not folder.exists()


def test_two_at_once_are_the_same_as_alone(digits, digits_dir):
    "PyTorch's dropout draws from a generator that a process has once."
    params = dict(epochs=2, hidden=16, dropout=.3)
    with Training('torch', 1, digits_dir, **params) as a, Training('torch', 2, digits_dir, **params) as b:
        a.wait()
        b.wait()
    assert a.error is b.error is None
    train, _ = digits[0].split(1/6)
    for seed, training in enumerate((a, b), 1):
        alone = TorchMLP(random_state=seed, **params).fit(train)
        assert training.history['loss'] == alone.history_['loss']
        assert_same(training.model, alone)
    assert a.history['loss'] != b.history['loss']


def test_running_counts(digits_dir):
    assert running() == 0
    with Training('numpy', data=digits_dir, epochs=ENDLESS), Training('numpy', data=digits_dir, epochs=ENDLESS):
        assert running() == 2
    assert running() == 0


@pytest.mark.parametrize('rung, params', [
    ('keras', {}), ('numpy', {'layers': 2}), ('numpy', {'epochs': 0}), ('numpy', {'activation': 'tanh'}),
    ('logistic', {'C': -1}), ('logistic', {'epochs': 3}), ('cnn', {'batch_size': 1.5}),
    ('numpy', {'random_state': np.random.default_rng(0)})])
def test_wrong_hyperparameters_start_nothing(rung, params, folders):
    with pytest.raises(ValueError): Training(rung, **params)
    assert running() == 0 and not list(folders.iterdir())


@pytest.mark.parametrize('rung', RUNGS)
def test_every_rung_is_made_and_checked_alike(rung):
    assert make_rung(rung, seed=7).random_state == 7
    with pytest.raises(ValueError, match='nonsense'): make_rung(rung, nonsense=1)
    with pytest.raises(ValueError, match='random_state=-1'): make_rung(rung, seed=-1)


def test_a_process_that_cannot_start_leaves_no_folder(digits_dir, folders, monkeypatch):
    monkeypatch.setattr(sys, 'executable', '/no/such/python')
    with pytest.raises(OSError, match='No training process can be started here: .*no/such/python'):
        Training('numpy', data=digits_dir)
    assert running() == 0 and not list(folders.iterdir())


def test_a_thread_that_cannot_start_leaves_no_folder_and_no_process(digits_dir, folders, monkeypatch):
    def start(thread): raise RuntimeError("can't start new thread")
    monkeypatch.setattr(threading.Thread, 'start', start)
    with pytest.raises(RuntimeError, match='new thread'): Training('numpy', data=digits_dir, epochs=ENDLESS)
    assert running() == 0 and not list(folders.iterdir())


def test_a_process_that_ends_at_once_says_why(digits_dir, folders, monkeypatch):
    monkeypatch.setenv('PYTHONHOME', '/no/such/python')
    with Training('numpy', data=digits_dir) as training: assert training.wait(60)
    assert 'exit code' in training.error and training.model is None
    assert not list(folders.iterdir())


def test_errors_are_reported(tmp_path):
    with Training('numpy', data=tmp_path) as training: training.wait()
    assert str(tmp_path) in training.error and training.model is None and training.history['loss'] == []


def test_an_empty_name_is_not_mnist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Training('numpy', data='') as training: training.wait()
    assert str(tmp_path) in training.error


def test_sudden_death_is_an_error(endless):
    os.kill(endless.pid, signal.SIGTERM) # on Windows, too, this ends it at once
    assert endless.wait(60) and 'exit code' in endless.error and endless.model is not None


def test_divergence_is_an_error(digits_dir):
    with Training('numpy', data=digits_dir, learning_rate=1e9, epochs=3) as training: training.wait()
    assert 'lower learning rate' in training.error and training.history['loss'] == []


def test_the_current_folder_does_not_matter(digits_dir, tmp_path, monkeypatch):
    (tmp_path/'random.py').write_text('raise SystemError')
    monkeypatch.chdir(tmp_path)
    with Training('numpy', data=os.path.relpath(digits_dir), epochs=1) as training: training.wait()
    assert training.error is None and len(training.history['loss']) == 1


def test_child_ends_with_its_standard_input(digits_dir, tmp_path):
    folder = tmp_path/'files'
    folder.mkdir()
    job = json.dumps({'rung': to_json('numpy'), 'data': to_json(str(digits_dir)), 'epochs': to_json(ENDLESS)})
    command = [sys.executable, '-m', 'mnist_steps.background', str(folder), job]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert 'epoch' in next(message for message in map(json.loads, child.stdout) if 'batch_losses' not in message)
    child.stdin.close()
    child.stdout.close()
    assert child.wait(60) and not folder.exists()


@pytest.mark.parametrize('end', ['os.kill(os.getpid(), 9)', 'os.abort()', 'sys.exit()', 'raise SystemError'])
@pytest.mark.skipif(os.name == 'nt', reason='Windows has no signal 9, and keeps open files')
def test_child_ends_with_its_parent(end, digits_dir, until):
    code = f'''if True:
        import os, sys
        sys.path.append({TESTS!r})
        from conftest import wait_until
        from mnist_steps.background import Training
        training = Training('numpy', data={str(digits_dir)!r}, epochs={ENDLESS})
        wait_until(lambda: training.history['loss'])
        print(training.folder, flush=True)
        {end}'''
    done = subprocess.run(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=300)
    folder = Path(done.stdout.strip())
    assert folder.name.startswith('mnist-steps-')
    until(lambda: not folder.exists())
