"Climbing: what a ladder holds and shows, and what is refused before anything is trained."
import json
from pathlib import Path

import numpy as np
import pytest

from mnist_steps import ladder as L
from mnist_steps.comparison import compare_models, mcnemar_test
from mnist_steps.data import Digits, load_mnist
from mnist_steps.folders import load_digits_dir
from mnist_steps.intervals import accuracy_interval, wilson_interval
from mnist_steps.logistic import LogisticRegression
from mnist_steps.metrics import confusion_matrix
from mnist_steps.rungs import RUNGS, load, load_pretrained, n_parameters, read_rung_file


@pytest.fixture(scope='module')
def climbed(digits):
    return L.climb(data=digits, seed=1, progress=None, recipes={'cnn': 'fast'}, name='few')


@pytest.fixture(scope='module')
def strange(digits):
    "A ladder whose test digits have a class that the training digits lack"
    train, test = digits
    known = train[train.labels < 9]
    return L.climb(['logistic', 'numpy'], (known, test), progress=None, name='strange')


# A mapping that shows itself

def test_a_ladder_is_a_mapping(climbed):
    assert list(climbed) == list(climbed.keys()) == ['logistic', 'numpy', 'torch', 'cnn'] and len(climbed) == 4
    assert 'numpy' in climbed and 'keras' not in climbed
    assert list(climbed.values()) == climbed.steps
    assert dict(climbed.items())['numpy'] is climbed['numpy'] is climbed.steps[1]
    assert climbed.get('keras') is None and climbed == climbed


def test_an_unknown_rung_is_named_with_those_that_there_are(climbed):
    for name in ('keras', 0, None):
        with pytest.raises(KeyError, match='choose from logistic, numpy, torch, cnn'): climbed[name]


def test_table(climbed):
    assert repr(climbed) == str(climbed)
    for text in (str(climbed), climbed._repr_markdown_()):
        assert len(text.splitlines()) >= 5 and f'{climbed["cnn"].accuracy:.2%}' in text


def test_tables_of_any_rows():
    rows = [('name', 'n'), ('a', '1,000'), ('long', '2')]
    assert L.text_table(rows) == 'name      n\na     1,000\nlong      2'
    assert L.markdown_table(iter(rows)) == '| name | n |\n|:--|--:|\n| a | 1,000 |\n| long | 2 |'


def test_report(climbed):
    report = json.loads(json.dumps(climbed.to_dict()))
    assert set(report) == {'version', 'seed', 'data', 'rungs'} and report['seed'] == 1 and report['data'] == 'few'
    assert [rung['name'] for rung in report['rungs']] == list(RUNGS)
    for rung, step in zip(report['rungs'], climbed.steps):
        low, high = rung['interval']
        assert low < rung['accuracy'] < high
        assert np.trace(rung['confusion_matrix']) / np.sum(rung['confusion_matrix']) == rung['accuracy']
        assert sum(row['support'] for row in rung['per_class']) == 500
        assert (rung['p_against_previous'] is None) == (rung['name'] == 'logistic')
        assert rung['interval_by'] == 'writers'
        assert step.mistakes == round(500 * (1 - rung['accuracy']))
    assert [rung['parameters'] for rung in report['rungs']] == [7850, 101770, 101770, 29434]


def test_the_front_page_shows_the_rungs_of_the_package():
    "The four rungs of the package are those of the stored report: the same nets, parameter for parameter"
    test = load_mnist()[1]
    stored = json.loads((Path(__file__).parents[1]/'nbs'/'report.json').read_text(encoding='utf-8'))['rungs']
    assert [rung['name'] for rung in stored] == list(RUNGS)
    for rung in stored:
        model = load_pretrained(rung['name'])
        assert n_parameters(model) == rung['parameters']
        assert model.get_params() == RUNGS[rung['name']].make().get_params()
        confusion = confusion_matrix(test.labels, model.predict(test.images))
        # another processor may round two digits to another side
        assert np.abs(confusion - rung['confusion_matrix']).sum() <= 4


# Writers

def test_intervals_and_p_values_take_writers_as_a_whole_where_they_are_known(climbed, digits):
    test = digits[1]
    known = climbed['numpy']
    assert (known.writers == test.writers).all() and '95 % interval by writers' in str(climbed)
    assert known.interval == accuracy_interval(test.labels, known.y_pred, test.writers)
    below = climbed['logistic'].y_pred
    assert known.p_against_previous == compare_models(test.labels, known.y_pred, below, test.writers).p_value
    unknown = L.Step('numpy', known.model, 1., test.labels, known.y_pred, below)
    assert unknown.interval_by == unknown.to_dict()['interval_by'] == 'digits'
    assert unknown.interval == wilson_interval(test.labels, known.y_pred)
    assert unknown.p_against_previous == mcnemar_test(test.labels, known.y_pred, below)
    assert 'by writers' not in str(L.Ladder([unknown], 0, 'few'))


