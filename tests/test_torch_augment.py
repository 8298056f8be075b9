"Bent and decorated digits: what every batch must keep."
import numpy as np
import pytest
import torch

from mnist_steps.cnn import ConvNet
from mnist_steps.torch_augment import FLOURISHES, HandwrittenDigits, add_flourishes, random_warp, random_width


@pytest.fixture(scope='module')
def batch(digits):
    train, _ = digits
    return torch.from_numpy(train.pixels()).reshape(-1, 1, 28, 28), torch.from_numpy(train.labels.copy())


def test_batches_stay_pictures(batch):
    images, labels = batch
    changed, same = HandwrittenDigits(images, labels, labels)[np.arange(1000)]
    assert changed.shape == images.shape and changed.dtype == torch.float32
    assert changed.min() >= 0 and changed.max() <= 1 + 1e-6
    assert torch.equal(same, labels)
    assert (changed.sum(dim=(1, 2, 3)) > 0).all(), 'a digit vanished'


def test_training_digits_are_not_changed(batch):
    images, labels = batch
    before = images.clone()
    HandwrittenDigits(images, labels, labels)[np.arange(1000)]
    assert torch.equal(images, before)


def test_flourishes_add_ink_to_their_digits_only(batch):
    images, labels = batch
    more = add_flourishes(images, labels) - images
    assert (more >= 0).all()
    touched = more.sum(dim=(1, 2, 3)) > 0
    for digit in range(10):
        share = touched[labels == digit].float().mean().item()
        if digit in FLOURISHES: assert abs(share - FLOURISHES[digit][1]) < .2
        else: assert share == 0


@pytest.mark.parametrize('blank', [torch.zeros(2, 1, 28, 28), torch.ones(2, 1, 28, 28)], ids=['paper', 'ink'])
def test_pictures_without_a_digit(blank):
    for digit in range(10): assert add_flourishes(blank, torch.full((2,), digit)).isfinite().all()
    assert random_warp(blank).isfinite().all() and random_width(blank).isfinite().all()


def test_same_seed_same_net(digits):
    train, test = digits
    def answers(seed):
        net = ConvNet(channels=(4, 8), epochs=1, handwriting=True, random_state=seed)
        return net.fit(train.images, train.labels).predict_proba(test.images)
    fits = [answers(seed) for seed in (1, 1, 2)]
    assert np.array_equal(fits[0], fits[1]) and not np.array_equal(fits[0], fits[2])


def test_flourishes_follow_labels_not_positions(digits, monkeypatch):
    "With classes 3 and 7 only, code 1 means a 7"
    train, _ = digits
    seen = []
    monkeypatch.setattr(
        'mnist_steps.torch_augment.add_flourishes', lambda images, digits, generator: seen.append(digits) or images)
    two = np.isin(train.labels, [3, 7])
    ConvNet(channels=(4, 8), epochs=1, handwriting=True).fit(train.images[two], train.labels[two])
    assert set(torch.cat(seen).tolist()) == {3, 7}


def test_labels_must_be_digits(digits):
    train, _ = digits
    with pytest.raises(ValueError, match='handwriting'):
        ConvNet(handwriting=True, epochs=1).fit(train.images[:50], np.array(['odd', 'even'])[train.labels[:50] % 2])
