"""Handwritten digits in four rungs, by one line: `import mnist_steps as ms`.

Each name below is fetched from its module when it is first used, so the import itself takes no time.
"""
__version__ = "0.1.0"

from importlib import import_module

TYPE_CHECKING = False # type checkers take it for True; so nothing of `typing` is needed at run time
if TYPE_CHECKING:
    from .cnn import ConvNet
    from .data import Digits, load_mnist
    from .folders import load_digits_dir
    from .ladder import climb
    from .logistic import LogisticRegression
    from .numpy_net import NumpyNet
    from .reading import read, read_all
    from .rungs import load, load_pretrained, save
    from .torch_mlp import TorchMLP

HOMES = {
    'ConvNet': 'cnn', 'Digits': 'data', 'load_digits_dir': 'folders', 'load_mnist': 'data', 'climb': 'ladder',
    'LogisticRegression': 'logistic', 'NumpyNet': 'numpy_net', 'read': 'reading', 'read_all': 'reading',
    'load': 'rungs', 'load_pretrained': 'rungs', 'save': 'rungs', 'TorchMLP': 'torch_mlp'}

__all__ = [
    'ConvNet', 'Digits', 'LogisticRegression', 'NumpyNet', 'TorchMLP', 'climb', 'load', 'load_digits_dir',
    'load_mnist', 'load_pretrained', 'read', 'read_all', 'save']


def __getattr__(name):
    "The thing called `name`, from its module."
    if name not in HOMES: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    globals()[name] = getattr(import_module(f'.{HOMES[name]}', __name__), name)
    return globals()[name]


def __dir__():
    return [*__all__, '__version__']
