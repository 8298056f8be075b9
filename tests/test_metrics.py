"The metrics against scikit-learn, SciPy and plain loops, on random and degenerate input."
import itertools
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings, strategies as st
from scipy.stats import binomtest

from helpers import BAD_PROBABILITIES, peak_of
from mnist_steps import metrics as m
from mnist_steps.calibration import expected_calibration_error, negative_log_likelihood, reliability
from mnist_steps.comparison import compare_models, mcnemar_test, sign_flip_test
from mnist_steps.intervals import (
    accuracy_interval,
    bootstrap_interval,
    design_effect,
    wilson_from_counts,
    wilson_interval,
)

examples = settings(max_examples=80, deadline=None)

@st.composite
def labels(draw, arrays=2, max_classes=6):
    "`arrays` label arrays of one length; classes may be absent, or there may be only one."
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, max_classes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    names = draw(st.sampled_from([np.arange(k), np.arange(k) * 7 - 3, np.array(list('qwertz')[:k])]))
    return tuple(names[rng.integers(0, k, n)] for _ in range(arrays)) + (names,)

@st.composite
def probabilities(draw):
    "True classes 0 to k-1 and rows of probabilities, some of them exactly 0 or 1."
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    proba = rng.dirichlet(np.full(k, draw(st.sampled_from([0.05, 1.0, 20.0]))), size=n)
    proba[rng.random(n) < draw(st.sampled_from([0.0, 0.5, 1.0]))] = np.eye(k)[rng.integers(k)]
    return rng.integers(0, k, n), proba.astype(draw(st.sampled_from([np.float64, np.float32])))

# Counts

@examples
@given(labels())
def test_counts_equal_scikit_learn(case):
    y_true, y_pred, names = case
    assert m.accuracy(y_true, y_pred) == sk.accuracy_score(y_true, y_pred)
    assert m.accuracy(list(y_true), list(y_pred)) == m.accuracy(y_true, y_pred)
    for classes in (None, names, names[::-1]):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore') # scikit-learn warns of a single class
            expected = sk.confusion_matrix(y_true, y_pred, labels=classes)
        counts = m.confusion_matrix(y_true, y_pred, classes)
        assert counts.dtype == np.int64
        np.testing.assert_array_equal(counts, expected)

@examples
@given(labels())
def test_per_class_equals_scikit_learn(case):
    y_true, y_pred, names = case
    for classes in (None, names, names[::-1]):
        ours = m.precision_recall_f1(y_true, y_pred, classes)
        *shares, support = sk.precision_recall_fscore_support(y_true, y_pred, labels=classes, zero_division=0)
        for a, b in zip((ours.precision, ours.recall, ours.f1), shares): np.testing.assert_allclose(a, b, atol=1e-12)
        np.testing.assert_array_equal(ours.support, support)
        macro = sk.precision_recall_fscore_support(y_true, y_pred, labels=classes, zero_division=0, average='macro')
        np.testing.assert_allclose(ours.macro, macro[:3], atol=1e-12)

@pytest.mark.parametrize('y_true, y_pred', [
    ([4], [4]), ([4], [5]), ([1] * 9, [1] * 9), ([1] * 9, [2] * 9), ([True, False], [True, True])])
def test_few_classes(y_true, y_pred):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        np.testing.assert_array_equal(m.confusion_matrix(y_true, y_pred), sk.confusion_matrix(y_true, y_pred))
    f1 = sk.f1_score(y_true, y_pred, average=None, zero_division=0)
    np.testing.assert_allclose(m.precision_recall_f1(y_true, y_pred).f1, f1)

def test_absent_class():
    table = m.precision_recall_f1([0, 2], [0, 2], classes=range(4))
    np.testing.assert_array_equal(table.f1, [1, 0, 1, 0])
    np.testing.assert_array_equal(table.support, [1, 0, 1, 0])
    assert table.macro == (0.5, 0.5, 0.5)

def test_text_in_object_arrays():
    y_true, y_pred = np.array(['cat', 'dog'], dtype=object), np.array(['cat', 'cat'])
    np.testing.assert_array_equal(m.confusion_matrix(y_true, y_pred), [[1, 0], [1, 0]])

