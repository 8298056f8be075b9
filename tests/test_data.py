"What the data notebook can't show: round trips of everything, broken files by the thousand, memory, atomic writes."
import copy, gzip, math, os, pickle, struct, tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from mnist_steps import data
from mnist_steps.data import (Batches, Digits, IDX_DTYPES, IDXError, load_digits_dir, load_mnist, one_hot, read_idx,
                              to_pixels, write_idx)

TYPES = [np.dtype(d).newbyteorder('=') for d in IDX_DTYPES.values()]
GOOD = struct.pack('>HBB2I', 0, 8, 2, 2, 3) + b'digits'
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

arrays = hnp.arrays(st.sampled_from(TYPES), hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4))


def peak_of(function):
    "Peak of the memory that Python allocates during `function()`, in bytes."
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally: tracemalloc.stop()


def complaint(path):
    with pytest.raises(IDXError) as e: read_idx(path)
    return str(e.value)


# Round trips

@quick
@given(array=arrays, suffix=st.sampled_from(['.idx', '.gz', '']))
def test_round_trip(tmp_path, array, suffix):
    path = tmp_path/f'array{suffix}'
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype and back.dtype.isnative and back.shape == array.shape
    assert back.tobytes() == array.tobytes() # bit by bit, NaN included
    assert back.flags.writeable
    content = path.read_bytes()
    assert (content[:2] == b'\x1f\x8b') == (suffix == '.gz')
    write_idx(path, array)
    assert path.read_bytes() == content


@pytest.mark.parametrize('array', [
    np.arange(24, dtype='>i4').reshape(2, 3, 4), np.arange(24, dtype='<f8').reshape(2, 3, 4),
    np.arange(24, dtype=np.int16).reshape(4, 6).T, np.arange(24, dtype=np.uint8)[::-2], np.asfortranarray(np.ones((3, 2), np.float32))])
def test_any_memory_layout_round_trips(tmp_path, array):
    write_idx(tmp_path/'a', array)
    np.testing.assert_array_equal(read_idx(tmp_path/'a'), array)


def test_header_is_the_published_format(tmp_path):
    write_idx(tmp_path/'a', np.array([[1, -2]], np.int16))
    assert (tmp_path/'a').read_bytes() == bytes.fromhex('00000b02 00000001 00000002 0001 fffe')


@pytest.mark.parametrize('rank', [0, 1, 7, 32])
def test_every_rank(tmp_path, rank):
    write_idx(tmp_path/'a.gz', np.ones((1,)*rank, np.int8))
    assert read_idx(str(tmp_path/'a.gz')).shape == (1,)*rank


def test_the_name_does_not_matter(tmp_path):
    (tmp_path/'plain.gz').write_bytes(GOOD)
    (tmp_path/'zipped').write_bytes(gzip.compress(GOOD))
    np.testing.assert_array_equal(read_idx(tmp_path/'plain.gz'), read_idx(tmp_path/'zipped'))


# Malformed files

BROKEN = { # name: (content, what the error says)
    'empty': (b'', 'byte 0: expected a magic number of 4 bytes, found the end after 0'),
    'short magic': (b'\0\0\x08', 'byte 3: expected a magic number'),
    'not IDX': (b'\x89PNG\r\n\x1a\n', 'byte 0: expected two zero bytes, found 89 50'),
    'unknown type': (b'\0\0\x0a\x01\0\0\0\0', 'byte 2: expected a type code (08, 09, 0b, 0c, 0d, 0e), found 0a'),
    'too many dimensions': (b'\0\0\x08\xff' + bytes(4*255), 'byte 3: expected at most'),
    'truncated header': (GOOD[:10], 'byte 10: expected a header of 12 bytes, found the end after 10'),
    'truncated data': (GOOD[:-1], 'byte 17: expected 6 bytes of data (2 x 3, uint8), found 5'),
    'no data': (GOOD[:12], 'byte 12: expected 6 bytes of data (2 x 3, uint8), found 0'),
    'trailing byte': (GOOD + b'!', 'byte 18: expected'),
    'promises a bit more than it holds': (struct.pack('>HBB2I', 0, 8, 2, 3, 3) + b'digits', 'expected 9 bytes of data (3 x 3, uint8), found 6'),
    'promises 4 GB': (struct.pack('>HBBI', 0, 8, 1, 2**32-1) + bytes(12), 'byte 4: expected at most 1,073,741,824 bytes of data'),
    'promises more than 64 bits': (struct.pack('>HBB4I', 0, 14, 4, *[2**32-1]*4), 'byte 4: expected at most'),
    'a zero beside sizes that overflow': (struct.pack('>HBB4I', 0, 8, 4, 0, *[2**32-1]*3), 'expected a shape that NumPy can hold'),
}

