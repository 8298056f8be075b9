"Tensors that remember, against PyTorch's and against nudging."
import numpy as np
import pytest
import torch

from mnist_steps.autograd import Tensor, as_tensor


def composed(make):
    "One number made of every operation there is, with arrays that are broadcast; and what it was made of"
    rng = np.random.default_rng(0)
    x, w, b, row = (make(rng.standard_normal(shape)) for shape in ((5, 4), (4, 3), (3,), (1, 3)))
    h = (x @ w + b).relu() * row + 2
    log_p = h - h.exp().sum(axis=1, keepdims=True).log()
    return (log_p * log_p).sum() + h.sum(axis=0).sum() * -1, (x, w, b, row)


def test_slopes_are_those_of_pytorch():
    loss, ours = composed(Tensor)
    their_loss, theirs = composed(lambda array: torch.tensor(array, requires_grad=True))
    loss.backward()
    their_loss.backward()
    assert float(loss.data) == pytest.approx(their_loss.item(), rel=1e-12)
    for one, other in zip(ours, theirs): np.testing.assert_allclose(one.grad, other.grad.numpy(), rtol=0, atol=1e-12)


def test_slopes_add_up_over_calls():
    w = Tensor([1, 2])
    for _ in range(2): (w * w).sum().backward()
    assert w.grad.tolist() == [4, 8]


def test_parents_come_before_children():
    a = Tensor(2)
    b = a * 3
    tape = (b * (a + b)).tape()
    assert all(tape.index(parent) < tape.index(child) for child in tape for parent in child.parents)


def test_only_a_single_number_has_slopes():
    with pytest.raises(ValueError, match=r'found an array of shape \(2,\)'): (Tensor([1, 2]) * 3).backward()


def test_a_tensor_stays_itself():
    w = Tensor(1)
    assert as_tensor(w) is w and as_tensor(3).data == 3
