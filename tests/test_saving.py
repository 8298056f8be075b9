"Files that can be trusted: what is saved comes back to the last bit, types included, and nothing else comes back."
import io
import json
import os
import pickle
import random
import struct
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import safetensors.numpy
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression as Sklearns
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from mnist_steps.logistic import LogisticRegression
from mnist_steps.numpy_net import NumpyNet
from mnist_steps.rungs import (
    FORMAT_VERSION,
    MAX_HEADER,
    PRETRAINED,
    RUNGS,
    RungFileError,
    find_rung,
    from_json,
    load,
    load_pretrained,
    n_parameters,
    pretrained_file,
    read_rung_file,
    rung_digest,
    rung_name,
    save,
    to_json,
)

posix = pytest.mark.skipif(os.name == 'nt', reason='Windows has no such files')

SMALL = {
    'logistic': dict(max_iter=60), 'numpy': dict(hidden=4, epochs=1), 'torch': dict(hidden=4, epochs=1),
    'cnn': dict(channels=(2, 3, 4), epochs=1, batch_size=64)}


def make(name, **params):
    "A rung that trains in a moment"
    return RUNGS[name].make(**{**SMALL[name], **params})


@pytest.fixture(scope='module')
def few(digits):
    "300 digits"
    return digits[0][:300]


@pytest.fixture(scope='module')
def trained(few):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore') # few steps need not converge
        return {name: make(name).fit(few) for name in RUNGS}


@pytest.fixture(scope='module')
def saved(trained, tmp_path_factory):
    "Name of a rung -> its file"
    folder = tmp_path_factory.mktemp('rungs')
    for name, model in trained.items(): save(model, folder/f'{name}.safetensors', note='a fact')
    return {name: folder/f'{name}.safetensors' for name in trained}


def params_of(model):
    "Hyperparameters with their types, those inside lists and tuples too; the device is the machine's"
    def typed(value):
        if isinstance(value, (list, tuple)): return [type(value), *map(typed, value)]
        return [type(value), repr(value)]
    return {name: typed(value) for name, value in model.get_params().items() if name != 'device'}


def assert_same(loaded, model, digits):
    assert type(loaded) is type(model) and params_of(loaded) == params_of(model)
    assert loaded.classes_.dtype == model.classes_.dtype and loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.n_features_in_ == model.n_features_in_ and loaded.scale_ == model.scale_
    expected = model.predict_proba(digits.images)
    answers = loaded.predict_proba(digits.images)
    assert answers.dtype == expected.dtype and answers.tobytes() == expected.tobytes()


# There and back

@pytest.mark.parametrize('name', RUNGS)
def test_round_trip(trained, saved, few, name):
    loaded = load(str(saved[name]))
    assert_same(loaded, trained[name], few)
    assert rung_name(loaded) == name and n_parameters(loaded) == n_parameters(trained[name])
    assert read_rung_file(saved[name])[1]['note'] == 'a fact'
    assert sorted(path.name for path in saved[name].parent.iterdir()) == sorted(path.name for path in saved.values())


@pytest.mark.parametrize('name, params', [
    ('logistic', dict(C=np.float64(.5), tol=1e-3, max_iter=np.int16(40), random_state=None)),
    ('numpy', dict(hidden=np.int64(6), decay=np.bool_(False), activation='sigmoid', random_state=2**100)),
    ('numpy', dict(hidden=6, activation=np.str_('sigmoid'), learning_rate=np.float32(.1), random_state=np.uint8(3))),
    ('torch', dict(hidden=np.uint16(6), momentum=np.float16(.5), weight_decay=1e-300, random_state=None)),
    ('cnn', dict(channels=[2, 3, 4], lean=np.bool_(False), warp=.5, test_shifts=np.int8(1))),
    ('cnn', dict(channels=(np.int64(2), 3, np.int32(4)), batch_size=np.int64(64), max_shift=0, random_state=7)),
], ids=str)
@pytest.mark.filterwarnings('ignore::sklearn.exceptions.ConvergenceWarning', 'ignore:lbfgs failed')
def test_every_hyperparameter_comes_back_with_its_type(few, tmp_path, name, params):
    "NumPy's numbers were dropped, rung 1 kept three parameters of many, tuples came back as lists"
    model = make(name, **params).fit(few)
    save(model, tmp_path/'rung')
    assert_same(load(tmp_path/'rung'), model, few)


@pytest.mark.parametrize('hidden', [np.int16(200), np.uint8(100), np.int8(90)], ids=repr)
@pytest.mark.filterwarnings('error')
def test_a_size_in_a_small_type(few, tmp_path, hidden):
    "The number of bytes overflowed"
    model = make('numpy', hidden=hidden).fit(few)
    save(model, tmp_path/'rung')
    assert_same(load(tmp_path/'rung'), model, few)


