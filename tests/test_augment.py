"Distorted digits: any size and precision, the same every time, and a net that trains on them."
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mnist_steps.augment import distort, distortion_fields, warp
from mnist_steps.rungs import load, load_pretrained, save
from mnist_steps.numpy_net import NumpyNet


def small_record(**params): return NumpyNet.recipe('record', hidden=100, epochs=5, **params)


@pytest.mark.parametrize('side', [2, 3, 16, 29])
@pytest.mark.parametrize('dtype, tolerance', [(np.float32, 1e-4), (np.float64, 1e-12)])
def test_warp_is_bilinear_interpolation(side, dtype, tolerance):
    rng = np.random.default_rng(0)
    x, (dy, dx) = rng.random((5, side * side)).astype(dtype), side * rng.standard_normal((2, 5, side * side))
    warped, places = warp(x, dy, dx), np.divmod(np.arange(side * side), side)
    expected = [map_coordinates(image.reshape(side, side), np.add(places, d), order=1, mode='nearest') for image, *d in zip(x, dy, dx)]
    assert warped.dtype == dtype and np.allclose(warped, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('n', [1, 7])
def test_distort_keeps_dtype_shape_and_input(dtype, n):
    x = np.random.default_rng(0).random((n, 81)).astype(dtype)
    before, fields = x.copy(), distortion_fields(81, dtype=dtype)
    bent = distort(x, fields, np.random.default_rng(1))
    assert bent.dtype == dtype and bent.shape == x.shape and np.array_equal(x, before)
    assert np.array_equal(bent, distort(x, fields, np.random.default_rng(1)))
    assert not np.allclose(bent, distort(x, fields, np.random.default_rng(2)))
    assert 0 <= bent.min() <= bent.max() <= 1 and len(distort(x[:0], fields, np.random.default_rng(1))) == 0


def test_wrong_input_says_so(digits):
    x = digits[0].pixels()[:5]
    for bad in (x[0], digits[0].images[:5].reshape(5, -1), x.astype(np.float16)):
        with pytest.raises(ValueError, match='rows of float32 or float64'): warp(bad, bad, bad)
    with pytest.raises(ValueError, match='dy: expected a displacement for each pixel'): warp(x, x[:2], x)
    for n_pixels in (0, 1, 2, 783):
        with pytest.raises(ValueError, match=f'these have {n_pixels} pixels'): distortion_fields(n_pixels)
    for smoothness in (0, -1, np.nan):
        with pytest.raises(ValueError, match='smoothness=.* expected a width'): distortion_fields(smoothness=smoothness)
    with pytest.raises(ValueError, match='square images'): small_record().fit(x[:, :700], np.arange(5))
    for value in (-1, np.nan, True, '1'):
        with pytest.raises(ValueError, match='distortion=.* is out of bounds'): NumpyNet(distortion=value).fit(x, np.arange(5))


@pytest.fixture(scope='module')
def trained(digits): return small_record().fit(digits[0].images, digits[0].labels)


def test_the_record_recipe_learns_and_repeats(digits, trained):
    train, test = digits
    assert trained.score(test.images, test.labels) > .8
    again, other, straight = (small_record(**params).fit(train.images, train.labels) for params in ({}, {'random_state': 1}, {'distortion': 0}))
    assert all(np.array_equal(again.params_[name], p) for name, p in trained.params_.items())
    assert not np.allclose(other.params_['w1'], trained.params_['w1'])
    assert straight.history_['loss'][-1] < trained.history_['loss'][-1] # bent digits are harder to learn by heart


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_the_record_recipe_keeps_the_precision(digits, dtype):
    net = small_record(distortion=np.float64(1)).fit(digits[0].pixels()[:130].astype(dtype), digits[0].labels[:130])
    assert {p.dtype for p in net.params_.values()} == {np.dtype(dtype)}


def test_files_keep_the_distortion_and_old_ones_have_none(trained, digits, tmp_path):
    save(trained, tmp_path/'record.safetensors')
    again = load(tmp_path/'record.safetensors')
    assert again.get_params() == trained.get_params() and again.distortion == 1
    assert np.array_equal(again.predict_proba(digits[1].images), trained.predict_proba(digits[1].images))
    assert load_pretrained('numpy').distortion == 0
