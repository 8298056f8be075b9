"The figures: what they show, what they refuse, and that they need no display."
import math
import subprocess
import sys
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

from helpers import BAD_PROBABILITIES
from mnist_steps import plots as p
from mnist_steps.data import KNOWN_WRONG_LABELS
from mnist_steps.intervals import wilson_from_counts

matplotlib.use('Agg')

@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close('all')

def case(n=60, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 5, 7), dtype=np.uint8), rng.integers(0, k, n), rng.dirichlet(np.ones(k), n)

history = {'numpy': {'loss': [2.0, 1.0], 'valid_accuracy': [0.5, 0.75], 'seconds': [1.0, 2.0]},
           'logistic': {'loss': [1.5]}, 'mine': {'loss': [3.0, 2.0, 1.0], 'valid_accuracy': None}}

figures = [lambda ax: p.plot_confusion(case()[1], case()[2].argmax(1), ax=ax),
           lambda ax: p.plot_confused_pairs(case()[1], case()[2].argmax(1), ax=ax),
           lambda ax: p.plot_mistakes(*case(), ax=ax),
           lambda ax: p.plot_gallery(case()[0][:3], list('abc'), ax=ax),
           lambda ax: p.plot_reliability(*case()[1:], ax=ax),
           lambda ax: p.plot_history(history, ax=ax)]

@pytest.mark.parametrize('figure', figures)
def test_figures_return_their_axes(figure):
    own = figure(None)
    assert isinstance(own, Axes)
    own.figure.canvas.draw()
    given_ax = plt.subplots()[1]
    assert figure(given_ax) is given_ax
    given_ax.figure.canvas.draw()

def texts(ax): return [t.get_text() for t in ax.texts]

def test_confusion_shows_every_count():
    y_true, y_pred = [0, 0, 1, 2], [0, 1, 1, 2]
    assert sorted(texts(p.plot_confusion(y_true, y_pred))) == ['1', '1', '1', '1']
    ax = p.plot_confusion(y_true, y_pred, classes=range(5))
    assert [t.get_text() for t in ax.get_xticklabels()] == list('01234')

@pytest.mark.parametrize('k', [1, 2, 26, 47])
def test_confusion_of_any_size(k):
    y = np.arange(k)
    p.plot_confusion(y, y[::-1]).figure.canvas.draw()

def test_confused_pairs_in_order():
    ax = p.plot_confused_pairs([1, 1, 1, 2, 3], [2, 2, 1, 1, 3])
    assert [t.get_text() for t in ax.get_yticklabels()] == ['1 → 2', '2 → 1']
    assert [p.get_width() for p in ax.patches] == [2, 1]

def test_no_mistakes():
    assert texts(p.plot_confused_pairs([1, 2], [1, 2])) == ['no mistakes']
    assert texts(p.plot_mistakes(np.zeros((1, 2, 2)), [0], [[1, 0]])) == ['no mistakes']
    assert texts(p.plot_gallery(np.zeros((0, 2, 2)), [])) == ['no images']

def test_worst_mistakes_first():
    proba = np.array([[0.6, 0.4, 0], [0.9, 0.1, 0], [1, 0, 0], [0.2, 0.8, 0], [1, 0, 0]])
    ax = p.plot_mistakes(np.zeros((5, 2, 2)), [1, 1, 0, 1, 2], proba, classes=range(3))
    assert texts(ax) == ['2 → 0  100 %\n#4', '1 → 0  90 %\n#1', '1 → 0  60 %\n#0']
    assert len(texts(p.plot_mistakes(np.zeros((5, 2, 2)), [1, 1, 0, 1, 2], proba, n=2))) == 2

def test_known_wrong_labels_are_marked_only_when_asked():
    images, y, proba = case()
    wrong = np.flatnonzero(proba.argmax(1) != y)
    assert not any('known' in t for t in texts(p.plot_mistakes(images, y, proba, n=99)))
    marked = p.plot_mistakes(images, y, proba, n=99, known_wrong=[wrong[0], wrong[1], 10_000])
    assert texts(marked).count('known label error') == 2

def test_known_wrong_labels():
    assert len(set(KNOWN_WRONG_LABELS)) == 15 and max(KNOWN_WRONG_LABELS) < 10_000

def test_bad_images():
    images, y, proba = case()
    with pytest.raises(ValueError, match='one image per sample'): p.plot_mistakes(images[:-1], y, proba)
    with pytest.raises(ValueError, match='one image per sample'): p.plot_mistakes(images.reshape(60, -1), y, proba)
    with pytest.raises(ValueError, match='captions'): p.plot_gallery(images, ['one'])
    with pytest.raises(ValueError, match='shape'): p.plot_gallery(images[0], ['one'])

def test_history():
    ax = p.plot_history(history)
    assert [line.get_label() for line in ax.lines] == ['numpy', 'logistic', 'mine']
    assert [line.get_color() for line in ax.lines[:2]] == [p.RUNG_COLORS['numpy'], p.RUNG_COLORS['logistic']]
    assert len({line.get_linestyle() for line in ax.lines}) == 3
    shares = p.plot_history(history, value='valid_accuracy', over='seconds')
    np.testing.assert_array_equal(shares.lines[0].get_xydata(), [[1, 50], [3, 75]])
    assert len(shares.lines) == 1 and 'valid' in shares.get_ylabel() and '%' in shares.get_ylabel()

