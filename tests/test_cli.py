"The command line from outside: exit codes, what goes to which stream, and interruptions."
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from mnist_steps import cli

PROGRAM = [sys.executable, '-c', 'import sys; from mnist_steps.cli import main; sys.exit(main())']


def run(*words, **options):
    done = subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, encoding='utf-8', timeout=300, **options)
    assert 'Traceback' not in done.stderr
    return done


@pytest.fixture(scope='module')
def rung(digits_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp('cli')/'numpy.safetensors'
    done = run('train', 'numpy', '--save', path, '--data', digits_dir)
    assert done.returncode == 0 and 'test digits are right' in done.stdout and not done.stderr
    return path


def test_help_and_version():
    for words in (['--help'], ['-h'], []): assert 'usage: mnist-steps [-h]' in run(*words).stdout
    for command in ('ladder', 'train', 'evaluate', 'predict', 'demo', 'info'): assert f'usage: mnist-steps {command}' in run(command, '--help').stdout
    assert run('--version').stdout.strip()


def test_help_imports_nothing_heavy():
    code = 'import sys; from mnist_steps.cli import main; main(["--help"]); print(sorted({"torch", "sklearn", "scipy", "matplotlib", "numpy", "PIL"} & set(sys.modules)))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


@pytest.mark.parametrize('words', [['climb'], ['train'], ['train', 'numpy'], ['train', 'keras', '--save', 'x'], ['ladder', '--rungs', 'keras'],
                                   ['predict', 'file'], ['ladder', '--seed', 'one'], ['info', '--verbose'],
                                   ['demo', '--port', 'eight'], ['demo', '8501']])
def test_wrong_usage_exits_2(words, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2 and not done.stdout and 'mnist-steps' in done.stderr and not list(tmp_path.iterdir())


def test_wrong_files_exit_1(rung, tmp_path):
    (tmp_path/'text.png').write_text('not a picture')
    Image.new('L', (280, 280)).save(tmp_path/'blank.png')
    for words in (['evaluate', 'missing'], ['evaluate', 'text.png'], ['predict', rung, 'missing.png'], ['predict', rung, 'text.png'], ['predict', rung, 'blank.png'],
                  ['ladder', '--data', 'missing'], ['ladder', '--data', '.'], ['train', 'numpy', '--save', 'no/such/x'], ['train', 'numpy', '--save', 'x', '--recipe', 'quick']):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 1 and not done.stdout and done.stderr.startswith(f'mnist-steps {words[0]}: '), words
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_ladder_json(digits_dir, tmp_path):
    done = run('ladder', '--rungs', 'numpy', 'cnn', '--data', digits_dir, '--seed', 3, '--out', tmp_path/'out', '--json')
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report['seed'] == 3 and [r['name'] for r in report['rungs']] == ['numpy', 'cnn']
    assert report == json.loads((tmp_path/'out'/'report.json').read_text())
    assert 'numpy:' in done.stderr and '\r' not in done.stderr


def test_ladder_table(digits_dir):
    done = run('ladder', '--rungs', 'logistic', 'numpy', '--data', digits_dir)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 3 and lines[0].startswith('rung') and lines[2].startswith('numpy')


def test_evaluate(rung, digits_dir):
    figures = json.loads(run('evaluate', rung, '--data', digits_dir, '--json').stdout)
    assert .7 < figures['accuracy'] < 1 and len(figures['per_class']) == 10
    text = run('evaluate', rung, '--data', digits_dir).stdout
    assert f'{figures["accuracy"]:.2%}' in text and 'precision' in text


def test_predict(rung, digits, tmp_path):
    test = digits[1]
    for i in range(3): Image.fromarray(test.images[i]).resize((140, 140)).save(tmp_path/f'{i}.png')
    done = run('predict', rung, '0.png', '1.png', '2.png', '--json', cwd=tmp_path)
    rows = json.loads(done.stdout)
    assert [r['image'] for r in rows] == ['0.png', '1.png', '2.png']
    for row, label in zip(rows, test.labels):
        assert len(row['probabilities']) == 10 and np.isclose(sum(row['probabilities']), 1) and row['digit'] == np.argmax(row['probabilities'])
    assert sum(row['digit'] == label for row, label in zip(rows, test.labels)) >= 2
    assert run('predict', rung, '0.png', cwd=tmp_path).stdout.startswith('0.png: ')
    assert run('predict', 'cnn', '0.png', cwd=tmp_path).stdout.startswith(f'0.png: {test.labels[0]} ')


@pytest.fixture
def server(monkeypatch):
    "What `mnist-steps demo` runs instead of Streamlit: does nothing, and notes the command lines"
    class Server:
        commands, code, terminated = [], 0, False # of the last test, too
        def __init__(self, command): Server.commands.append(command)
        def __enter__(self): return self
        def __exit__(self, *_): pass
        def wait(self):
            if self.code == 'Ctrl-C': raise KeyboardInterrupt
            return self.code
        def terminate(self): Server.terminated = True
    monkeypatch.setattr(cli.subprocess, 'Popen', Server)
    monkeypatch.setattr(cli.signal, 'signal', lambda *_: None)
    monkeypatch.setattr(cli, 'find_spec', lambda name: name)
    return Server


def options(command): return dict(zip(command[5::2], command[6::2]))


def test_demo_runs_streamlit(server):
    assert cli.main(['demo']) == 0
    command, = server.commands
    assert command[:4] == [sys.executable, '-m', 'streamlit', 'run'] and command[4] == str(cli.find_app())
    assert options(command) == {'--server.address': 'localhost', '--server.headless': 'false', '--server.showEmailPrompt': 'false',
                                '--server.fileWatcherType': 'none', '--browser.gatherUsageStats': 'false', '--client.toolbarMode': 'minimal'}


def test_demo_takes_a_port_and_no_browser(server):
    assert cli.main(['demo', '--port', '8600', '--no-browser']) == 0
    given = options(server.commands[-1])
    assert given['--server.port'] == '8600' and given['--server.headless'] == 'true'


def test_demo_ends_with_ctrl_c(server, monkeypatch):
    monkeypatch.setattr(server, 'code', 'Ctrl-C')
    assert cli.main(['demo']) == 0 and server.terminated


def test_demo_says_when_streamlit_fails(server, monkeypatch, capsys):
    monkeypatch.setattr(server, 'code', 1)
    assert cli.main(['demo']) == 1 and 'exit code 1' in capsys.readouterr().err


@pytest.mark.parametrize('missing', ['streamlit', 'streamlit_drawable_canvas'])
def test_demo_without_its_requirements(server, missing, monkeypatch, capsys):
    server.commands.clear()
    monkeypatch.setattr(cli, 'find_spec', lambda name: None if name == missing else name)
    assert cli.main(['demo']) == 1 and not server.commands
    error = capsys.readouterr().err
    assert error.startswith(f'mnist-steps demo: The app needs {missing}.') and 'pip install "mnist-steps[demo]"' in error


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGINT for a single child process')
def test_demo_serves_until_ctrl_c(tmp_path):
    if not all(map(find_spec, ('streamlit', 'streamlit_drawable_canvas'))): pytest.skip('the extra `demo` is not installed')
    process = subprocess.Popen([*PROGRAM, 'demo', '--no-browser'], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if 'URL: http://localhost:' in line: break
    else: pytest.fail(process.communicate()[1])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0 and 'Traceback' not in err


def test_info():
    assert 'test digits, verified' in run('info').stdout


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no SIGINT for a single child process')
def test_interruption_leaves_no_file(digits_dir, tmp_path):
    process = subprocess.Popen([*PROGRAM, 'train', 'cnn', '--save', str(tmp_path/'cnn.safetensors')], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1 and not out and 'interrupted' in err and 'Traceback' not in err
    assert not list(tmp_path.iterdir())