def test_a_file_with_a_size_in_a_small_type(few, tmp_path):
    "An OverflowError came through"
    save(make('numpy', hidden=128).fit(few), tmp_path/'rung')
    arrays, metadata = read_rung_file(tmp_path/'rung')
    for kind in ('uint8', 'int16'):
        metadata['params'] = json.dumps(json.loads(metadata['params']) | {'hidden': {f'numpy.{kind}': 128}})
        metadata['sha256'] = rung_digest(arrays, metadata)
        (tmp_path/'forged').write_bytes(safetensors.numpy.save(arrays, metadata))
        assert load(tmp_path/'forged').hidden == 128
    metadata['params'] = json.dumps(json.loads(metadata['params']) | {'hidden': {'numpy.uint8': 127}})
    metadata['sha256'] = rung_digest(arrays, metadata)
    (tmp_path/'forged').write_bytes(safetensors.numpy.save(arrays, metadata))
    with pytest.raises(RungFileError, match='784, 127'): load(tmp_path/'forged')


@pytest.mark.parametrize('error', [OverflowError, TypeError, KeyError, ValueError, IndexError])
def test_any_fault_of_what_a_file_describes_is_one_of_the_file(saved, monkeypatch, error):
    def fail(self, n_features, n_classes): raise error('as never before')
    monkeypatch.setattr(NumpyNet, 'state_shapes', fail)
    with pytest.raises(RungFileError, match='as never before'): load(saved['numpy'])


def test_a_fact_that_is_no_text_is_escaped(trained, few, tmp_path):
    "A folder's name that isn't UTF-8 cost the whole training"
    save(trained['numpy'], tmp_path/'rung', note='\ud800', data=os.fsdecode(b'caf\xe9'), wörter='ünïcode')
    texts = read_rung_file(tmp_path/'rung')[1]
    assert (texts['note'], texts['data'], texts['wörter']) == (r'\ud800', r'caf\udce9', 'ünïcode')
    assert_same(load(tmp_path/'rung'), trained['numpy'], few)


@pytest.mark.parametrize('path, error, message', [
    (None, TypeError, 'Found NoneType for a path'), (True, TypeError, 'Found bool for a path'),
    (0, TypeError, 'Found int for a path'), (io.BytesIO(), TypeError, 'Found BytesIO for a path'),
    ('', ValueError, 'empty name'), ('a\0b', ValueError, 'no name can have')])