@pytest.mark.parametrize('zipped', [False, True], ids=['plain', 'gzip'])
@pytest.mark.parametrize('name', BROKEN)
def test_malformed(tmp_path, name, zipped):
    content, says = BROKEN[name]
    path = tmp_path/'broken-file'
    path.write_bytes(gzip.compress(content) if zipped else content)
    message = complaint(path)
    assert str(path) in message and says in message
    assert peak_of(lambda: complaint(path)) < 300_000


ZIPPED = gzip.compress(GOOD, mtime=0)
BROKEN_GZIP = {
    'two bytes': ZIPPED[:2], 'cut in the gzip header': ZIPPED[:7], 'cut in the data': ZIPPED[:15], 'cut in the checksum': ZIPPED[:-2],
    'checksum mismatch': ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:], 'length mismatch': ZIPPED[:-1] + b'\x07',
    'unknown method': ZIPPED[:2] + b'\x07' + ZIPPED[3:], 'damaged stream': ZIPPED[:10] + b'\xff'*8 + ZIPPED[18:],
    'garbage behind': ZIPPED + b'garbage'}

@pytest.mark.parametrize('name', BROKEN_GZIP)
def test_malformed_gzip(tmp_path, name):
    path = tmp_path/'broken-file.gz'
    path.write_bytes(BROKEN_GZIP[name])
    message = complaint(path)
    assert str(path) in message and 'byte' in message and 'expected' in message and 'found' in message


def test_second_gzip_member_is_trailing_data(tmp_path):
    (tmp_path/'a.gz').write_bytes(ZIPPED + gzip.compress(b'more'))
    assert 'byte 18: expected the end' in complaint(tmp_path/'a.gz')


