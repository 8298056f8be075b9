"The front door: the same digits are the same rows in every form, and what can't be right is refused in words."
import numpy as np
import pandas as pd
import pytest
import torch

from mnist_steps.inputs import as_rows, check_scale, read_rows, scale_of

INTEGERS = ['uint8', 'int8', 'uint16', 'int16', 'int32', 'uint32', 'int64', 'uint64', '>i4']


@pytest.fixture(scope='module')
def rows(digits):
    return digits[1].images[:20].reshape(20, -1)


def stored(array, tmp_path):
    np.save(tmp_path/'rows.npy', array)
    return np.load(tmp_path/'rows.npy', mmap_mode='r')


CONTAINERS = {
    'array': lambda a, _: a,
    'images': lambda a, _: a.reshape(-1, 28, 28),
    'nested lists': lambda a, _: a.tolist(),
    'list of rows': lambda a, _: list(a),
    'tuple of images': lambda a, _: tuple(a.reshape(-1, 28, 28)),
    'data frame': lambda a, _: pd.DataFrame(a),
    'named columns': lambda a, _: pd.DataFrame(a, columns=[f'pixel{i}' for i in range(784)]),
    'objects': lambda a, _: a.astype(object),
    'Fortran order': lambda a, _: np.asfortranarray(a),
    'reversed twice': lambda a, _: a[::-1, ::-1].copy()[::-1, ::-1],
    'every second of twice as many': lambda a, _: a.repeat(2, axis=0)[::2],
    'memory-mapped': stored,
    'one channel first': lambda a, _: a.reshape(-1, 1, 28, 28),
    'one channel last': lambda a, _: a.reshape(-1, 28, 28, 1)}


@pytest.mark.parametrize('container', CONTAINERS)
@pytest.mark.parametrize('dtype', ['uint8', 'int64', 'float32', 'float64'])
def test_the_scale_follows_the_kind_of_number_and_no_container(rows, tmp_path, container, dtype):
    numbers = rows.astype(dtype)
    expected = (numbers / np.float32(255)).astype(np.float32) if numbers.dtype.kind in 'iu' else numbers
    found = as_rows(CONTAINERS[container](numbers, tmp_path))
    assert found.shape == (20, 784)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('dtype', INTEGERS)