def test_what_is_no_path(trained, path, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (lambda: save(trained['numpy'], path), lambda: load(path), lambda: read_rung_file(path)):
        with pytest.raises(error, match=message): use()
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_bytes(trained, few, tmp_path):
    save(trained['numpy'], os.fsencode(tmp_path/'rung'))
    assert_same(load(os.fsencode(tmp_path/'rung')), trained['numpy'], few)
    with pytest.raises(FileNotFoundError, match='^(?!b).*nowhere is no file'): load(os.fsencode(tmp_path/'nowhere'))


def test_a_path_that_ends_in_a_slash(trained, tmp_path):
    "The file of that name was overwritten"
    (tmp_path/'notes.txt').write_text('mine')
    for name in ('notes.txt', 'new'):
        with pytest.raises(IsADirectoryError, match='names a folder'): save(trained['numpy'], f'{tmp_path}/{name}/')
    assert [path.read_text() for path in tmp_path.iterdir()] == ['mine']


def test_the_winner_of_a_grid_search(few, tmp_path):
    "It saved, and could not be loaded or came back with another width"
    search = GridSearchCV(NumpyNet(epochs=1), {'hidden': 2**np.arange(4, 6)}, cv=2).fit(few.pixels(), few.labels)
    save(search.best_estimator_, tmp_path/'rung')
    loaded = load(tmp_path/'rung')
    assert loaded.hidden == search.best_params_['hidden'] and type(loaded.hidden) is np.int64
    assert_same(loaded, search.best_estimator_, few)


@pytest.mark.parametrize('value', [
    None, True, 0, -1, 2**200, .1, -0., 5e-324, float('inf'), float('-inf'), '', 'ünïcode \ud800 \0 "', [], (), [()],
    (1, [2, (3.5, None)]), np.bool_(False), np.int8(-128), np.uint64(2**64 - 1), np.float16(.1), np.float32(.1),
    np.float64(1e300), np.float64('inf'), np.str_('a'), [np.int64(1), 1]], ids=repr)
def test_values_as_json(value):
    back = from_json(to_json(value))
    assert repr(back) == repr(value) and type(back) is type(value)


def test_nan_as_json():
    for value in (float('nan'), np.float32('nan')):
        back = from_json(to_json(value))
        assert type(back) is type(value) and np.isnan(back)


@pytest.mark.parametrize('text', [
    '', '{', '{}', '[1,]', 'nan', 'NaN', '[Infinity]', '1e999', '{"a": 1}', '{"tuple": 1}', '{"tuple": "ab"}',
    '{"tuple": [1], "x": 1}', '{"tuple": [1], "tuple": [1]}', '{"numpy.int8": 128}', '{"numpy.int8": 1.0}',
    '{"numpy.int8": true}', '{"numpy.bool": 1}', '{"numpy.float16": 1e10}', '{"numpy.float32": 0.1}',
    '{"numpy.int64": [1, 2]}', '{"numpy.object": 1}', '{"int64": 1}', '{"numpy.str": 1}', '{"float": "1"}',
    '{"float": 1}', '{"float": "x"}', '[' * 300 + ']' * 300 + ']', '[' * 10**6, '{"a":' * 10**5, '1' * 10**5,
    '{"numpy.int64": {"numpy.int64": 1}}'], ids=lambda text: text[:30])
def test_other_json_is_refused(text):
    with pytest.raises(ValueError): from_json(text)


@pytest.mark.parametrize('name', ['torch', 'cnn'])
def test_a_device_is_never_kept(few, tmp_path, name):
    "Weights from a GPU have to load on a machine without one"
    model = make(name, device='auto').fit(few)
    save(model, tmp_path/'rung')
    assert 'device' not in json.loads(read_rung_file(tmp_path/'rung')[1]['params'])
    loaded = load(tmp_path/'rung')
    assert loaded.device == RUNGS[name].make().device
    np.testing.assert_allclose(loaded.predict_proba(few.images), model.predict_proba(few.images), atol=1e-5)


@pytest.mark.parametrize('name', RUNGS)
@pytest.mark.parametrize('name_of', [
    lambda y: np.where(y > 4, 'high', 'low'), lambda y: np.array([f'digit {i}' for i in y]),
    lambda y: y.astype(np.uint8),
    lambda y: (y - 5).astype(np.int16), lambda y: y > 4, lambda y: y.astype(np.float64), lambda y: y % 2],
    ids=['two words', 'ten words', 'uint8', 'int16', 'bool', 'float64', 'two numbers'])
@pytest.mark.filterwarnings('ignore::sklearn.exceptions.ConvergenceWarning', 'ignore:lbfgs failed')
def test_classes_stay_what_they_were(few, tmp_path, name, name_of):
    model = make(name).fit(few.images, name_of(few.labels))
    save(model, tmp_path/'rung')
    loaded = load(tmp_path/'rung')
    assert_same(loaded, model, few)
    assert loaded.predict(few.images).dtype == model.predict(few.images).dtype


@pytest.mark.parametrize('name', RUNGS)
@pytest.mark.filterwarnings('ignore::sklearn.exceptions.ConvergenceWarning', 'ignore:lbfgs failed')
def test_double_precision_comes_back(few, tmp_path, name):
    x = few.pixels().astype(np.float64) * 10 - 2 # another scale, below zero too
    model = make(name).fit(x, few.labels)
    save(model, tmp_path/'rung')
    loaded = load(tmp_path/'rung')
    assert loaded.predict_proba(x).tobytes() == model.predict_proba(x).tobytes() and loaded.scale_ == model.scale_


def test_a_loaded_rung_can_be_trained_and_saved_again(saved, few, tmp_path):
    for name in RUNGS:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            model = load(saved[name]).fit(few)
        save(model, tmp_path/'rung')
        assert_same(load(tmp_path/'rung'), model, few)


# What is no rung, and what can't be kept

def test_only_the_classes_of_the_ladder_are_rungs(trained, few, tmp_path):
    "Any pipeline with a step called \"logistic\" was taken for rung 1, and came back with other answers"
    class Heir(LogisticRegression): pass
    class Foreign(NumpyNet): pass
    Foreign.__name__ = Foreign.__qualname__ = 'NumpyNet'
    Foreign.__module__ = NumpyNet.__module__
    pipeline = Pipeline([('logistic', Sklearns(tol=.1))]).fit(few.pixels(), few.labels)
    foreign = Foreign(hidden=4, epochs=1).fit(few)
    for model in (pipeline, pipeline[0], Heir().fit(few), foreign, object(), NumpyNet, None):
        with pytest.raises(ValueError, match='is not a rung of the ladder'): rung_name(model)
        with pytest.raises(ValueError, match='is not a rung of the ladder'): save(model, tmp_path/'rung')
    assert not list(tmp_path.iterdir())


def fitted(few, **params): return NumpyNet(hidden=4, epochs=1, **params).fit(few)


@pytest.mark.parametrize('spoil, message', [
    (lambda few: fitted(few, random_state=np.random.default_rng(0)),
     'random_state=Generator.*no place in a file.*set_params'),
    (lambda few: fitted(few).set_params(hidden=5), r'w1: expected F32 or F64 \[784, 5\], found F32 \[784, 4\]'),
    (lambda few: fitted(few).set_params(activation='step'), 'choose from relu, sigmoid'),
    (lambda few: fitted(few).set_params(momentum=object()), 'momentum=<object.*no place in a file'),
    (lambda few: fitted(few).set_params(epochs=10**5000), '4300 digits'),
], ids=['generator', 'other width', 'unknown activation', 'object', 'endless number'])
def test_what_can_not_be_kept_is_said_before_anything_is_written(few, tmp_path, spoil, message):
    model = spoil(few)
    (tmp_path/'rung').write_bytes(b'old')
    with pytest.raises(ValueError, match=message): save(model, tmp_path/'rung')
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b'old']