def test_test_digits_by_one_writer_alone(digits):
    train, test = digits
    alone = test[test.writers == test.writers[0]]
    assert L.climb('numpy', (train[:100], alone), progress=None)['numpy'].interval_by == 'digits'


def test_a_folder_of_digits_knows_no_writers(digits_dir):
    assert L.climb('numpy', load_digits_dir(digits_dir), progress=None)['numpy'].interval_by == 'digits'


# A class that only the test digits have

def test_a_class_that_only_the_test_digits_have(strange, digits):
    report = json.loads(json.dumps(strange.to_dict()))
    nines = int((digits[1].labels == 9).sum())
    assert nines > 0
    for rung in report['rungs']:
        assert rung['classes'] == list(range(10))
        assert np.shape(rung['confusion_matrix']) == (10, 10) and np.sum(rung['confusion_matrix']) == 500
        assert rung['per_class'][9] == {'precision': 0, 'recall': 0, 'f1': 0, 'support': nines}


def test_a_report_with_a_class_that_only_the_test_digits_have(strange, tmp_path):
    L.save_report(strange, tmp_path)
    assert json.loads((tmp_path/'report.json').read_text()) == strange.to_dict()


def test_a_class_that_only_the_training_digits_have(digits):
    train, test = digits
    few = L.climb(['numpy'], (train[:100], test[test.labels < 2]), progress=None)
    assert few['numpy'].classes.tolist() == list(range(10))
    assert few['numpy'].to_dict()['per_class'][9]['support'] == 0


def test_a_step_that_nobody_timed(climbed, digits):
    model = climbed['numpy'].model
    step = L.Step('numpy', model, None, digits[1].labels, model.predict(digits[1]), writers=digits[1].writers)
    assert step.to_dict() == {**climbed['numpy'].to_dict(), 'seconds': None, 'p_against_previous': None}
    assert step.per_class().rows()[3]['class'] == 3


# A report to keep

def test_save_report(climbed, tmp_path):
    folder = tmp_path/'new'/'folder'
    L.save_report(climbed, folder)
    pictures = {'ladder.png', *(f'confusion_{n}.png' for n in RUNGS)}
    assert {p.name for p in folder.iterdir()} == {'report.json', *pictures, *(f'{n}.safetensors' for n in RUNGS)}
    assert json.loads((folder/'report.json').read_text()) == climbed.to_dict()
    assert all((folder/name).read_bytes().startswith(b'\x89PNG') for name in pictures)
    assert load(folder/'numpy.safetensors').score(load_mnist()[1][:500]) == climbed['numpy'].accuracy


def test_a_folder_that_will_not_do(strange, tmp_path):
    "It is refused at once, and nothing is written"
    file = tmp_path/'file'
    file.write_text('mine')
    taken = tmp_path/'taken'
    (taken/'report.json').mkdir(parents=True)
    for folder in (file, file/'inside', taken):
        for refuse in (lambda: L.save_report(strange, folder), lambda: L.check_report_folder(folder)):
            with pytest.raises(OSError, match='folder'): refuse()
    assert file.read_text() == 'mine'
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['file', 'report.json', 'taken']


