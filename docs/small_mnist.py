"""MNIST's first 2,000 training digits, small enough to travel with a page: what `docs/figures/training.js` trains on.

The digits are those of the package, whose authors and terms stand in `mnist_steps/mnist/NOTICE`.
"""
import zlib
from base64 import b64encode

import numpy as np

from mnist_steps.data import load_mnist

N_DIGITS = 2000
# Shades of grey. The mean accuracy on the 10,000 test digits of ten nets with 64 hidden units, trained on 1,700 digits
# for 30 epochs, is 90.4 % with 8 levels as with 256; with 4 levels it is 90.2 %, with 2 levels 89.1 %.
LEVELS = 8

def coarse_digits():
    "Images (2000, 28, 28) uint8 from 0 to `LEVELS` - 1, and their labels"
    train_set, _ = load_mnist()
    images, labels = train_set[:N_DIGITS]
    return np.round(images / 255 * (LEVELS - 1)).astype(np.uint8), labels

def packed_digits():
    """Images and labels as text for JSON. A byte holds two pixels, an upper and a lower one, which deflates better than
    a pixel a byte or two side by side; `images` is (2000, 14, 28) such bytes, deflated, in base64."""
    images, labels = coarse_digits()
    pairs = images[:, ::2] * LEVELS + images[:, 1::2]
    return {
        'images': b64encode(zlib.compress(pairs.tobytes(), 9)).decode(),
        'labels': ''.join(map(str, labels)),
        'levels': LEVELS,
    }