def test_untrained_diverged_and_talkative(few, trained, tmp_path):
    with pytest.raises(NotFittedError): save(NumpyNet(), tmp_path/'rung')
    model = fitted(few)
    state = model.get_state()
    state['b2'][3] = np.nan
    broken = NumpyNet(hidden=4, epochs=1).set_state(state, model.classes_, 784)
    with pytest.raises(ValueError, match='b2 has numbers that are not finite'): save(broken, tmp_path/'rung')
    with pytest.raises(ValueError, match='keeps rung, sha256. Choose another name'):
        save(model, tmp_path/'rung', sha256=1, rung=2)
    with pytest.raises(ValueError, match='facts are too long'): save(model, tmp_path/'rung', story='x' * MAX_HEADER)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_an_interrupted_save_leaves_the_old_file(trained, tmp_path, monkeypatch, error):
    path = tmp_path/'rung.safetensors'
    path.write_text('old')
    def fail(*_): raise error
    monkeypatch.setattr('os.replace', fail)
    with pytest.raises(error): save(trained['numpy'], path)
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


@posix
def test_save_follows_links_keeps_the_mode_and_spares_devices(trained, tmp_path):
    target = tmp_path/'target'
    target.touch()
    target.chmod(0o600)
    (tmp_path/'link').symlink_to(target)
    save(trained['numpy'], tmp_path/'link')
    assert (tmp_path/'link').is_symlink() and target.stat().st_mode & 0o777 == 0o600
    load(tmp_path/'link')
    with pytest.raises(OSError, match='/dev/null is a device'): save(trained['numpy'], '/dev/null')


# Damaged and foreign files

def parts(path):
    "Header (arrays and texts) and numbers of a safetensors file"
    content = path.read_bytes()
    end = 8 + struct.unpack('<Q', content[:8])[0]
    return json.loads(content[8:end]), content[end:]


def raw(header, numbers=b''):
    "The bytes of a safetensors file, however wrong"
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('<Q', len(header)) + header + numbers


def resigned(path, arrays=None, remove=(), **texts):
    "A file with other texts or arrays whose digest is right: what another program could write"
    old, metadata = read_rung_file(path)
    arrays = old if arrays is None else arrays
    metadata = {name: text for name, text in {**metadata, **texts}.items() if name not in remove}
    if 'sha256' not in remove: metadata['sha256'] = rung_digest(arrays, metadata)
    return safetensors.numpy.save(arrays, metadata)


def with_params(path, **changes):
    params = json.loads(read_rung_file(path)[1]['params'])
    return resigned(path, params=json.dumps({**params, **changes}))


def with_header(path, change):
    "A file whose header was changed by hand"
    header, numbers = parts(path)
    change(header)
    return raw(header, numbers)


def changed(path, **arrays):
    return resigned(path, {**read_rung_file(path)[0], **arrays})


def of_type(dtype, itemsize):
    "All floats declared as `dtype`"
    def change(header):
        at = 0
        for name, entry in header.items():
            if name == '__metadata__': continue
            entry['dtype'] = dtype
            size = int(np.prod(entry['shape'])) * itemsize
            entry['data_offsets'] = [at, at + size]
            at += size
    return change


def without(name):
    def change(header): del header[name]
    return change


def meta(**changes):
    def change(header): header['__metadata__'].update(changes)
    return change


DEEP = json.loads('[' * 400 + ']' * 400)

