"Convolution by hand: settings, dtypes, ties and errors that the page has no room for, beside PyTorch."
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from mnist_steps.cnn import CNN
from mnist_steps.convolution import (
    adamw_step,
    batch_norm,
    batch_norm_backward,
    conv2d,
    conv2d_dimages,
    conv2d_dkernels,
    max_pool,
    max_pool_backward,
    net_backward,
    net_forward,
    one_cycle,
    pad,
    windows,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def statistics(channels, dtype=np.float64):
    return {'mean': np.zeros(channels, dtype), 'variance': np.ones(channels, dtype)}


@pytest.mark.parametrize('sides', [(13, 11), (8, 7), (5, 5)])
@pytest.mark.parametrize('padding', [0, 1, 3])
@pytest.mark.parametrize('stride', [1, 2, 3, 6])
@pytest.mark.parametrize('k', [1, 2, 3, 5])
def test_convolution_is_that_of_pytorch(k, stride, padding, sides, rng):
    images = rng.standard_normal((3, 2, *sides))
    kernels = rng.standard_normal((4, 2, k, k))
    tensors = [torch.tensor(a, requires_grad=True) for a in (images, kernels)]
    theirs = F.conv2d(*tensors, stride=stride, padding=padding)
    ours = conv2d(images, kernels, stride, padding)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs.detach(), rtol=0, atol=1e-13)
    d = rng.standard_normal(ours.shape)
    theirs.backward(torch.tensor(d))
    dkernels = conv2d_dkernels(d, images, k, stride, padding)
    dimages = conv2d_dimages(d, kernels, sides, stride, padding)
    np.testing.assert_allclose(dimages, tensors[0].grad, rtol=0, atol=1e-13)
    np.testing.assert_allclose(dkernels, tensors[1].grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize('size', [1, 2, 3])
def test_pooling_breaks_ties_as_pytorch_does(size, rng):
    maps = rng.integers(0, 3, (4, 3, 7, 9)).astype(float) # of nine numbers, several are equally large
    tensor = torch.tensor(maps, requires_grad=True)
    theirs = F.max_pool2d(tensor, size)
    pooled, winners = max_pool(maps, size)
    np.testing.assert_array_equal(pooled, theirs.detach())
    d = rng.standard_normal(pooled.shape)
    theirs.backward(torch.tensor(d))
    np.testing.assert_array_equal(max_pool_backward(d, winners, (7, 9), size), tensor.grad)


@pytest.mark.parametrize('shape', [(5, 3, 4, 2), (1, 3, 1, 2), (2, 3, 1, 1)])
def test_batch_norm_is_that_of_pytorch(shape, rng):
    theirs = nn.BatchNorm2d(3, dtype=torch.float64)
    running = statistics(3)
    gain, offset = rng.standard_normal((2, 3))
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(gain))
        theirs.bias.copy_(torch.tensor(offset))
    for scale in (1, 10, 1000): # the running statistics remember the batches before
        maps = scale * rng.standard_normal(shape) + scale
        tensor = torch.tensor(maps, requires_grad=True)
        theirs.zero_grad()
        out = theirs(tensor)
        ours, normed, deviation = batch_norm(maps, gain, offset, running, training=True)
        np.testing.assert_allclose(ours, out.detach(), rtol=1e-10, atol=1e-12)
        d = rng.standard_normal(shape)
        out.backward(torch.tensor(d))
        found = batch_norm_backward(d, normed, deviation, gain)
        for a, b in zip(found, (tensor.grad, theirs.weight.grad, theirs.bias.grad)):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(running['mean'], theirs.running_mean, rtol=1e-13)
    np.testing.assert_allclose(running['variance'], theirs.running_var, rtol=1e-12)
    theirs.eval()
    before = {name: a.copy() for name, a in running.items()}
    ours = batch_norm(maps, gain, offset, running, training=False)[0]
    np.testing.assert_allclose(ours, theirs(torch.tensor(maps)).detach(), rtol=1e-10, atol=1e-12)
    for name, a in before.items(): np.testing.assert_array_equal(running[name], a)


