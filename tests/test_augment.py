"Distorted digits: any size and precision, the same every time, and a net that trains on them."
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mnist_steps.augment import distort, distortion_fields, image_side, warp
from mnist_steps.numpy_net import NumpyNet
from mnist_steps.rungs import load, load_pretrained, save


def small_record(**params):
    return NumpyNet.recipe('record', hidden=100, epochs=5, **params)


@pytest.mark.parametrize('side', [2, 3, 16, 29])
@pytest.mark.parametrize('dtype, tolerance', [(np.float32, 1e-4), (np.float64, 1e-12)])
def test_warp_is_bilinear_interpolation(side, dtype, tolerance):
    rng = np.random.default_rng(0)
    x = rng.random((5, side * side)).astype(dtype)
    dy, dx = side * rng.standard_normal((2, 5, side * side))
    warped = warp(x, dy, dx)
    row, column = np.divmod(np.arange(side * side), side)
    expected = []
    for image, down, right in zip(x, dy, dx):
        places = row + down, column + right
        expected.append(map_coordinates(image.reshape(side, side), places, order=1, mode='nearest'))
    assert warped.dtype == dtype and np.allclose(warped, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize('arrange', [
    np.asfortranarray,
    lambda x: x[::-1].copy()[::-1],
    lambda x: x[:, ::-1].copy()[:, ::-1],
    lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
], ids=['Fortran', 'rows from the back', 'columns from the back', 'every second', 'read-only'])
def test_warp_takes_any_order_of_the_same_numbers(arrange):
    rng = np.random.default_rng(0)
    x = rng.random((5, 81))
    dy, dx = rng.standard_normal((2, 5, 81))
    assert np.array_equal(warp(arrange(x), arrange(dy), arrange(dx)), warp(x, dy, dx))


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('n', [1, 7])
def test_distort_keeps_dtype_shape_and_input(dtype, n):
    x = np.random.default_rng(0).random((n, 81)).astype(dtype)
    before = x.copy()
    fields = distortion_fields(81, dtype=dtype)
    bent = distort(x, fields, np.random.default_rng(1))
    assert bent.dtype == dtype and bent.shape == x.shape and np.array_equal(x, before)
    assert np.array_equal(bent, distort(x, fields, np.random.default_rng(1)))
    assert not np.allclose(bent, distort(x, fields, np.random.default_rng(2)))
    assert 0 <= bent.min() <= bent.max() <= 1
    assert len(distort(x[:0], fields, np.random.default_rng(1))) == 0


def test_wrong_input_says_so(digits):
    x = digits[0].pixels()[:5]
    for bad in (x[0], digits[0].images[:5].reshape(5, -1), x.astype(np.float16)):
        with pytest.raises(ValueError, match='Expected rows of float32 or float64'): warp(bad, bad, bad)
    with pytest.raises(ValueError, match='dy: found .* Expected a displacement for each pixel'): warp(x, x[:2], x)
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match='dx: found NaN or infinity'): warp(x, x, np.where(x > .5, value, x))
    for n_pixels in (-4, 0, 1, 2, 783, 10 ** 400 + 1):
        with pytest.raises(ValueError, match=f'Found images of {n_pixels} pixels. Only square images'):
            distortion_fields(n_pixels)
    for smoothness in (0, -1, np.nan):
        with pytest.raises(ValueError, match='smoothness=.* Give the bumps a width'):
            distortion_fields(smoothness=smoothness)
    with pytest.raises(ValueError, match='square images'): small_record().fit(x[:, :700], np.arange(5))
    for value in (-1, np.nan, True, '1'):
        with pytest.raises(ValueError, match='distortion=.* is out of bounds'):
            NumpyNet(distortion=value).fit(x, np.arange(5))


def test_the_side_of_a_square_is_exact_however_large():
    for side in (2, 28, 94_906_267, 10 ** 200): # the square of the third is the first that a float64 rounds
        assert image_side(side * side) == side


@pytest.fixture(scope='module')
def trained(digits):
    return small_record().fit(digits[0].images, digits[0].labels)


def test_the_record_recipe_learns_and_repeats(digits, trained):
    train, test = digits
    assert trained.score(test.images, test.labels) > .8
    again = small_record().fit(train.images, train.labels)
    other = small_record(random_state=1).fit(train.images, train.labels)
    straight = small_record(distortion=0).fit(train.images, train.labels)
    assert all(np.array_equal(again.params_[name], p) for name, p in trained.params_.items())
    assert not np.allclose(other.params_['w1'], trained.params_['w1'])
    assert straight.history_['loss'][-1] < trained.history_['loss'][-1] # bent digits are harder to learn by heart


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_the_record_recipe_keeps_the_precision(digits, dtype):
    x = digits[0].pixels()[:130].astype(dtype)
    net = small_record(distortion=np.float64(1)).fit(x, digits[0].labels[:130])
    assert {p.dtype for p in net.params_.values()} == {np.dtype(dtype)}


def test_files_keep_the_distortion_and_old_ones_have_none(trained, digits, tmp_path):
    save(trained, tmp_path/'record.safetensors')
    again = load(tmp_path/'record.safetensors')
    assert again.get_params() == trained.get_params() and again.distortion == 1
    assert np.array_equal(again.predict_proba(digits[1].images), trained.predict_proba(digits[1].images))
    assert load_pretrained('numpy').distortion == 0