HOSTILE = { # what is wrong -> (a function that makes the bytes from the files by rung, what the error says)
    'zero bytes': (lambda f: b'', 'no safetensors'),
    'seven bytes': (lambda f: b'1234567', 'no safetensors'),
    'text': (lambda f: b'a text file, and quite a long one', 'no safetensors'),
    'a pickle': (lambda f: pickle.dumps([1, 2, 3]), 'no safetensors'),
    'no header': (lambda f: raw(b''), 'header makes no sense'),
    'header is a list': (lambda f: raw(b'[]'), 'header makes no sense'),
    'header is a number': (lambda f: raw(b'1'), 'header makes no sense'),
    'header is not UTF-8': (lambda f: raw(b'{"\xff": 1}'), 'header makes no sense'),
    'header beyond the end': (lambda f: struct.pack('<Q', 2**63) + bytes(100), 'truncated'),
    'huge header': (lambda f: raw(b'{}'.ljust(MAX_HEADER + 1)), 'of something else'),
    'deeply nested': (lambda f: raw(b'[' * (MAX_HEADER - 10)), 'nested too deeply'),
    'deep objects': (lambda f: raw(b'{"a":' * 200_000), 'nested too deeply'),
    'a name twice': (lambda f: raw(b'{"__metadata__": {}, "__metadata__": {}}'), 'name twice'),
    'metadata is a list': (lambda f: with_header(f['numpy'], lambda h: h.update(__metadata__=[])), 'makes no sense'),
    'metadata has numbers': (lambda f: with_header(f['numpy'], meta(rung=1)), 'of something else'),
    'no metadata': (lambda f: with_header(f['numpy'], without('__metadata__')), 'of something else'),
    'an array is a number': (lambda f: with_header(f['numpy'], lambda h: h.update(w1=1)), 'makes no sense'),
    'no shape': (lambda f: with_header(f['numpy'], lambda h: h['w1'].pop('shape')), 'makes no sense'),
    'no place': (lambda f: with_header(f['numpy'], lambda h: h['w1'].pop('data_offsets')), 'no safetensors'),
    'places overlap': (
        lambda f: with_header(f['numpy'], lambda h: h['b1'].update(h['w1'], shape=[4])), 'no safetensors'),
    'shape is text': (lambda f: with_header(f['numpy'], lambda h: h['w1'].update(shape='a' * 999)), 'w1: expected'),
    'type is a list': (lambda f: with_header(f['numpy'], lambda h: h['w1'].update(dtype=[[]])), 'w1: expected'),
    'shape is deep': (lambda f: with_header(f['numpy'], lambda h: h['w1'].update(shape=DEEP)), 'w1: expected'),
    'negative shape': (lambda f: with_header(f['numpy'], lambda h: h['w1'].update(shape=[-784, -4])), 'w1: expected'),
    'FP8': (lambda f: with_header(f['torch'], of_type('F8_E4M3', 1)), 'expected F32 or F64'),
    'BF16': (lambda f: with_header(f['torch'], of_type('BF16', 2)), 'expected F32 or F64'),
    'F16': (lambda f: with_header(f['numpy'], of_type('F16', 2)), 'expected F32 or F64'),
    'C64': (lambda f: with_header(f['numpy'], of_type('C64', 8)), 'expected F32 or F64'),
    'another format': (lambda f: resigned(f['numpy'], format='other'), 'of something else'),
    'version 1': (lambda f: resigned(f['numpy'], format_version='1'), 'format version 1'),
    'version 3': (lambda f: resigned(f['numpy'], format_version='3'), 'format version 3.*Update'),
    'no version': (lambda f: resigned(f['numpy'], remove=['format_version']), 'format version'),
    'no rung': (lambda f: resigned(f['numpy'], remove=['rung']), 'says nothing about rung'),
    'no parameters': (lambda f: resigned(f['numpy'], remove=['params']), 'says nothing about params'),
    'no digest': (lambda f: resigned(f['numpy'], remove=['sha256']), 'says nothing about sha256'),
    'unknown rung': (lambda f: resigned(f['numpy'], rung='transformer'), 'no rung'),
    'a module as rung': (lambda f: resigned(f['numpy'], rung='os'), 'no rung'),
    'another rung': (lambda f: resigned(f['numpy'], rung='torch'), 'does not fit'),
    'unknown parameter': (lambda f: with_params(f['numpy'], layers=3), 'expected the hyperparameters'),
    'a device': (lambda f: with_params(f['torch'], device='cuda'), 'expected the hyperparameters'),
    'a recipe': (lambda f: with_params(f['numpy'], recipe='regularised'), 'expected the hyperparameters'),
    'a missing parameter': (lambda f: resigned(f['numpy'], params='{"hidden": 4}'), 'expected the hyperparameters'),
    'parameters are a list': (lambda f: resigned(f['numpy'], params='[]'), 'expected the hyperparameters'),
    'parameters are deep': (lambda f: resigned(f['numpy'], params='[' * 400_000), 'nested too deeply'),
    'a parameter is deep': (lambda f: with_params(f['numpy'], hidden=DEEP), 'does not fit'),
    'a parameter twice': (lambda f: resigned(f['numpy'], params='{"hidden": 4, "hidden": 4}'), 'name twice'),
    'unknown tag': (lambda f: with_params(f['numpy'], hidden={'object': 4}), 'not as mnist-steps writes'),
    'no finite rate': (
        lambda f: with_params(f['numpy'], learning_rate={'float': 'nan'}), 'learning_rate=nan is out of'),
    'a million units': (lambda f: with_params(f['numpy'], hidden=10**6), r'\[784, 1000000\], found F32 \[784, 4\]'),
    'a million units in PyTorch': (lambda f: with_params(f['torch'], hidden=10**6), 'does not fit'),
    'endless units': (lambda f: with_params(f['torch'], hidden=10**400), 'does not fit'),
    'half a unit': (lambda f: with_params(f['numpy'], hidden=4.), 'hidden=4.0 is out of bounds'),
    'unknown activation': (lambda f: with_params(f['numpy'], activation='step'), 'choose from relu, sigmoid'),
    'no truth': (lambda f: with_params(f['cnn'], lean='no'), 'lean=.no. is out of bounds'),
    'forty blocks': (lambda f: with_params(f['cnn'], channels=[1] * 40), 'does not fit'),
    'no blocks': (lambda f: with_params(f['cnn'], channels=[]), 'channels=.* is out of bounds'),
    'a block': (lambda f: with_params(f['cnn'], channels=3), 'channels=3 is out of bounds'),
    'wide blocks': (lambda f: with_params(f['cnn'], channels=[10**6] * 3), 'does not fit'),
    'endless blocks': (lambda f: with_params(f['cnn'], channels=[10**400] * 3), 'does not fit'),
    'shifts in words': (lambda f: with_params(f['cnn'], test_shifts='x'), 'test_shifts=.x. is out of bounds'),
    'endless shifts': (lambda f: with_params(f['cnn'], test_shifts=10**9), 'does not fit'),
    'three classes': (lambda f: resigned(f['numpy'], classes='{"int64": [0, 1, 2]}'), r'expected F32 or F64 \[4, 3\]'),
    'three classes of rung 1': (lambda f: resigned(f['logistic'], classes='{"int64": [0, 1, 2]}'), 'coef: expected'),
    'one class': (lambda f: resigned(f['numpy'], classes='{"int64": [0]}'), 'no two or more distinct classes'),
    'no list of classes': (lambda f: resigned(f['numpy'], classes='{"int64": 3}'), 'no two or more distinct classes'),
    'classes in a table': (lambda f: resigned(f['numpy'], classes='{"int64": [[0, 1], [2, 3]]}'), 'distinct classes'),
    'a class twice': (
        lambda f: resigned(f['numpy'], classes='{"int64": [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]}'), 'distinct classes'),
    'classes in disorder': (
        lambda f: resigned(f['numpy'], classes='{"int64": [1, 0, 2, 3, 4, 5, 6, 7, 8, 9]}'), 'in order'),
    'huge classes': (
        lambda f: resigned(f['numpy'], classes=json.dumps({'str': ['x' * 300_000, *'a' * 50_000]})), 'distinct'),
    'classes of objects': (lambda f: resigned(f['numpy'], classes='{"object": [0, 1]}'), 'distinct classes'),
    'endless pixels': (lambda f: resigned(f['numpy'], n_features=str(10**400)), 'no number of features'),
    'many pixels': (lambda f: resigned(f['numpy'], n_features='999999999'), 'does not fit'),
    'many pixels for a net of blocks': (lambda f: resigned(f['cnn'], n_features='999950884'), 'does not fit'),
    'no pixels': (lambda f: resigned(f['numpy'], n_features='0'), 'no number of features'),
    'negative pixels': (lambda f: resigned(f['numpy'], n_features='-784'), 'no number of features'),
    'Arabic pixels': (lambda f: resigned(f['numpy'], n_features='\u0667\u0668\u0664'), 'no number of features'),
    'no square': (lambda f: resigned(f['cnn'], n_features='783'), 'square images'),
    'no scale': (lambda f: resigned(f['numpy'], scale='[0.0, NaN, 1.0]'), 'NaN'),
    'half a scale': (lambda f: resigned(f['numpy'], scale='[0.0, 1.0]'), 'no scale of features'),
    'a missing array': (
        lambda f: resigned(f['numpy'], {'w1': np.zeros((784, 4), np.float32)}), 'expected the arrays b1, b2, w1, w2'),
    'one array more': (lambda f: changed(f['numpy'], w3=np.zeros(3, np.float32)), 'found b1, b2, w1, w2, w3'),
    'a transposed array': (lambda f: changed(f['numpy'], w1=np.zeros((4, 784), np.float32)), 'w1: expected'),
    'an array of integers': (lambda f: changed(f['numpy'], b1=np.zeros(4, np.int64)), 'b1: expected F32 or F64'),
    'a count with a fraction': (
        lambda f: changed(f['cnn'], **{'blocks.0.2.num_batches_tracked': np.array(3, np.float32)}), 'expected I64'),
    'two kinds of floats': (lambda f: changed(f['numpy'], b1=np.zeros(4)), 'two types of floats'),
    'not finite': (
        lambda f: changed(f['numpy'], b1=np.array([1, 2, np.nan, 4], np.float32)), 'b1 has numbers that are not fin'),
    'infinite': (lambda f: changed(f['torch'], **{'output.bias': np.full(10, -np.inf, np.float32)}), 'not finite'),
    'one byte less': (lambda f: f['numpy'].read_bytes()[:-1], 'truncated'),
    'one byte more': (lambda f: f['numpy'].read_bytes() + b'\0', 'truncated or damaged'),
    'one bit': (lambda f: f['numpy'].read_bytes()[:-1] + b'\x01', 'was changed after it was written'),
    'another fact': (lambda f: with_header(f['numpy'], meta(note='a lie')), 'was changed after it was written'),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_files(saved, tmp_path, name):
    content, message = HOSTILE[name]
    path = tmp_path/'hostile'
    path.write_bytes(content(saved))
    for read in (load, read_rung_file):
        start = time.process_time()
        with pytest.raises(RungFileError, match=f'(?s){message}') as e: read(path)
        assert time.process_time() - start < 1
        assert str(path) in str(e.value) and len(str(e.value)) < 1000


resource_check = '''
import resource, sys, time
import mnist_steps.cnn, mnist_steps.logistic
from mnist_steps.rungs import RungFileError, load
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    start = time.process_time()
    try: load(path)
    except RungFileError: pass
    else: sys.exit(f'{path} was loaded')
    seconds = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    grown /= 2**20 if sys.platform == 'darwin' else 2**10
    if seconds > 1 or grown > 100: sys.exit(f'{path} took {seconds} s and {grown} MB')
'''


@posix
def test_no_hostile_file_takes_long_or_much(saved, tmp_path):
    "One second and 100 MB at most, of a process that has done nothing else; foreign files of 2 GB included"
    paths = []
    for i, (content, _) in enumerate(HOSTILE.values()):
        paths.append(tmp_path/f'{i}-{list(HOSTILE)[i].replace(" ", "-")}')
        paths[-1].write_bytes(content(saved))
    size = 2 * 2**30
    entry = {'dtype': 'F32', 'shape': [size // 4], 'data_offsets': [0, size]}
    for name, start in (
            ('foreign', raw({'w': entry})), ('no-safetensors', b'\x93NUMPY'), ('zeros', b''),
            ('ours', with_header(saved['numpy'], lambda header: header.update(w1=entry))),
            ('long', raw(parts(saved['numpy'])[0]))):
        paths.append(tmp_path/name)
        paths[-1].write_bytes(start)
        os.truncate(paths[-1], len(start) + size) # takes no room on the disk
    done = subprocess.run([sys.executable, '-c', resource_check, *map(str, paths)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@posix
def test_a_pipe_or_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path/'pipe')
    for path, kind in ((tmp_path/'pipe', 'a named pipe'), ('/dev/zero', 'a device')):
        with pytest.raises(RungFileError, match=f'{path} is {kind}'): load(path)


def test_folders_and_missing_files(tmp_path):
    for path in (tmp_path/'missing', tmp_path):
        with pytest.raises(FileNotFoundError, match='is no file; a trained rung is written by'): load(path)


def test_a_pickle_is_never_run(tmp_path):
    class Evil:
        def __reduce__(self): return os.mkdir, (str(tmp_path/'harm'),)
    (tmp_path/'evil').write_bytes(pickle.dumps(Evil()))
    with pytest.raises(RungFileError): load(tmp_path/'evil')
    assert not (tmp_path/'harm').exists()


def test_any_program_can_read_the_file(trained, saved):
    "It is an ordinary safetensors file"
    for name, path in saved.items():
        arrays = safetensors.numpy.load_file(path)
        state = trained[name].get_state()
        assert set(arrays) == set(state)
        for key in state: np.testing.assert_array_equal(arrays[key], state[key], strict=True)


# Mutations by the thousand

NASTY = [
    None, True, False, 0, 1, 2, 3, 4, 27, 28, -1, 10**6, 10**9, 2**31, 2**63, 10**20, 10**400, .5, -.5, 0., 1e-300,
    1e308, 'x', '', 'relu', 'sigmoid', 'cuda', [], [1], [4], [1] * 40, [2, 3, 4], [10**9], ['x'], {}, {'tuple': []},
    {'tuple': [2, 3, 4]}, {'tuple': [1] * 12}, {'tuple': [1] * 10**4}, {'tuple': ['x']}, {'numpy.int64': 4},
    {'numpy.int64': 2**62}, {'numpy.int8': 300}, {'numpy.float32': .5}, {'numpy.float16': {'float': 'nan'}},
    {'numpy.bool': True}, {'numpy.str': 'relu'}, {'float': 'inf'}, {'float': 'nan'}, {'float': 1}, {'numpy.str': 3},
    [[[[]]]], {'tuple': {'tuple': []}}]
TEXTS = [
    '', '0', '1', '4', '49', '784', '785', '1e3', '-1', '999999999', '10000000000', 'null', 'true', '[]', '{}', '[[]]',
    'x' * 1000, '\0', '[0.0, 1.0, 0.8]', '[-1.0, 1e300, 0.0]', '[0, 1, 1]', '[1e999, 0.0, 0.0]', '{"int64": [0, 1]}',
    '{"bool": [false, true]}', '{"str": ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]}',
    '{"float64": [0.5, 1e999]}', '{"int64": [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]}',
    '{"uint8": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}', '{"uint8": [0, 256]}', 'logistic', 'numpy', 'torch', 'cnn',
    '[' * 10**5]
KEYS = ['params', 'classes', 'n_features', 'scale', 'rung', 'format', 'format_version', 'libraries', 'version', 'x']


def spoiled(data, rng):
    "Bytes that something has happened to"
    data = bytearray(data)
    end = 8 + struct.unpack('<Q', data[:8])[0]
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(rng.choice([8, end, end, len(data)])) if data else 0
        at = min(at, max(len(data) - 1, 0))
        length = rng.choice([1, 1, 2, 8, 100])
        edit = rng.choice(['bit', 'byte', 'cut', 'insert', 'drop', 'repeat', 'digit', 'zeros'])
        if not data: break
        if edit == 'bit': data[at] ^= 1 << rng.randrange(8)
        elif edit == 'byte': data[at] = rng.randrange(256)
        elif edit == 'cut': del data[at:]
        elif edit == 'insert': data[at:at] = rng.randbytes(length)
        elif edit == 'drop': del data[at:at + length]
        elif edit == 'repeat': data[at:at] = data[at:at + length]
        elif edit == 'digit': data[at] = rng.choice(b'0123456789"[]{},:- ')
        elif edit == 'zeros': data[at:at + length] = bytes(length)
    return bytes(data)


@np.errstate(all='ignore') # numbers too large for another type
def forged(arrays, metadata, rng):
    "A file with something else in it, and the right digest"
    arrays = {name: array.copy() for name, array in arrays.items()}
    metadata = dict(metadata)
    for _ in range(rng.choice([1, 1, 2, 3])):
        edit = rng.choice(
            ['param', 'param', 'param', 'text', 'text', 'character', 'array', 'array', 'value', 'name'])
        if edit == 'param':
            try: params = dict(json.loads(metadata['params']))
            except (KeyError, TypeError, ValueError, RecursionError): params = {}
            name = rng.choice([*params, 'device', 'x'])
            if rng.random() < .1: params.pop(name, None)
            else: params[name] = rng.choice(NASTY)
            metadata['params'] = json.dumps(params)
        elif edit == 'text':
            name = rng.choice(KEYS)
            if rng.random() < .2: metadata.pop(name, None)
            else: metadata[name] = rng.choice(TEXTS)
        elif edit == 'character':
            name = rng.choice(sorted(metadata))
            text = list(metadata[name])
            if text: text[rng.randrange(len(text))] = rng.choice('0123456789"[]{},:-. xe\0')
            metadata[name] = ''.join(text)
        else:
            name = rng.choice(sorted(arrays))
            array = arrays[name]
            if edit == 'value' and array.size and array.dtype.kind == 'f':
                place = rng.randrange(array.size)
                array.reshape(-1)[place] = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e38, 0, 1e-45])
            elif edit == 'name': arrays[rng.choice([name + 'x', 'w1', 'coef', 'hidden.weight'])] = arrays.pop(name)
            elif edit == 'array':
                arrays[name] = np.ascontiguousarray(rng.choice([
                    lambda: array.astype(np.float64), lambda: array.astype(np.float16),
                    lambda: array.astype(np.int64), lambda: array.T, lambda: array.reshape(-1), lambda: array[None],
                    lambda: array[..., :1] if array.ndim else array, lambda: np.zeros((0,)),
                    lambda: array.astype(bool), lambda: np.zeros(1, np.uint8)])())
    metadata['sha256'] = rung_digest(arrays, metadata)
    return safetensors.numpy.save(arrays, metadata)


def try_mutations(path, model, digits, n, seed, folder):
    "How many of `n` mutations were loaded, by kind; asserts that each is right, or refused within a second"
    rng = random.Random(seed)
    content = path.read_bytes()
    arrays, metadata = read_rung_file(path)
    images = digits.images[:2]
    n_loaded = {'damaged': 0, 'forged': 0}
    mutant = folder/'mutant'
    for i in range(n):
        kind = rng.choice(list(n_loaded))
        mutant.write_bytes(spoiled(content, rng) if kind == 'damaged' else forged(arrays, metadata, rng))
        start = time.process_time()
        try: loaded = load(mutant)
        except RungFileError as e:
            assert str(mutant) in str(e)
            continue
        finally: assert time.process_time() - start < 1, f'mutation {i} of seed {seed}'
        n_loaded[kind] += 1
        if kind == 'damaged': assert_same(loaded, model, digits[:2])
        else:
            for x in (images, np.zeros((2, loaded.n_features_in_), np.float32)):
                try: proba = loaded.predict_proba(x)
                except ValueError as e:
                    assert any(words in str(e) for words in ('no probabilities', 'expecting', 'learned from features'))
                else:
                    assert proba.shape == (2, len(loaded.classes_))
                    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    return n_loaded


@pytest.mark.parametrize('name', RUNGS)
def test_hundreds_of_mutations(trained, saved, few, tmp_path, name):
    n_loaded = try_mutations(saved[name], trained[name], few, 250, seed=0, folder=tmp_path)
    assert n_loaded['damaged'] <= 5 and n_loaded['forged'] > 5 # a rung with another random_state is a rung


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(1, 6))
@pytest.mark.parametrize('name', RUNGS)
def test_a_hundred_thousand_mutations(trained, saved, few, tmp_path, name, seed):
    resource = pytest.importorskip('resource')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try_mutations(saved[name], trained[name], few, 5000, seed=seed, folder=tmp_path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * (2**20 if sys.platform == 'darwin' else 2**10)


# The rungs of the package

@pytest.mark.parametrize('name', PRETRAINED)
def test_the_rungs_of_the_package_are_complete(name, tmp_path):
    model = load_pretrained(name)
    assert rung_name(model) == ('cnn' if name == 'drawn' else name)
    with pretrained_file(name) as path:
        arrays, metadata = read_rung_file(path)
        assert metadata['format_version'] == str(FORMAT_VERSION) and 0 < float(metadata['accuracy']) < 1
    save(model, tmp_path/'again')
    again, texts = read_rung_file(tmp_path/'again')
    assert {key: texts[key] for key in ('params', 'classes', 'n_features', 'scale')} == {
        key: metadata[key] for key in ('params', 'classes', 'n_features', 'scale')}
    for key in arrays: np.testing.assert_array_equal(again[key], arrays[key], strict=True)


def test_unknown_names():
    for name in ('keras', None, ['numpy']):
        with pytest.raises(ValueError, match='choose from logistic, numpy, torch, cnn'): find_rung(name)
    with pytest.raises(ValueError, match='choose from logistic, numpy, torch, cnn, drawn'): load_pretrained('keras')