def test_table_shows_itself():
    table = m.precision_recall_f1([0, 0, 1], [0, 1, 1])
    lines = table._repr_markdown_().split('\n')
    assert len(lines) == 5 and all(line.count('|') == 6 for line in lines)
    assert lines[-1] == '| **macro average** | 0.7500 | 0.7500 | 0.6667 | 3 |'
    assert 'macro precision 0.7500' in repr(table)
    assert table.rows()[0] == {'class': 0, 'precision': 1.0, 'recall': 0.5, 'f1': pytest.approx(2 / 3), 'support': 2}
    assert [type(v) for v in table.rows()[0].values()] == [int, float, float, float, int]

def test_table_is_frozen():
    with pytest.raises(AttributeError): m.precision_recall_f1([0], [0]).f1 = 1

pair_metrics = [m.accuracy, m.confusion_matrix, m.precision_recall_f1, wilson_interval, accuracy_interval,
                lambda a, b: compare_models(a, b, b), lambda a, b: design_effect(a, b, np.arange(np.size(a))),
                lambda a, b: mcnemar_test(a, b, b), lambda a, b: mcnemar_test(a, a, b)]

@pytest.mark.parametrize('metric', pair_metrics)
@pytest.mark.parametrize('y_true, y_pred, message', [
    ([], [], 'at least one sample'),
    ([1, 2], [1], '2 samples'),
    ([[1, 2]], [[1, 2]], r'shape \(1, 2\)'),
    (3, 3, r'shape \(\)'),
    ([1.0, math.nan], [1.0, math.nan], 'NaN'),
    ([1, 2], ['1', '2'], 'numbers in both'),
])
def test_bad_labels(metric, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message): metric(y_true, y_pred)

@pytest.mark.parametrize('classes, message', [
    ([0, 1], r'\[3\] are not among'), ([], 'non-empty'), ([[0, 1, 3]], 'non-empty'), ([0, 1, 3, 3], 'more than once'),
    (['0', '1', '3'], 'numbers in both')])
def test_bad_classes(classes, message):
    with pytest.raises(ValueError, match=message): m.confusion_matrix([0, 3], [0, 1], classes)
    with pytest.raises(ValueError, match=message): m.precision_recall_f1([0, 3], [0, 1], classes)

def test_mixed_kinds():
    with pytest.raises(ValueError, match='one kind'): m.confusion_matrix(np.array([1, 'a'], dtype=object), [1, 2])
    with pytest.raises(ValueError, match='numbers in both'): m.class_order(None, [1, 2], ['1'])

def test_class_order():
    assert m.class_order(None, [3, 1], [7, 1, 1]).tolist() == [1, 3, 7]
    assert m.class_order(['b', 'a'], ['a']).tolist() == ['b', 'a']
    with pytest.raises(ValueError, match=r'\[7\] are not among'): m.class_order([1, 3], [3, 1], [7, 1, 1])

def test_checked_probabilities():
    proba, column, classes = m.check_probabilities(['b', 'a', 'b'], [[0, 1], [1, 0], [1, 0]], classes=['b', 'a'])
    assert proba.dtype == np.float64 and proba.tolist() == [[0, 1], [1, 0], [1, 0]]
    assert column.tolist() == [0, 1, 0] and classes.tolist() == ['b', 'a']

def test_a_million_samples():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 10, (2, 1_000_000))
    assert m.confusion_matrix(y_true, y_pred).sum() == 1_000_000

# Probabilities

def log_loss(y_true, proba, k):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return sk.log_loss(y_true, proba, labels=np.arange(k))

@examples
@given(probabilities())
def test_likelihood_equals_scikit_learn(case):
    y_true, proba = case
    ours = negative_log_likelihood(y_true, proba, classes=range(proba.shape[1]))
    assert ours == pytest.approx(log_loss(y_true, proba, proba.shape[1]), rel=2e-6, abs=1e-7)

@examples
@given(probabilities(), st.integers(1, 20))
def test_calibration_error_equals_a_loop(case, bins):
    y_true, proba = case
    confidence, right = proba.max(axis=1).astype(float), proba.argmax(axis=1) == y_true
    edges, expected = np.linspace(0, 1, bins + 1), 0
    for low, high in zip(edges[:-1], edges[1:]): # Guo et al., 2017, equation 3
        inside = (low < confidence) & (confidence <= high)
        if inside.any(): expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    ours = expected_calibration_error(y_true, proba, bins, classes=range(proba.shape[1]))
    assert ours == pytest.approx(expected, abs=1e-12)
    r = reliability(y_true, proba, bins, classes=range(proba.shape[1]))
    assert r.counts.sum() == len(y_true) and r.right.sum() == right.sum() and len(r.edges) == bins + 1
    np.testing.assert_array_equal(np.isnan(r.accuracy), r.counts == 0)