def test_folder_and_missing_file(tmp_path):
    assert 'found a folder' in complaint(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such file'): read_idx(tmp_path/'nowhere')


def test_max_bytes_can_be_raised_and_lowered(tmp_path):
    (tmp_path/'a').write_bytes(GOOD)
    assert read_idx(tmp_path/'a', max_bytes=6).size == 6
    with pytest.raises(IDXError, match='pass max_bytes=6 or more'): read_idx(tmp_path/'a', max_bytes=5)


def test_lying_gzip_header_allocates_little(tmp_path):
    (tmp_path/'a').write_bytes(gzip.compress(struct.pack('>HBBI', 0, 8, 1, 2**30) + bytes(1000)))
    assert peak_of(lambda: complaint(tmp_path/'a')) < 2_500_000


def test_gzip_bomb_allocates_little(tmp_path):
    (tmp_path/'a').write_bytes(gzip.compress(GOOD + bytes(50_000_000), 1))
    assert 'byte 18: expected the end' in complaint(tmp_path/'a')
    assert peak_of(lambda: complaint(tmp_path/'a')) < 2_500_000


@st.composite
def mutants(draw):
    "A valid file after a few random edits."
    content = bytearray(draw(st.sampled_from([GOOD, ZIPPED])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        edit = draw(st.sampled_from(['flip', 'cut', 'insert', 'drop']))
        if edit == 'flip' and at < len(content): content[at] ^= draw(st.integers(1, 255))
        elif edit == 'cut': del content[at:]
        elif edit == 'insert': content[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif edit == 'drop': del content[at:at+1]
    return bytes(content)

@settings(quick, max_examples=500)
@given(content=st.one_of(mutants(), st.binary(max_size=64)))
def test_fuzz(tmp_path, content):
    path = tmp_path/'mutant'
    path.write_bytes(content)
    try: array = read_idx(path)
    except IDXError as e: assert str(path) in str(e)
    else:
        header = gzip.decompress(content) if content[:2] == b'\x1f\x8b' else content
        assert array.shape == struct.unpack(f'>{header[3]}I', header[4:4+4*header[3]])
        assert len(header) == 4 + 4*array.ndim + array.nbytes


# Writing

@pytest.mark.parametrize('dtype', [np.int64, np.uint16, np.uint32, np.uint64, bool, np.float16, complex, object, 'U1', 'datetime64[s]', [('a', 'i4')]])
def test_types_that_idx_lacks(tmp_path, dtype):
    with pytest.raises(IDXError, match='Cast first'): write_idx(tmp_path/'a', np.zeros(2, dtype))
    assert not list(tmp_path.iterdir())


class Broken(Exception): pass

@pytest.mark.parametrize('error', [Broken, OSError, KeyboardInterrupt])
@pytest.mark.parametrize('where', ['replace', 'gzip'])
@pytest.mark.parametrize('old', [True, False])
def test_write_is_atomic(tmp_path, monkeypatch, error, where, old):
    path = tmp_path/'a.gz'
    if old: path.write_bytes(b'the old file')
    def fail(*a, **k): raise error('interrupted')
    with monkeypatch.context() as m:
        if where == 'replace': m.setattr(os, 'replace', fail)
        else: m.setattr(gzip.GzipFile, 'write', fail)
        with pytest.raises(error): write_idx(path, np.zeros(3, np.uint8))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b'the old file']*old


def test_write_needs_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError): write_idx(tmp_path/'nowhere'/'a', np.zeros(3, np.uint8))


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


@pytest.mark.parametrize('make', [lambda d: d, lambda d: d[1:], lambda d: d[[0, 1]], lambda d: d[d.labels == 1], lambda d: d.split(5)[0],
                                  copy.copy, copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d))])
def test_digits_are_read_only(make):
    digits = make(some())
    for array in (digits.images, digits.labels):
        with pytest.raises(ValueError, match='read-only'): array[0] = 0
    with pytest.raises(AttributeError): digits.labels = np.zeros(30, int)
    with pytest.raises(AttributeError): del digits.images


@pytest.mark.parametrize('images, labels, error', [
    (np.zeros((2, 4, 4)), [0, 1], TypeError), (np.zeros((2, 16), np.uint8), [0, 1], ValueError), (np.zeros((2, 0, 4), np.uint8), [0, 1], ValueError),
    (np.zeros((2, 4, 4), np.uint8), [0], ValueError), (np.zeros((2, 4, 4), np.uint8), [0., 1.], TypeError),
    (np.zeros((2, 4, 4), np.uint8), [True, False], TypeError), (np.zeros((2, 4, 4), np.uint8), [[0], [1]], ValueError),
    (np.zeros((2, 4, 4), np.uint8), ['0', '1'], TypeError), (np.zeros((1, 4, 4), np.uint8), np.array([2**63], np.uint64), ValueError)])
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
        assert len(digits[i]) == (0 if i == [] else len(digits.labels[i])) if isinstance(i, list) else len(digits.labels[i])
    np.testing.assert_array_equal(digits[[4, 1]].images, digits.images[[4, 1]])
    for i in (30, -31, [30], np.ones(29, bool)):
        with pytest.raises(IndexError): digits[i]
    for i in (None, 1.5, 'a', [0.5], (0, 1, 2.5), [[0]], True, ...):
        with pytest.raises((TypeError, IndexError)): digits[i]


@pytest.mark.parametrize('digits, says', [(some(), 'Digits(30 images of 5 x 4, 3 classes)'), (some(1), 'Digits(1 image of 5 x 4, 1 class)'),
                                          (some()[:0], 'Digits(0 images of 5 x 4, 0 classes)'), (some(3, 200, 300), 'Digits(3 images of 200 x 300')])