def test_bad_history():
    with pytest.raises(ValueError, match='nothing to plot'): p.plot_history(history, value='f1')
    with pytest.raises(ValueError, match='nothing to plot'): p.plot_history({})
    with pytest.raises(ValueError, match='epochs'): p.plot_history(history, over='steps')
    with pytest.raises(TypeError, match='by name'): p.plot_history(history['numpy'])

def test_rung_colors_differ():
    assert list(p.RUNG_COLORS) == ['logistic', 'numpy', 'torch', 'cnn', 'drawn']
    assert len(set(p.RUNG_COLORS.values())) == 5

# The ladder

def step(name, n_right, n=1000, parameters=7850, seconds=2.0):
    return SimpleNamespace(name=name, accuracy=n_right / n, interval=wilson_from_counts(n_right, n),
                           parameters=parameters, seconds=seconds)

def test_ladder_of_anything_with_steps():
    ladder = SimpleNamespace(steps=[step('logistic', 920), step('cnn', 990, parameters=29434, seconds=30.0)])
    axes = p.plot_ladder(ladder)
    assert [ax.get_xlabel() for ax in axes] == ['parameters', 'training time (s)']
    assert axes[0].get_ylabel() == 'test error (%)'
    for ax, costs in zip(axes, [(7850, 29434), (2, 30)]):
        assert texts(ax) == ['logistic', 'cnn']
        points = [container.lines[0].get_xydata()[0] for container in ax.containers]
        np.testing.assert_allclose(points, [(costs[0], 8), (costs[1], 1)])
        assert [container.lines[0].get_color() for container in ax.containers] == [
            p.RUNG_COLORS['logistic'], p.RUNG_COLORS['cnn']]
    own = plt.subplots(1, 2)[1]
    assert p.plot_ladder(ladder, own) is own

def test_ladder_without_a_mistake_and_with_a_model_of_another_name():
    "A logarithmic axis has no 0: the rung must still be on it, finite and named."
    axes = p.plot_ladder(SimpleNamespace(steps=[step('numpy', 100, n=100), step('mine', 70, n=100)]))
    axes[0].figure.canvas.draw()
    for ax in axes:
        assert texts(ax) == ['numpy', 'mine']
        low, high = ax.get_ylim()
        for text in ax.texts:
            assert low < text.xy[1] < high
    assert {'2', '5', '10'} <= {label.get_text() for label in axes[0].get_yticklabels()}

# Pictures side by side

def test_pictures_and_their_titles():
    grey = np.full((4, 6), 128, dtype=np.uint8)
    axes = p.show_pictures({'ink': grey, 'share': grey / 255, 'mask': grey > 5})
    assert [ax.get_title() for ax in axes] == ['ink', 'share', 'mask']
    assert [ax.images[0].get_clim() for ax in axes] == [(0, 255), (0, 1), (0, 1)]
    assert [ax.get_title() for ax in p.show_pictures(np.stack([grey, grey]))] == ['', '']
    with pytest.raises(ValueError, match='no pictures'): p.show_pictures([])

# Bad input, in the words of the metrics

@pytest.mark.parametrize('figure', [p.plot_confusion, p.plot_confused_pairs])
@pytest.mark.parametrize('y_true, y_pred, message', [
    ([], [], 'at least one sample'),
    ([1, 2], [1], '2 samples'),
    ([[1, 2]], [[1, 2]], r'shape \(1, 2\)'),
    (3, 3, r'shape \(\)'),
    ([1.0, math.nan], [1.0, math.nan], 'NaN'),
    ([1, 2], ['1', '2'], 'numbers in both'),
])
def test_bad_labels(figure, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message): figure(y_true, y_pred)

@pytest.mark.parametrize('figure', [
    p.plot_reliability, lambda y, proba: p.plot_mistakes(np.zeros((len(y), 2, 2)), y, proba)])
@pytest.mark.parametrize('y_true, proba, message', BAD_PROBABILITIES)
def test_bad_probabilities(figure, y_true, proba, message):
    with pytest.raises(ValueError, match=message): figure(y_true, proba)

# The module

def run(code):
    "What a program prints."
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.strip()

def test_import_is_light():
    assert run("import sys, mnist_steps.plots; "
               "print([m for m in ('matplotlib', 'sklearn', 'scipy', 'torch') if m in sys.modules])") == '[]'

def test_no_pyplot_where_axes_are_given():
    code = """
import sys
from types import SimpleNamespace
import numpy as np
from matplotlib.figure import Figure
from mnist_steps import plots as p
y, proba, images = np.array([0, 1, 1]), np.array([[.9, .1], [.6, .4], [.1, .9]]), np.zeros((3, 2, 2))
step = SimpleNamespace(name='numpy', accuracy=.9, interval=(.8, .95), parameters=10, seconds=1)
axes = Figure().subplots(4, 2).ravel()
p.plot_confusion(y, proba.argmax(1), ax=axes[0])
p.plot_confused_pairs(y, proba.argmax(1), ax=axes[1])
p.plot_gallery(images, 'abc', ax=axes[2])
p.plot_mistakes(images, y, proba, ax=axes[3])
p.plot_reliability(y, proba, ax=axes[4])
p.plot_history({'numpy': {'loss': [1]}}, ax=axes[5])
p.plot_ladder(SimpleNamespace(steps=[step]), axes[6:])
print('matplotlib.pyplot' in sys.modules)
"""
    assert run(code) == 'False'