def test_a_check_leaves_nothing_behind(strange, tmp_path):
    L.check_report_folder(tmp_path/'not'/'there')
    L.check_report_folder(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


# One contract for all rungs

def test_progress_and_steps_come_in_the_same_way_from_every_rung(digits):
    train, test = digits
    planned, reported, done = {}, {}, []

    def progress(epochs, rung):
        planned[rung] = epochs
        reported[rung] = []
        return lambda epoch, loss, seconds, model: reported[rung].append(epoch)

    few = L.climb(data=(train[:200], test[:50]), recipes={'cnn': 'fast'}, progress=progress, on_rung=done.append)
    assert list(planned) == list(RUNGS) and planned['logistic'] == 1
    assert reported == {rung: list(range(1, epochs + 1)) for rung, epochs in planned.items()}
    assert done == few.steps
    assert isinstance(few['logistic'].model, LogisticRegression)


def test_one_rung_may_be_named_without_a_list(digits):
    train, test = digits
    assert list(L.climb('numpy', (train[:100], test), progress=None)) == ['numpy']


def test_progress_may_be_yes_or_no(digits, capsys):
    "`fit` takes True, too"
    few = digits[0][:100], digits[1][:50]
    for progress, shown in ((True, True), (False, False), (None, False)):
        L.climb('numpy', few, progress=progress)
        assert ('numpy: 100%' in capsys.readouterr().err) == shown


# A report of plain values

@pytest.mark.parametrize('seed', [np.int64(3), np.uint8(3)], ids=repr)
def test_a_seed_of_numpy(digits, tmp_path, seed):
    "It broke the report, after everything else had been written"
    few = L.climb('numpy', (digits[0][:100], digits[1]), seed=seed, progress=None, name=Path('x'))
    L.save_report(few, tmp_path)
    report = json.loads((tmp_path/'report.json').read_text())
    assert report == few.to_dict() and report['seed'] == 3 and report['data'] == 'x'
    plain = L.climb('numpy', (digits[0][:100], digits[1]), seed=3, progress=None)
    assert (plain['numpy'].y_pred == few['numpy'].y_pred).all()


def test_a_name_that_is_no_text(digits, tmp_path):
    "The training was lost"
    few = L.climb('numpy', (digits[0][:100], digits[1]), progress=None, name='caf\udce9')
    L.save_report(few, tmp_path)
    assert json.loads((tmp_path/'report.json').read_text())['data'] == r'caf\udce9'
    assert read_rung_file(tmp_path/'numpy.safetensors')[1]['data'] == r'caf\udce9'


def test_a_ladder_that_cannot_be_reported_leaves_no_half_report(climbed, tmp_path):
    ladder = L.Ladder(climbed.steps, np.random.default_rng(0), 'few')
    with pytest.raises(TypeError): L.save_report(ladder, tmp_path/'report')
    assert list(tmp_path.iterdir()) == []


def test_what_follows_the_digits_is_named(digits):
    with pytest.raises(TypeError, match='positional'): L.climb(['numpy'], digits, 1)


# Refused before the first epoch of the first rung

def too_soon(epochs, rung): pytest.fail(f'{rung} is being trained')


def test_unknown_rungs_and_recipes(digits):
    for rungs, options, message in (
        (['keras'], {}, 'no rung'),
        (['numpy', 'keras'], {}, 'no rung'),
        ([], {}, 'nothing to climb'),
        (['numpy', 'cnn'], {'recipes': {'cnn': 'slow'}}, 'no recipe'),
        (['logistic'], {'recipes': {'logistic': 'fast'}}, 'no recipe'),
        (['numpy'], {'recipes': {'keras': 'default'}}, 'no rung'),
        (['numpy'], {'seed': -1}, 'random_state=-1'),
        ([['numpy']], {}, 'no rung'),
        (['numpy', 'cnn', 'numpy'], {}, "found 'numpy' twice"),
        (['numpy'], {'recipes': {'cnn': 'fast'}}, "found one for 'cnn', which is not to be climbed"),
        (['numpy'], {'seed': np.random.default_rng(0)}, 'seed: found Generator'),
        (['numpy'], {'seed': True}, 'seed: found True'),
        (['numpy'], {'seed': 1.}, 'seed: found 1.0'),
    ):
        with pytest.raises(ValueError, match=message): L.climb(rungs, digits, progress=too_soon, **options)


def test_arguments_of_another_kind(digits):
    for rungs, options, message in (
        (None, {}, 'rungs: found NoneType'),
        (5, {}, 'rungs: found int'),
        ('numpy', {'recipes': 'fast'}, 'recipes: found str'),
        ('numpy', {'recipes': {'numpy': {'hidden': 5}}}, "recipes: found dict for 'numpy'"),
        ('numpy', {'on_rung': 5}, 'on_rung: found int'),
        ('numpy', {'on_rung': True}, 'on_rung: found bool'),
        ('numpy', {'progress': 5}, 'progress: found int'),
    ):
        with pytest.raises(TypeError, match=message):
            L.climb(rungs, digits, **({'progress': too_soon} | options))


def test_digits_that_will_not_do(digits):
    train, test = digits
    small = Digits(test.images[:, :20, :20], test.labels)
    for data, error, message in (
        ((train, test[:0]), ValueError, 'test: found no digits'),
        ((train[:0], test), ValueError, 'train: found 0 digits'),
        ((train[train.labels == 1], test), ValueError, 'two classes'),
        ((train, small), ValueError, '28 x 28 pixels and test digits of 20 x 20'),
        ((train.images, test.images), TypeError, 'found ndarray'),
        (digits[0], TypeError, 'data: found Digits'),
        ((train,), TypeError, 'data: found Digits'),
        ((train, test, test), TypeError, 'data: found Digits, Digits, Digits'),
        ((), TypeError, 'data: found nothing'),
        ('/tmp', TypeError, 'data: found str'),
    ):
        with pytest.raises(error, match=message): L.climb(['logistic', 'numpy'], data, progress=too_soon)


def test_digits_that_one_rung_cannot_take(digits):
    "Dense rungs take images of any size; a convolution needs some room"
    tiny = [Digits(part.images[:, 12:14, 12:14], part.labels) for part in digits]
    assert L.climb(['logistic'], tiny, progress=None)['logistic'].y_pred.shape == (500,)
    with pytest.raises(ValueError, match='cnn: '): L.climb(['logistic', 'cnn'], tiny, progress=too_soon)