@pytest.mark.parametrize('n_steps', [7, 10, 99, 2504])
def test_one_cycle_is_that_of_pytorch(n_steps):
    optimizer = torch.optim.AdamW([torch.zeros(1)], .03)
    schedule = OneCycleLR(optimizer, .03, total_steps=n_steps)
    for step in range(n_steps):
        group = optimizer.param_groups[0]
        np.testing.assert_allclose(one_cycle(step, n_steps, .03), (group['lr'], group['betas'][0]), rtol=1e-9)
        optimizer.step()
        if step < n_steps - 1: schedule.step()


def test_adamw_is_that_of_pytorch(rng):
    params = {'w': rng.standard_normal((3, 4)), 'b': rng.standard_normal(4)}
    theirs = [nn.Parameter(torch.tensor(p)) for p in params.values()]
    optimizer = torch.optim.AdamW(theirs, .1, betas=(.8, .99), weight_decay=.3)
    means, squares = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))
    for step in range(1, 30):
        grads = {name: rng.standard_normal(p.shape) * 10.**rng.integers(-9, 3) for name, p in params.items()}
        for p, g in zip(theirs, grads.values()): p.grad = torch.tensor(g)
        optimizer.step()
        adamw_step(
            params, grads, means, squares, step=step, rate=.1, keep=.8, keep_squares=.99, weight_decay=.3)
    for ours, p in zip(params.values(), theirs): np.testing.assert_allclose(ours, p.detach(), rtol=1e-11)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_the_net_keeps_the_dtype(dtype, rng):
    shapes = {'kernels1': (16, 1, 5, 5), 'kernels2': (32, 16, 3, 3), 'kernels3': (64, 32, 3, 3), 'weights': (576, 10)}
    shapes |= {f'{name}{b}': (n,) for b, n in enumerate((16, 32, 64), start=1) for name in ('gain', 'offset')}
    params = {name: .1 * rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    params['bias'] = np.zeros(10, dtype)
    running = [statistics(n, dtype) for n in (16, 32, 64)]
    images = rng.random((3, 1, 28, 28)).astype(dtype)
    images.flags.writeable = False
    logits, kept = net_forward(params, running, images, training=True)
    grads = net_backward(params, kept, logits)
    means, squares = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))
    adamw_step(params, grads, means, squares, step=1, rate=.01)
    assert logits.dtype == dtype
    assert net_forward(params, running, images, training=False)[0].dtype == dtype
    for arrays in (params, grads, means, squares, *running):
        assert {a.dtype for a in arrays.values()} == {np.dtype(dtype)}
    assert {name: g.shape for name, g in grads.items()} == {name: p.shape for name, p in params.items()}
    assert sum(p.size for p in params.values()) == sum(p.numel() for p in CNN(lean=True).parameters())


def test_windows_are_views_and_forward_changes_nothing(rng):
    images = rng.standard_normal((2, 3, 6, 6))
    before = images.copy()
    assert np.shares_memory(windows(images, 3, 2), images)
    assert not windows(images, 3).flags.writeable
    assert pad(images, 0) is images
    conv2d(images, np.ones((1, 3, 3, 3)), padding=1)
    max_pool(images)
    batch_norm(images, np.ones(3), np.zeros(3), statistics(3), training=True)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize('images, kernels, message', [
    ((28, 28), (1, 1, 3, 3), r'images: found shape \(28, 28\)'),
    ((1, 1, 28, 28), (1, 1, 3, 2), 'square kernels'),
    ((1, 1, 28, 28), (3, 3), r'kernels: found shape \(3, 3\)'),
    ((1, 2, 28, 28), (1, 3, 3, 3), 'found 3 channels in each, and 2 in the images'),
    ((1, 1, 4, 9), (1, 1, 5, 5), 'found windows of 5 x 5 on maps of 4 x 9 pixels'),
])
def test_wrong_shapes_are_named(images, kernels, message):
    with pytest.raises(ValueError, match=message): conv2d(np.ones(images), np.ones(kernels))


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match='stride 0'): conv2d(np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3)), stride=0)
    with pytest.raises(ValueError, match='windows of 3 x 3 on maps of 2 x 2'): max_pool(np.ones((1, 1, 2, 2)), 3)
    with pytest.raises(ValueError, match='found 1 number for each channel'):
        batch_norm(np.ones((1, 2, 1, 1)), np.ones(2), np.zeros(2), statistics(2), training=True)