def test_certain_and_wrong_is_finite():
    for dtype in (np.float64, np.float32):
        ours = negative_log_likelihood([0], np.array([[0, 1]], dtype))
        assert ours == pytest.approx(-math.log(np.finfo(dtype).eps))
        assert ours == pytest.approx(log_loss([0], np.array([[0, 1]], dtype), 2))
    assert negative_log_likelihood([0], [[0, 1]]) == pytest.approx(-math.log(np.finfo(float).eps))

def test_which_column_is_which_class():
    proba = [[0.9, 0.1], [0.2, 0.8]]
    expected = -(math.log(0.9) + math.log(0.8)) / 2
    assert negative_log_likelihood([3, 8], proba) == pytest.approx(expected)
    assert negative_log_likelihood(['a', 'b'], proba) == pytest.approx(expected)
    assert negative_log_likelihood([8, 3], proba, classes=[8, 3]) == pytest.approx(expected)
    assert negative_log_likelihood([1, 1], [[0.1, 0.9, 0.0]] * 2) == pytest.approx(-math.log(0.9))
    with pytest.raises(ValueError, match='classes='): negative_log_likelihood([3, 3], proba)
    with pytest.raises(ValueError, match='classes names 3'): negative_log_likelihood([0, 1], proba, classes=range(3))
    with pytest.raises(ValueError, match=r'\[1\] are not among'):
        negative_log_likelihood([0, 1], proba, classes=[0, 2])

def test_float32_softmax_is_accepted():
    z = np.random.default_rng(0).normal(size=(1_000, 10)).astype(np.float32) * 5
    e = np.exp(z - z.max(axis=1, keepdims=True))
    proba = e / e.sum(axis=1, keepdims=True)
    y = z.argmax(axis=1)
    double = negative_log_likelihood(y, proba.astype(np.float64))
    assert negative_log_likelihood(y, proba) == pytest.approx(double, rel=1e-6)

@pytest.mark.parametrize('metric', [
    negative_log_likelihood, expected_calibration_error, reliability, m.check_probabilities])
@pytest.mark.parametrize('y_true, proba, message', BAD_PROBABILITIES)
def test_bad_probabilities(metric, y_true, proba, message):
    with pytest.raises(ValueError, match=message): metric(y_true, proba)

def test_bad_bins():
    with pytest.raises(ValueError, match='at least 1'): expected_calibration_error([0], [[1, 0]], bins=0)

# Intervals and the paired test

@examples
@given(st.integers(1, 10**9), st.floats(0, 1), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_wilson_equals_scipy(n, share, confidence):
    n_right = round(share * n)
    low, high = wilson_from_counts(n_right, n, confidence)
    expected = binomtest(n_right, n).proportion_ci(confidence, method='wilson')
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= low <= n_right / n <= high <= 1

@pytest.mark.parametrize('n_right, n', [
    (0, 1), (1, 1), (0, 10_000), (10_000, 10_000), (9_999, 10_000), (8_203, 10_000)])
def test_wilson_at_the_ends(n_right, n):
    low, high = wilson_from_counts(np.int64(n_right), np.int64(n))
    expected = binomtest(n_right, n).proportion_ci(method='wilson')
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-13)
    assert type(low) is float and type(high) is float

@examples
@given(labels())
def test_wilson_of_predictions(case):
    y_true, y_pred, _ = case
    n_right = int((y_true == y_pred).sum())
    assert wilson_interval(y_true, y_pred, 0.9) == wilson_from_counts(n_right, len(y_true), 0.9)

@pytest.mark.parametrize('args, message', [
    ((0, 0), 'at least one sample'), ((3, 2), 'between 0 and n'), ((-1, 2), 'between 0 and n'),
    ((1, 2, 95), 'confidence'), ((1, 2, 0), 'confidence'), ((1, 2, 1), 'confidence')])
def test_bad_counts(args, message):
    with pytest.raises(ValueError, match=message): wilson_from_counts(*args)
    with pytest.raises(TypeError): wilson_from_counts(1.5, 2)