def test_pictures(digits, says):
    page = digits._repr_html_()
    assert repr(digits).startswith(says) and says in page
    assert page.count('<img') == min(10, len(digits)) and len(page) < 100_000


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


@pytest.mark.parametrize('images, error', [(np.zeros((2, 28, 28)), TypeError), (np.zeros((28, 28), np.uint8), ValueError), ([], TypeError)])
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


@pytest.mark.parametrize('n_valid, error', [(0, ValueError), (30, ValueError), (-1, ValueError), (10_000, ValueError), (0.0, ValueError), (1.0, ValueError),
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


@pytest.mark.parametrize('args, error', [((0, 1), ValueError), ((5, 0), ValueError), ((5, 2.0), ValueError), ((5, True), ValueError), (('5', 1), ValueError),
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


def test_mnist_needs_less_than_three_times_its_images():
    assert peak_of(load_mnist.__wrapped__) < 3*70_000*784


@pytest.mark.parametrize('tamper', [lambda a: np.where(np.arange(a.size) == 7, a ^ 1, a), lambda a: a[:-1], lambda a: a.reshape(100, -1)])
def test_tampered_package_is_noticed(tmp_path, monkeypatch, tamper):
    labels = read_idx(data._packaged().joinpath('t10k-labels-idx1-ubyte.gz'))
    monkeypatch.setattr(data, '_packaged', lambda: tmp_path)
    write_idx(tmp_path/'t10k-labels-idx1-ubyte.gz', labels)
    np.testing.assert_array_equal(data._read_packaged('t10k-labels-idx1-ubyte'), labels)
    write_idx(tmp_path/'t10k-labels-idx1-ubyte.gz', tamper(labels).astype(np.uint8))
    with pytest.raises(IDXError, match='SHA-256 ff7bcfd4.*Reinstall'): data._read_packaged('t10k-labels-idx1-ubyte')


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
        np.testing.assert_array_equal(got.images, want.images.transpose(0, 2, 1) if transposed else want.images)
        np.testing.assert_array_equal(got.labels, want.labels)
        assert got.images.flags.c_contiguous and got.labels.flags.c_contiguous


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('options', [dict(), dict(dot='.'), dict(prefix='qmnist-', test='test', wide=True), dict(prefix='my-own-'),
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


@pytest.mark.parametrize('missing, says', [('train-images-idx3-ubyte', 'train images'), ('t10k-labels-idx1-ubyte', 'test labels')])
def test_missing_file(tmp_path, missing, says):
    folder = make_set(tmp_path/'set')
    (folder/missing).unlink()
    with pytest.raises(FileNotFoundError, match=f'no file with {says} .*found .*train-labels-idx1-ubyte'): load_digits_dir(folder)


def test_ambiguous_file(tmp_path):
    folder = make_set(make_set(tmp_path/'set'), dot='.')
    with pytest.raises(ValueError, match='train-images-idx3-ubyte and train-images.idx3-ubyte'): load_digits_dir(folder)


def test_no_data_set(tmp_path):
    with pytest.raises(FileNotFoundError, match='none of the four files'): load_digits_dir(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such folder'): load_digits_dir(tmp_path/'nowhere')
    with pytest.raises(FileNotFoundError, match='no such folder'): load_digits_dir(tmp_path/'no'/'where')
    (tmp_path/'file').write_bytes(GOOD)
    with pytest.raises(NotADirectoryError, match='found a file'): load_digits_dir(tmp_path/'file')


def test_files_that_do_not_fit(tmp_path):
    folder = make_set(tmp_path/'set')
    write_idx(folder/'t10k-labels-idx1-ubyte', np.zeros(11, np.uint8))
    with pytest.raises(ValueError, match='12 images.* 11 labels'): load_digits_dir(folder)
    write_idx(folder/'t10k-labels-idx1-ubyte', np.zeros(12, np.float32))
    with pytest.raises(IDXError, match='expected labels'): load_digits_dir(folder)
    write_idx(folder/'t10k-images-idx3-ubyte', np.zeros((12, 30), np.uint8))
    with pytest.raises(IDXError, match='expected images'): load_digits_dir(folder)
