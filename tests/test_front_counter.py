"`import mnist_steps as ms`: instant, and all that most people need."
import importlib
import subprocess
import sys

import pytest

import mnist_steps as ms

NAMES = '''load_mnist load_digits_dir Digits LogisticRegression NumpyNet TorchMLP ConvNet climb save load
load_pretrained read read_all'''.split()


@pytest.mark.parametrize('name', NAMES)
def test_offers(name):
    thing = getattr(ms, name)
    assert getattr(importlib.import_module(thing.__module__), name) is thing
    assert name in dir(ms) and name in ms.__all__


def test_offers_nothing_else():
    assert sorted(ms.__all__) == sorted(NAMES)
    with pytest.raises(AttributeError, match="has no attribute 'fit'"): ms.fit


def test_the_import_fetches_nothing():
    code = 'import sys, mnist_steps; print(sorted(m for m in sys.modules if m.split(".")[0] in {heavy}))'
    heavy = '{"numpy", "sklearn", "torch", "scipy", "PIL", "matplotlib", "fastcore"}'
    done = subprocess.run([sys.executable, '-c', code.replace('{heavy}', heavy)], capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


@pytest.mark.parametrize('name', ['load_mnist', 'LogisticRegression', 'NumpyNet'])
def test_torch_stays_away_until_it_is_needed(name):
    done = subprocess.run(
        [sys.executable, '-c', f'import sys, mnist_steps as ms; ms.{name}; print("torch" in sys.modules)'],
        capture_output=True, text=True)
    assert done.stdout.strip() == 'False', done.stderr


def test_the_package_is_typed():
    assert importlib.resources.files('mnist_steps').joinpath('py.typed').is_file()