def test_every_integer_is_ink(rows, dtype):
    numbers = (rows // 2).astype(dtype) # int8 ends at 127
    found, are_ink = read_rows(numbers)
    assert are_ink and found.dtype == np.float32
    np.testing.assert_array_equal(found, ((rows // 2) / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int64, torch.int16])
def test_integer_tensors_are_ink(rows, dtype):
    np.testing.assert_array_equal(as_rows(torch.tensor(rows // 2).to(dtype)), as_rows(rows // 2))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_float_tensors_stay_as_they_are(rows, dtype):
    tensor = torch.tensor(rows / 256).to(dtype).requires_grad_()
    np.testing.assert_array_equal(as_rows(tensor), tensor.detach().double().numpy())


def test_black_and_white_is_ink(rows):
    np.testing.assert_array_equal(as_rows(rows > 127), (rows > 127).astype(np.float32))
    np.testing.assert_array_equal(as_rows(torch.tensor(rows > 127)), (rows > 127).astype(np.float32))


@pytest.mark.parametrize('dtype', ['Int64', 'UInt8', 'int16'])
def test_integers_of_pandas_are_ink(rows, dtype):
    np.testing.assert_array_equal(as_rows(pd.DataFrame(rows).astype(dtype)), as_rows(rows))


@pytest.mark.parametrize('wrong', [-1, 256, 2**40])
def test_integers_that_are_no_ink_are_refused(rows, wrong):
    numbers = rows.astype(np.int64)
    numbers[3, 5] = wrong
    for X in (numbers, numbers.tolist(), pd.DataFrame(numbers), torch.tensor(numbers)):
        with pytest.raises(ValueError, match='from 0 to 255') as refusal: as_rows(X)
        assert str(wrong) in str(refusal.value)


def test_one_image_is_one_row(digits):
    test = digits[1]
    for one in (test[0], test.images[0], test.images[0].tolist(), torch.tensor(test.images[0]), test[:1]):
        np.testing.assert_array_equal(as_rows(one, 784), test.pixels()[:1])
    assert as_rows(np.zeros((28, 28), np.uint8), 28).shape == (28, 28) # 28 rows of 28 features


def test_input_is_never_changed(rows):
    for numbers in (rows.copy(), rows / 255):
        before = numbers.copy()
        read_rows(numbers)
        np.testing.assert_array_equal(numbers, before)


def test_ink_of_a_large_set_needs_no_larger_temporary(digits):
    assert as_rows(digits[0].images).dtype == np.float32


def scale(low=0., high=1.): return scale_of(np.linspace(low, high, 2000).reshape(100, 20))


@pytest.mark.parametrize('factor, fits', [
    (1, True), (3, True), (0, True), (16, False), (255, False), (1e300, False), (1 / 255, False)])
def test_another_scale_than_that_of_the_training(factor, fits):
    def check(): check_scale(read_rows(np.random.default_rng(0).random((9, 20)) * factor), scale())
    if fits: check()
    else:
        with pytest.raises(ValueError, match='has learned from features between 0 and 1'): check()


def test_one_digit_on_another_scale_is_found_among_many():
    many = np.random.default_rng(0).random((1000, 20))
    many[777] *= 255
    with pytest.raises(ValueError, match='reach up to 224'): check_scale(read_rows(many), scale())


def test_unusual_features_are_no_other_scale():
    usual = np.random.default_rng(0).random((9, 20))
    noisy = usual + np.random.default_rng(1).normal(0, 1, usual.shape)
    outlier = usual.copy()
    outlier[3, 3] = 255 # a pixel that was hardly ever inked, behind a MinMaxScaler
    for fine in (noisy, outlier, np.zeros((2, 20)), usual[:0]): check_scale(read_rows(fine), scale())
    check_scale(read_rows(usual * 1000), scale(-3, 3)) # behind a StandardScaler anything can happen


def test_ink_for_a_model_that_has_not_learned_from_ink():
    ink = np.full((2, 20), 128, np.uint8)
    for learned in (scale(0, 255), scale(-1, 1)):
        with pytest.raises(ValueError, match='would be read as ink'): check_scale(read_rows(ink), learned)
    check_scale(read_rows(ink), scale())


@pytest.mark.parametrize('levels', [2, 16, 17])
def test_whole_numbers_that_are_no_ink_up_to_255_are_refused(rows, levels):
    "Black and white as 0 and 1 was read as paper, and the answers were at chance level."
    few = (rows.astype(int) * (levels - 1) // 255).astype(np.uint8)
    for X in (few, few[:1], pd.DataFrame(few), few.tolist(), torch.tensor(few)):
        with pytest.raises(ValueError, match=f'whole numbers only reach up to {levels - 1}, .* booleans'):
            check_scale(read_rows(X), scale())
    for fine in (few > 0, few * (255 // (levels - 1)), rows // 8, np.zeros((2, 784), np.uint8)):
        check_scale(read_rows(fine), scale())
    check_scale(read_rows(few), scale_of(as_rows(few))) # learned from the same


@pytest.mark.parametrize('shape', [(7, 112), (112, 7), (1, 28, 28, 3), (5, 28, 28, 4), (2, 2, 2, 7, 7)])
def test_only_a_square_is_an_image_and_colours_are_refused(rows, shape):
    X = np.zeros(shape, np.uint8)
    if len(shape) == 2: assert as_rows(X, 784).shape == shape
    else:
        with pytest.raises(ValueError, match='in grey'): as_rows(X, 784)


NO_DIGITS = {
    'a generator': (lambda d: (image for image in d.images), 'found a generator'),
    'a set': (lambda d: {1, 2}, 'found a set'),
    'None': (lambda d: None, 'found a NoneType'),
    'two sets': (lambda d: (d, d), 'found a tuple of 2'),
    'images and labels': (lambda d: (d.images, d.labels), 'as two arguments'),
    'images of two sizes': (lambda d: [d.images[0], d.images[0, :9]], 'one size'),
    'missing in a frame': (lambda d: pd.DataFrame([[1, pd.NA], [2, 3]], dtype='Int64'), 'missing values'),
    'missing in a list': (lambda d: [[1, None], [2, 3]], 'missing values'),
    'masked': (lambda d: np.ma.masked_equal(d.images, 0), 'masked values')}


@pytest.mark.parametrize('what', NO_DIGITS)
def test_what_is_no_array_of_digits_is_refused_in_words(digits, what):
    make, words = NO_DIGITS[what]
    with pytest.raises(ValueError, match=words): as_rows(make(digits[1]))


def test_a_masked_array_without_a_mask_is_an_array(rows):
    np.testing.assert_array_equal(as_rows(np.ma.array(rows)), as_rows(rows))
