"What several test modules share: a few real digits, in memory and as a folder."
import pytest

from mnist_steps.data import load_mnist, write_idx


@pytest.fixture(scope='session')
def digits():
    "1,000 training and 500 test digits"
    train, test = load_mnist()
    return train[:1000], test[:500]


@pytest.fixture(scope='session')
def digits_dir(digits, tmp_path_factory):
    "The same digits as a folder in MNIST's format"
    folder = tmp_path_factory.mktemp('digits')
    for prefix, part in zip(('train', 't10k'), digits):
        write_idx(folder/f'{prefix}-images-idx3-ubyte.gz', part.images)
        write_idx(folder/f'{prefix}-labels-idx1-ubyte.gz', part.labels.astype('uint8'))
    return folder
