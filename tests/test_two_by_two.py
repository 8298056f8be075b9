"Two nets, two trainings: whoever swaps the module of a net swaps nothing else."
import numpy as np
import pytest
import torch
from sklearn.base import clone

from mnist_steps.cnn import CNN, ConvNet
from mnist_steps.torch_mlp import MLP, TorchMLP

TRAININGS = { # the dense net and the convolutional one, trained alike
    'as in rung 3': (TorchMLP(), ConvNet.recipe('sgd')),
    'as in rung 4': (TorchMLP.recipe('modern'), ConvNet())}
OF_A_TRAINING = {
    'optimizer', 'epochs', 'batch_size', 'learning_rate', 'momentum', 'weight_decay', 'label_smoothing', 'dropout',
    'max_shift', 'device', 'random_state'}
OF_THE_CONVOLUTIONAL_NET = {'channels', 'lean', 'warp', 'handwriting', 'test_shifts'}
trainings = pytest.mark.parametrize('dense, convolutional', TRAININGS.values(), ids=TRAININGS)


class DenseRungWithConvolutions(TorchMLP):
    "Rung 3 with the module of rung 4."

    def _module(self, n_features, n_classes):
        return CNN(28, (16, 32, 64), n_classes, lean=True)


class ConvolutionalRungWithout(ConvNet):
    "Rung 4 with the module of rung 3."

    def _module(self, n_features, n_classes):
        return MLP(n_features, 128, n_classes)


@trainings
def test_both_nets_are_trained_alike(dense, convolutional):
    a, b = dense.get_params(), convolutional.get_params()
    assert set(a) == OF_A_TRAINING | {'hidden'} and set(b) == OF_A_TRAINING | OF_THE_CONVOLUTIONAL_NET
    assert {name: a[name] for name in OF_A_TRAINING - {'device'}} == {
        name: b[name] for name in OF_A_TRAINING - {'device'}}
    assert not (b['warp'] or b['handwriting'] or b['test_shifts']) # what only a `ConvNet` could do


def test_the_training_does_not_change_the_net():
    for rung_3, rung_4 in zip(*TRAININGS.values()):
        assert rung_3.state_shapes(784, 10) == rung_4.state_shapes(784, 10)


@trainings
def test_the_module_is_all_that_differs(dense, convolutional, digits):
    "Either class learns the same numbers, bit for bit, when it gets the other's module"
    torch.set_num_threads(1)
    few = digits[0][:400]
    for net, other in [(clone(convolutional), DenseRungWithConvolutions(**dense.get_params())),
                       (clone(dense), ConvolutionalRungWithout(**convolutional.get_params()))]:
        models = [model.set_params(epochs=2, random_state=3, device='cpu').fit(few) for model in (net, other)]
        learned, by_other = (model.get_state() for model in models)
        assert list(learned) == list(by_other)
        for name, array in learned.items(): np.testing.assert_array_equal(array, by_other[name], name)
        np.testing.assert_array_equal(*(model.predict_proba(few) for model in models))
