"What several test modules say alike: measures, pictures as files, and probabilities that are none."
import io
import math
import tracemalloc

import numpy as np

BAD_PROBABILITIES = [ # true classes, probabilities, what the refusal says
    ([], np.zeros((0, 2)), 'at least one sample'),
    ([0, 1], [[1, 0]], '2 samples'),
    ([0, 1], [0.5, 0.5], r'shape \(n, k\)'),
    ([0, 1], [[1.0], [1.0]], r'shape \(n, k\)'),
    ([[0, 1]], [[1, 0]], r'shape \(n,\)'),
    ([0, 1], [[0.5, 0.5], [math.nan, 0.5]], 'NaN, first in row 1'),
    ([0, 1], [[1.5, -0.5], [1, 0]], r'in \[0, 1\]'),
    ([0, 1], [[math.inf, 0], [1, 0]], r'in \[0, 1\]'),
    ([0, 1], [[0.5, 0.5], [0.5, 0.4]], 'row 1 sums to 0.9'),
    ([0, 5], [[0.2, 0.3, 0.5]] * 2, 'one for each column'),
    ([0, 1], [['a', 'b'], ['c', 'd']], 'real numbers')]


def peak_of(function):
    "Peak of the memory that Python allocates during `function()`, in bytes."
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally: tracemalloc.stop()


def difference(a, b):
    "Mean difference of two pictures, relative to their ink; rounding may shift one of them by a pixel."
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return min(np.abs(np.roll(a.astype(float), shift, (0, 1)) - b).sum() for shift in shifts)/b.sum()


def saved(im, name, **options):
    "A picture of Pillow's as the bytes of a file in the format `name`."
    file = io.BytesIO()
    im.save(file, name, **options)
    return file.getvalue()