def split(only_a, only_b, both=3, neither=2):
    "Truth and two predictions that disagree as told."
    a = np.repeat([0, 1, 0, 1], [only_a, only_b, both, neither])
    b = np.repeat([1, 0, 0, 1], [only_a, only_b, both, neither])
    return np.zeros(len(a), dtype=int), a, b

@examples
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_equals_scipy(only_a, only_b):
    y, a, b = split(only_a, only_b)
    n = only_a + only_b
    expected = binomtest(only_a, n).pvalue if n else 1.0
    assert mcnemar_test(y, a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_test(y, a, b) == mcnemar_test(y, b, a)

def test_mcnemar_counts_only_discordant_samples():
    assert mcnemar_test(*split(4, 9, both=0, neither=0)) == mcnemar_test(*split(4, 9, both=500, neither=500))

def test_mcnemar_different_mistakes_are_not_discordant():
    assert mcnemar_test([0, 0], [1, 2], [3, 4]) == 1.0

@pytest.mark.parametrize('only_a, only_b', [
    (5_000, 5_000), (4_900, 5_100), (4_700, 5_300), (0, 10_000), (10_000, 0), (29_500, 30_500)])
def test_mcnemar_large(only_a, only_b):
    p = mcnemar_test(*split(only_a, only_b))
    assert p == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, rel=1e-7, abs=1e-300)

# Digits by one writer belong together

def by_people(n_writers=60, each=20, error=.1, correlation=.2, seed=0):
    "True classes, predicted classes and writers, where some writers are harder to read than others."
    rng = np.random.default_rng(seed)
    shape = (1 - correlation) / correlation
    misread = rng.beta(error * shape, (1 - error) * shape, n_writers)
    writers = np.repeat(np.arange(n_writers), each)
    return np.zeros(len(writers), int), (rng.random(len(writers)) < misread[writers]).astype(int), writers

def test_design_effect_by_hand():
    "Two writers of two digits, all right and all wrong: the variance found is 2/1 * (1 + 1)/16, the other 1/16"
    assert design_effect([0] * 4, [0, 0, 1, 1], list('aabb')) == pytest.approx(4)
    assert design_effect([0] * 4, [0, 1, 0, 1], list('aabb')) == 1
    for y_pred in ([0] * 4, [1] * 4): assert design_effect([0] * 4, y_pred, list('aabb')) == 1

def test_design_effect_equals_the_sandwich_of_a_regression_on_nothing():
    "Cameron and Miller (2015), equation 10, with a constant alone: writers' sums of residuals, squared"
    y_true, y_pred, writers = by_people()
    residual = (y_true == y_pred) - m.accuracy(y_true, y_pred)
    sums = [residual[writers == w].sum() for w in range(60)]
    independent = residual.var() * len(residual)
    assert design_effect(y_true, y_pred, writers) == pytest.approx(60 / 59 * np.sum(np.square(sums)) / independent)

def test_a_writer_for_each_digit_changes_nothing():
    y_true, y_pred, _ = by_people()
    alone = np.arange(len(y_true))
    plain = wilson_interval(y_true, y_pred)
    assert accuracy_interval(y_true, y_pred) == plain
    assert accuracy_interval(y_true, y_pred, alone) == pytest.approx(plain, abs=1e-4) # t for z
    assert bootstrap_interval(y_true == y_pred, alone) == pytest.approx(plain, abs=3e-3)

def test_intervals_by_writers():
    y_true, y_pred, writers = by_people()
    low, high = accuracy_interval(y_true, y_pred, writers)
    narrow = wilson_interval(y_true, y_pred)
    assert low < narrow[0] < m.accuracy(y_true, y_pred) < narrow[1] < high
    assert bootstrap_interval(y_true == y_pred, writers) == pytest.approx((low, high), abs=.012)
    names = np.array([f'writer {w}' for w in writers])
    order = np.random.default_rng(1).permutation(len(names))
    assert accuracy_interval(y_true[order], y_pred[order], names[order]) == pytest.approx((low, high))
    wider = accuracy_interval(y_true, y_pred, writers, confidence=.99)
    assert wider[0] < low and high < wider[1]
    assert accuracy_interval(y_true, y_true, writers)[1] == 1 > accuracy_interval(y_true, y_true, writers)[0] > .99

