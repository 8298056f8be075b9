"What the data notebook can't show: digits that stay as they are, splits, batches, folders of other data sets, memory."
import copy
import math
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from helpers import peak_of
from mnist_steps import data
from mnist_steps.data import SERIES, Batches, Digits, load_mnist, one_hot, to_pixels
from mnist_steps.folders import load_digits_dir
from mnist_steps.idx import IDXError, read_idx, write_idx

GOOD = struct.pack('>HBB2I', 0, 8, 2, 2, 3) + b'digits'
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


# Digits

def some(n=30, h=5, w=4, k=3, seed=0):
    rng = np.random.default_rng(seed)
    return Digits(rng.integers(0, 256, (n, h, w), np.uint8), rng.integers(0, k, n))


def test_digits_never_copy_nor_freeze_the_callers_arrays():
    images, labels = np.zeros((3, 2, 2), np.uint8), np.arange(3)
    digits = Digits(images, labels)
    assert np.shares_memory(digits.images, images) and np.shares_memory(digits.labels, labels)
    assert np.shares_memory(digits[1:].images, images)
    images[0] = labels[0] = 1 # still writeable


@pytest.mark.parametrize('make', [
    lambda d: d, lambda d: d[1:], lambda d: d[[0, 1]], lambda d: d[d.labels == 1], lambda d: d.split(5)[0],
    copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_digits_are_read_only(make):
    digits = make(some())
    for array in (digits.images, digits.labels):
        with pytest.raises(ValueError, match='read-only'): array[0] = 0
    with pytest.raises(AttributeError): digits.labels = np.zeros(30, int)
    with pytest.raises(AttributeError): del digits.images


@pytest.mark.parametrize('images, labels, error', [
    (np.zeros((2, 4, 4)), [0, 1], TypeError), (np.zeros((2, 16), np.uint8), [0, 1], ValueError),
    (np.zeros((2, 0, 4), np.uint8), [0, 1], ValueError),
    (np.zeros((2, 4, 4), np.uint8), [0], ValueError), (np.zeros((2, 4, 4), np.uint8), [0., 1.], TypeError),
    (np.zeros((2, 4, 4), np.uint8), [True, False], TypeError), (np.zeros((2, 4, 4), np.uint8), [[0], [1]], ValueError),
    (np.zeros((2, 4, 4), np.uint8), ['0', '1'], TypeError),
    (np.zeros((1, 4, 4), np.uint8), np.array([2**63], np.uint64), ValueError)])
def test_digits_refuse(images, labels, error):
    with pytest.raises(error): Digits(images, labels)


@pytest.mark.parametrize('dtype', [np.uint8, np.int8, np.uint16, np.int32, '>i4', np.int64, np.uint64])
def test_labels_become_int64(dtype):
    digits = Digits(np.zeros((3, 2, 2), np.uint8), np.array([3, 1, 3], dtype))
    assert digits.labels.dtype == np.int64 and digits.labels.dtype.isnative
    assert digits.classes.tolist() == [1, 3]


def test_indexing():
    digits = some()
    for i in (3, -1, np.int64(2)):
        image, label = digits[i]
        assert label == digits.labels[i] and type(label) is int
        np.testing.assert_array_equal(image, digits.images[i])
        with pytest.raises(ValueError, match='read-only'): image[0] = 0
    for i in (slice(2, 20, 3), [4, 1, 1], np.array([0, -1]), digits.labels == 2, []):
        assert len(digits[i]) == (0 if isinstance(i, list) and not i else len(digits.labels[i]))
    np.testing.assert_array_equal(digits[[4, 1]].images, digits.images[[4, 1]])
    for i in (30, -31, [30], np.ones(29, bool)):
        with pytest.raises(IndexError): digits[i]
    for i in (None, 1.5, 'a', [0.5], (0, 1, 2.5), [[0]], True, ...):
        with pytest.raises((TypeError, IndexError)): digits[i]


@pytest.mark.parametrize('digits, says', [
    (some(), 'Digits(30 images of 5 x 4, 3 classes)'), (some(1), 'Digits(1 image of 5 x 4, 1 class)'),
    (some()[:0], 'Digits(0 images of 5 x 4, 0 classes)'), (some(3, 200, 300), 'Digits(3 images of 200 x 300')])
def test_pictures(digits, says):
    page = digits._repr_html_()
    assert repr(digits).startswith(says) and says in page
    assert page.count('<img') == min(10, len(digits)) and len(page) < 100_000


def test_digits_keep_their_writers():
    writers = np.array([7, 7, 7, 5, 5, 5], np.int16)
    digits = Digits(np.zeros((6, 2, 2), np.uint8), [0, 1] * 3, writers, series=[4] * 6)
    assert digits.writers.dtype == digits.series.dtype == np.int64
    for i in (slice(1, 4), [5, 0], digits.labels == 1, []):
        part = digits[i]
        assert part.writers.tolist() == (digits.writers[i].tolist() if len(part) else [])
        assert len(part.series) == len(part)
    fit, valid = digits.split(2)
    assert sorted([*fit.writers, *valid.writers]) == [5, 5, 5, 7, 7, 7]
    again = pickle.loads(pickle.dumps(copy.deepcopy(digits)))
    for name in ('writers', 'series'):
        np.testing.assert_array_equal(getattr(again, name), getattr(digits, name))
        with pytest.raises(ValueError, match='read-only'): getattr(again, name)[0] = 1
    images, labels = digits # two, as ever
    image, label = digits[3]
    assert label == 1


def test_digits_of_which_nobody_knows_the_writers():
    for digits in (some(), some()[2:5], some().split(5)[1], pickle.loads(pickle.dumps(some()))):
        assert digits.writers is None and digits.series is None


@pytest.mark.parametrize('writers, error', [
    ([1, 2], ValueError), ([[1], [2], [3]], ValueError), ([1., 2., 3.], TypeError), (['a', 'b', 'c'], TypeError)])
def test_writers_that_do_not_fit(writers, error):
    for name in ('writers', 'series'):
        with pytest.raises(error, match=name): Digits(np.zeros((3, 2, 2), np.uint8), [0, 1, 2], **{name: writers})


def test_digits_come_apart_into_images_and_labels():
    digits = some()
    images, labels = digits
    assert images is digits.images and labels is digits.labels


def test_one_digit_shows_itself():
    digit = some()[3]
    assert repr(digit) == f'Digit(5 x 4, labelled {digit.label})'
    assert digit._repr_html_().count('<img') == 1 and f'labelled {digit.label}' in digit._repr_html_()


def test_pixels_are_exact_and_need_no_larger_temporary():
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(to_pixels(images)[0], (np.arange(256)/255).astype(np.float32))
    images = np.zeros((2000, 28, 28), np.uint8)
    assert peak_of(lambda: to_pixels(images)) < 4.2*images.size
    assert to_pixels(images[:0]).shape == (0, 784)
    np.testing.assert_array_equal(to_pixels(images[::2, :, ::-1]), to_pixels(images[:1000]))


@pytest.mark.parametrize('images, error', [
    (np.zeros((2, 28, 28)), TypeError), (np.zeros((28, 28), np.uint8), ValueError), ([], TypeError)])
def test_pixels_refuse(images, error):
    with pytest.raises(error): to_pixels(images)


# split

@quick
@given(labels=st.lists(st.integers(0, 5), min_size=2, max_size=60), share=st.floats(0, 1), seed=st.integers(0, 3))
def test_split(labels, share, seed):
    n = len(labels)
    n_valid = min(max(round(share*n), 1), n-1)
    digits = Digits(np.arange(n, dtype=np.uint8).reshape(n, 1, 1), labels) # each image is its own position
    fit, valid = digits.split(n_valid, seed)
    a, b = fit.images.ravel(), valid.images.ravel()
    assert len(valid) == n_valid and sorted([*a, *b]) == list(range(n))
    assert list(a) == sorted(a) and list(b) == sorted(b)
    for c in digits.classes: assert abs((valid.labels == c).sum() - (digits.labels == c).sum()*n_valid/n) < 1
    assert (digits.split(n_valid, seed)[1].images == valid.images).all()


def test_split_takes_shares_generators_and_follows_the_seed():
    digits = some(300)
    assert [len(d) for d in digits.split(0.25)] == [225, 75]
    assert (digits.split(50, 1)[1].images != digits.split(50, 2)[1].images).any()
    assert (digits.split(50, np.random.default_rng(1))[1].images == digits.split(50, 1)[1].images).all()


@pytest.mark.parametrize('n_valid, error', [
    (0, ValueError), (30, ValueError), (-1, ValueError), (10_000, ValueError), (0.0, ValueError), (1.0, ValueError),
    (1e-9, ValueError), (float('nan'), ValueError), (True, TypeError), ('5', TypeError), (None, TypeError)])
def test_impossible_split(n_valid, error):
    with pytest.raises(error, match='n_valid'): some().split(n_valid)


# one_hot and Batches

def test_one_hot():
    rows = one_hot(np.array([2, 0, 1], np.uint8), 3)
    assert rows.dtype == np.float32 and rows.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert one_hot([], 4).shape == (0, 4) and one_hot([1], 2, np.float64).dtype == np.float64
    for labels in ([3], [-1]):
        with pytest.raises(ValueError, match='expected 0 to 2'): one_hot(labels, 3)
    with pytest.raises(TypeError): one_hot([0.5])


@quick
@given(n=st.integers(1, 200), batch_size=st.integers(1, 250), seed=st.none() | st.integers(0, 5))
def test_batches(n, batch_size, seed):
    def make(): return Batches(n, batch_size, None if seed is None else np.random.default_rng(seed))
    batches = make()
    first, second = list(batches), list(batches)
    assert len(first) == len(second) == len(batches) == math.ceil(n/batch_size)
    assert all(b.dtype == np.int64 for b in first) and [len(b) for b in first[:-1]] == [batch_size]*(len(first)-1)
    first, second = np.concatenate(first), np.concatenate(second)
    assert sorted(first) == sorted(second) == list(range(n))
    if seed is None: assert (first == np.arange(n)).all()
    elif n > 20: assert (first != second).any() and (first != np.arange(n)).any()
    assert (np.concatenate(list(make())) == first).all()


def test_batches_draw_from_the_generator_as_they_say():
    order = np.random.default_rng(3).permutation(100)
    np.testing.assert_array_equal(np.concatenate(list(Batches(100, 7, np.random.default_rng(3)))), order)


@pytest.mark.parametrize('args, error', [
    ((0, 1), ValueError), ((5, 0), ValueError), ((5, 2.0), ValueError), ((5, True), ValueError), (('5', 1), ValueError),
    ((5, 1, 0), TypeError), ((5, 1, np.random), TypeError), ((5, 1, np.random.RandomState(0)), TypeError)])
def test_batches_refuse(args, error):
    with pytest.raises(error): Batches(*args)


# The package's own files

def test_mnist():
    train, test = load_mnist()
    assert repr(train) == 'Digits(60,000 images of 28 x 28, 10 classes)' and len(test) == 10_000
    assert load_mnist()[0] is train
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert not train.images.flags.writeable and train.labels.dtype == np.int64


def test_the_writers_of_mnist():
    train, test = load_mnist()
    for digits, employees, students in ((train, 289, 250), (test, 48, 249)):
        assert set(digits.series) == {0, 4} == set(SERIES)
        assert len(np.unique(digits.writers[digits.series == 0])) == employees
        assert len(np.unique(digits.writers[digits.series == 4])) == students
        for writer in np.unique(digits.writers): assert np.ptp(digits.series[digits.writers == writer]) == 0
    assert not set(train.writers) & set(test.writers)
    assert train.writers[:5].tolist() == [2154, 0, 2232, 0, 2168] and test.writers[-1] == 373


def test_mnist_needs_less_than_three_times_its_images():
    assert peak_of(load_mnist.__wrapped__) < 3*70_000*784


@pytest.mark.parametrize('tamper', [
    lambda a: np.where(np.arange(a.size) == 7, a ^ 1, a), lambda a: a[:-1], lambda a: a.reshape(100, -1)])
def test_tampered_package_is_noticed(tmp_path, monkeypatch, tamper):
    labels = read_idx(data._packaged().joinpath('t10k-labels-idx1-ubyte.gz'))
    monkeypatch.setattr(data, '_packaged', lambda: tmp_path)
    write_idx(tmp_path/'t10k-labels-idx1-ubyte.gz', labels)
    np.testing.assert_array_equal(data._read_packaged('t10k-labels-idx1-ubyte'), labels)
    write_idx(tmp_path/'t10k-labels-idx1-ubyte.gz', tamper(labels).astype(np.uint8))
    with pytest.raises(IDXError, match='SHA-256 ff7bcfd4.*Reinstall'): data._read_packaged('t10k-labels-idx1-ubyte')


def test_writers_that_were_changed_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(data, '_packaged', lambda: tmp_path)
    columns = np.stack([load_mnist()[1].series, load_mnist()[1].writers], 1).astype(np.int16)
    file = tmp_path/'t10k-writers-idx2-short.gz'
    write_idx(file, columns)
    np.testing.assert_array_equal(data._read_packaged('t10k-writers-idx2-short'), columns)
    for wrong in (columns[:, ::-1], columns.astype(np.int32), columns[1:]):
        write_idx(file, wrong)
        with pytest.raises(IDXError, match='SHA-256 50ef3f59.*Reinstall'):
            data._read_packaged('t10k-writers-idx2-short')


# Folders of other data sets

TRAIN, TEST = some(40, 6, 5, 4, seed=1), some(12, 6, 5, 4, seed=2)

def make_set(folder, prefix='', test='t10k', dot='-', suffix='', wide=False, parts=(TRAIN, TEST)):
    folder.mkdir(exist_ok=True)
    for part, digits in zip(['train', test], parts):
        write_idx(folder/f'{prefix}{part}-images{dot}idx3-ubyte{suffix}', digits.images)
        labels = digits.labels.astype(np.uint8)
        if wide: labels = np.stack([labels.astype(np.int32)] + [np.arange(len(labels), dtype=np.int32)]*7, 1)
        write_idx(folder/f"{prefix}{part}-labels{dot}idx{'2-int' if wide else '1-ubyte'}{suffix}", labels)
    return folder


def check_set(path, transposed=False):
    for got, want in zip(load_digits_dir(path), (TRAIN, TEST)):
        assert got.writers is None and got.series is None
        np.testing.assert_array_equal(got.images, want.images.transpose(0, 2, 1) if transposed else want.images)
        np.testing.assert_array_equal(got.labels, want.labels)
        assert got.images.flags.c_contiguous and got.labels.flags.c_contiguous


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('options', [
    dict(), dict(dot='.'), dict(prefix='qmnist-', test='test', wide=True), dict(prefix='my-own-'),
                                     dict(test='test')], ids=str)
def test_every_naming(tmp_path, options, suffix):
    check_set(make_set(tmp_path/'set', suffix=suffix, **options))
    check_set(str(tmp_path/'set'))


def test_emnist_is_turned_upright(tmp_path):
    check_set(make_set(tmp_path/'set', prefix='emnist-letters-', test='test', suffix='.gz'), transposed=True)


def test_other_files_and_folders_are_ignored(tmp_path):
    folder = make_set(tmp_path/'set')
    (folder/'train-images.idx3-ubyte').mkdir() # some archives unpack to a folder of the file's name
    (folder/'README').write_text('hello')
    (folder/'qmnist-train-labels.tsv.gz').write_bytes(b'')
    check_set(folder)


def test_plain_file_beside_its_gz_and_narrow_beside_wide_labels(tmp_path):
    folder = make_set(tmp_path/'set', prefix='qmnist-', test='test')
    make_set(folder, prefix='qmnist-', test='test', wide=True, suffix='.gz')
    (folder/'qmnist-train-images-idx3-ubyte.gz').write_bytes(b'never read')
    check_set(folder)


def test_one_of_several_sets(tmp_path):
    folder = make_set(tmp_path/'sets', prefix='emnist-digits-', test='test', parts=(TEST, TRAIN))
    make_set(folder, prefix='emnist-letters-', test='test')
    with pytest.raises(ValueError, match='found emnist-digits, emnist-letters. Choose one'): load_digits_dir(folder)
    check_set(folder/'emnist-letters', transposed=True)
    with pytest.raises(FileNotFoundError, match='no data set of that name'): load_digits_dir(folder/'emnist-balanced')


@pytest.mark.parametrize('missing, says', [
    ('train-images-idx3-ubyte', 'train images'), ('t10k-labels-idx1-ubyte', 'test labels')])
def test_missing_file(tmp_path, missing, says):
    folder = make_set(tmp_path/'set')
    (folder/missing).unlink()
    with pytest.raises(FileNotFoundError, match=f'no file with {says} .*found .*train-labels-idx1-ubyte'):
        load_digits_dir(folder)


def test_ambiguous_file(tmp_path):
    folder = make_set(make_set(tmp_path/'set'), dot='.')
    with pytest.raises(ValueError, match='train-images-idx3-ubyte and train-images.idx3-ubyte'): load_digits_dir(folder)


def test_no_data_set(tmp_path):
    with pytest.raises(FileNotFoundError, match='none of the four files'): load_digits_dir(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such folder'): load_digits_dir(tmp_path/'nowhere')
    with pytest.raises(FileNotFoundError, match='no such folder'): load_digits_dir(tmp_path/'no'/'where')
    (tmp_path/'file').write_bytes(GOOD)
    with pytest.raises(NotADirectoryError, match='found a file'): load_digits_dir(tmp_path/'file')


@pytest.mark.parametrize('path', [None, 5, True, ['set']])
def test_what_is_no_path_is_refused_in_words(path):
    with pytest.raises(TypeError, match='path: expected the name of a folder, found'): load_digits_dir(path)


def test_a_path_as_bytes(tmp_path, monkeypatch):
    folder = make_set(tmp_path/'set')
    check_set(os.fsencode(folder))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'^nope: .* in \. no data set of that name\.$'): load_digits_dir('nope')


def test_files_that_do_not_fit(tmp_path):
    folder = make_set(tmp_path/'set')
    write_idx(folder/'t10k-labels-idx1-ubyte', np.zeros(11, np.uint8))
    with pytest.raises(ValueError, match='12 images.* 11 labels'): load_digits_dir(folder)
    write_idx(folder/'t10k-labels-idx1-ubyte', np.zeros(12, np.float32))
    with pytest.raises(IDXError, match='expected labels'): load_digits_dir(folder)
    write_idx(folder/'t10k-images-idx3-ubyte', np.zeros((12, 30), np.uint8))
    with pytest.raises(IDXError, match='expected images'): load_digits_dir(folder)
