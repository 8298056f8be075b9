"The benchmark at a small scale: every part measures what it says, and figures survive."
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from mnist_steps import bench as B, cli

STORED = Path(__file__).resolve().parents[1]/'nbs'/'bench.json'


def blas_threads(): return {pool['num_threads'] for pool in threadpool_info() if pool['user_api'] == 'blas'}


def test_the_first_round_does_not_count():
    calls = []
    times = B.take_turns({'a': lambda: calls.append('a'), 'b': lambda: calls.append('b')}, rounds=2, repeat=3)
    assert ''.join(calls) == 'aaabbb' * 3 and all(len(seconds) == 2 for seconds in times.values())


@pytest.mark.parametrize('rounds, repeat', [(0, 1), (-1, 1), (1, 0)])
def test_nothing_to_time(rounds, repeat):
    with pytest.raises(ValueError, match='at least one'): B.take_turns({'a': print}, rounds, repeat)


def test_dense_leaves_threads_as_they_were():
    torch.set_num_threads(2) # a number that one thread, left behind, would differ from
    with threadpool_limits(2, user_api='blas'):
        figures = B.dense(rounds=2, n=640)
        assert (blas_threads(), torch.get_num_threads()) == ({2}, 2)
    assert {'matrix products', 'NumPy', 'PyTorch', 'scikit-learn MLPClassifier'} < set(figures)
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in figures.values())


def test_the_neighbour_leaves():
    with B.busy_neighbour() as neighbour: assert neighbour.poll() is None
    assert neighbour.poll() is not None


def test_the_neighbour_ends_with_whoever_started_it():
    "Standard output of both is one pipe, and ends when neither is left"
    code = """if True:
        import sys
        from mnist_steps.bench import busy_neighbour
        with busy_neighbour():
            print('ready', flush=True)
            sys.stdin.read()"""
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen([sys.executable, '-c', code], **pipes) as parent:
        assert parent.stdout.readline() == 'ready\n'
        parent.kill()
        assert parent.communicate(timeout=20) == ('', None)


def test_busy(): assert set(B.busy(rounds=1, n=640)) == {'NumPy', 'NumPy, busy', 'PyTorch', 'PyTorch, busy'}


def test_examples_are_those_of_their_authors(digits, tmp_path):
    model, loader, optimizer, scheduler, normalise = B.pytorch_example(tmp_path, digits[0])
    assert sum(p.numel() for p in model.parameters()) == 1_199_882 and type(optimizer).__name__ == 'Adadelta'
    x, y = next(iter(loader))
    assert x.shape == (64, 1, 28, 28) and x.min() == normalise(torch.zeros(1, 1, 1)).item()
    assert len(loader.dataset) == 1000
    rates = []
    for _ in range(2 * len(loader) + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    assert np.allclose(np.unique(rates), [.49, .7, 1]) # falls by 0.7 an epoch
    model, loader, optimizer, *_ = B.keras_example(digits[0])
    assert sum(p.numel() for p in model.parameters()) == 34_826 and optimizer.defaults['eps'] == 1e-7
    assert sum(len(y) for _, y in loader) == 900 and len(next(iter(loader))[1]) == 128


def test_race_and_goals(digits):
    epochs = {'PyTorch example': 1, 'Keras example': 3}
    results = B.race(rounds=2, data=digits, example_epochs=epochs, recipes=['cnn fast'])
    assert {name: len(r['accuracy']) for name, r in results.items()} == epochs | {'cnn fast': 2}
    assert all(0 < a <= 1 for r in results.values() for a in r['accuracy'])
    assert math.isinf(B.seconds_to(1.01, 'cnn fast', results['cnn fast']))
    assert B.seconds_to(.05, 'Keras example', results['Keras example']) == results['Keras example']['seconds'][0]
    rows = list(B.PARTS['race'].rows(json.loads(json.dumps(results))))
    assert len(rows) == 4 and rows[1][0] == 'PyTorch example' and 'never' in rows[3]


def test_an_example_stops_two_epochs_after_the_goal(digits):
    results = B.race(rounds=1, data=digits, example_epochs=dict.fromkeys(B.EXAMPLE_EPOCHS, 5), goal=0, recipes=[])
    assert [len(result['accuracy']) for result in results.values()] == [3, 3]
    rows = list(B.PARTS['race'].rows(results))
    assert rows[1][1] == 'not in 3 epochs'


def test_recipes(digits):
    results = B.recipes(rounds=2, data=digits, names=['logistic default', 'numpy default', 'cnn fast'])
    trainings = {name: len(result['seconds']) for name, result in results.items()}
    assert trainings == {'logistic default': 1, 'numpy default': 2, 'cnn fast': 2}
    header, *rows = B.PARTS['recipes'].rows(results)
    assert [len(row) for row in rows] == [len(header)] * 3


def test_every_recipe_of_the_list_exists():
    from mnist_steps.rungs import RUNGS
    for name in B.RECIPES:
        rung, recipe = name.split()
        RUNGS[rung].make(recipe)


def test_command_adds_parts_to_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(B, 'STARTS', {'the interpreter': 'pass', 'nothing more': 'pass'})
    path = tmp_path/'bench.json'
    B.write_report(B.Report(busy=dict(machine=B.machine(), figures={'NumPy': [1.]})), path)
    assert cli.main(['bench', '--parts', 'start', '--rounds', '2', '--add-to', str(path), '--json']) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert list(report) == ['start'] and 'start' in said.err
    assert B.read_report(path) == {**report, 'busy': {'machine': B.machine(), 'figures': {'NumPy': [1.]}}}
    assert 'nothing more' in str(B.Report(report)) and '| nothing more |' in B.Report(report)._repr_markdown_()
    assert [p.name for p in tmp_path.iterdir()] == ['bench.json']


@pytest.mark.parametrize('content', ['', 'no json', '[]', '{"rungs": []}'])
def test_a_file_of_something_else_stays_as_it_is(tmp_path, content, capsys):
    path = tmp_path/'report.json'
    path.write_text(content)
    assert cli.main(['bench', '--parts', 'start', '--add-to', str(path)]) == 1
    assert path.read_text() == content and 'something other' in capsys.readouterr().err


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no such files')
@pytest.mark.parametrize('name, kind', [
    ('/dev/full', 'a device'), ('/dev/zero', 'a device'), ('pipe', 'a named pipe'), ('.', 'a folder')])
def test_what_is_no_file_is_refused_at_once(name, kind, tmp_path, monkeypatch):
    "/dev/full and /dev/zero can be read for ever, and nobody may ever write to a pipe"
    monkeypatch.chdir(tmp_path)
    os.mkfifo('pipe')
    with pytest.raises(ValueError, match=f'is {kind}, and figures are kept in a file'): B.read_report(name)
    with pytest.raises(OSError, match=f'is {kind}, and only a file can be written'): B.write_report({}, name)
    with pytest.raises(OSError, match=f'is {kind}'): B.bench(['start'], add_to=name)
    assert [path.name for path in tmp_path.iterdir()] == ['pipe']


def test_figures_that_are_not_there():
    with pytest.raises(FileNotFoundError): B.read_report('no/such/file')


def test_the_stored_figures_can_be_read():
    report = B.read_report(STORED)
    assert set(report) == set(B.PARTS)
    for name in report: assert f'{name}\n\n' in str(report) and name in report._repr_markdown_()


def test_bad_words(capsys):
    assert cli.main(['bench', '--parts', 'everything']) == 2
    assert cli.main(['bench', '--rounds', '0']) == 1 and 'at least one round' in capsys.readouterr().err