def test_bootstrap_follows_its_seed():
    y_true, y_pred, writers = by_people(n_writers=9)
    right = y_true == y_pred
    first = bootstrap_interval(right, writers, n_resamples=700)
    assert first == bootstrap_interval(right, writers, n_resamples=700, random_state=np.random.default_rng(0))
    assert first != bootstrap_interval(right, writers, n_resamples=700, random_state=1)
    assert bootstrap_interval(np.full(len(right), .25), writers) == (.25, .25)
    with pytest.raises(ValueError, match='n_resamples: found 0'): bootstrap_interval(right, writers, n_resamples=0)

def test_coverage_where_writers_differ():
    "Wilson's interval misses, the one by writers doesn't; 400 samples of 95 % lie between 92 and 98 % nearly always"
    hits = np.zeros(2)
    for seed in range(400):
        y_true, y_pred, writers = by_people(seed=seed)
        for k, (low, high) in enumerate((wilson_interval(y_true, y_pred),
                                         accuracy_interval(y_true, y_pred, writers))):
            hits[k] += low <= .9 <= high
    assert hits[0] < 300 and 368 < hits[1] < 392

@examples
@given(st.lists(st.integers(-4, 4), max_size=12))
def test_sign_flips_equal_all_sign_flips(differences):
    sums = [sum(s * d for s, d in zip(signs, differences))
            for signs in itertools.product((1, -1), repeat=len(differences))]
    expected = np.mean(np.abs(sums) >= abs(sum(differences)))
    assert sign_flip_test(np.array(differences, int)) == pytest.approx(expected, abs=1e-12)

@examples
@given(st.integers(0, 200), st.integers(0, 200))
def test_sign_flips_of_single_digits_equal_mcnemar(only_a, only_b):
    y, a, b = split(only_a, only_b)
    assert sign_flip_test(np.repeat([1, -1], [only_a, only_b])) == pytest.approx(mcnemar_test(y, a, b), rel=1e-9)

def test_comparison():
    y, first, writers = by_people(seed=1)
    second = by_people(seed=2)[1]
    found = compare_models(y, first, second, writers)
    assert found.difference == pytest.approx(m.accuracy(y, first) - m.accuracy(y, second))
    assert found.low < found.difference < found.high
    turned = compare_models(y, second, first, writers)
    assert turned == pytest.approx((-found.difference, -found.high, -found.low, found.p_value))
    ahead = (first == y).astype(int) - (second == y)
    assert (found.low, found.high) == pytest.approx(bootstrap_interval(ahead, writers), abs=.02)
    assert found.p_value == sign_flip_test(ahead.reshape(60, 20).sum(axis=1))
    plain = compare_models(y, first, second)
    assert plain.p_value == mcnemar_test(y, first, second) < found.p_value
    assert found.low < plain.low < plain.high < found.high

def test_two_models_that_agree_are_not_equal_for_certain():
    y, first, writers = by_people()
    for who in (writers, None):
        difference, low, high, p_value = compare_models(y, first, first, who)
        assert difference == 0 and p_value == 1 and low < -.001 and high > .001
    assert compare_models([0], [0], [1]).p_value == 1

@pytest.mark.parametrize('metric', [
    lambda writers, **options: accuracy_interval([0, 1, 2], [0, 1, 1], writers, **options),
    lambda writers, **options: bootstrap_interval([0, 1, 1], writers, **options),
    lambda writers, **options: compare_models([0, 1, 2], [0, 1, 1], [0, 0, 2], writers, **options)])
def test_bad_writers(metric):
    for writers, message in (([1, 2], 'one writer for each'), ([[1, 2, 3]], 'one writer for each'),
                             ([7] * 3, 'two writers')):
        with pytest.raises(ValueError, match=message): metric(writers)
    for confidence in (0, 1, 95):
        with pytest.raises(ValueError, match='confidence: found'): metric([1, 1, 2], confidence=confidence)

@pytest.mark.parametrize('differences', [[.5, 1], [[1, 2]], ['a']])
def test_bad_differences(differences):
    with pytest.raises(ValueError, match='one integer for each writer'): sign_flip_test(differences)

def test_resampling_is_quick_and_small():
    "As many digits as MNIST has, by as many writers as digits"
    writers = np.arange(10_000)
    assert peak_of(lambda: bootstrap_interval(writers % 2, writers, n_resamples=1_000)) < 150e6

# The module

def test_import_is_light():
    code = ("import sys, mnist_steps.metrics; "
            "print([m for m in ('matplotlib', 'sklearn', 'scipy', 'torch') if m in sys.modules])")
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
