"The command line from outside: exit codes, what goes to which stream, and interruptions."
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_steps import cli, processes
from mnist_steps.reading import read, read_all
from mnist_steps.rungs import load, read_rung_file

PROGRAM = [sys.executable, '-c', 'import sys; from mnist_steps.cli import main; sys.exit(main())']
COMMANDS = ['ladder', 'train', 'evaluate', 'read', 'play', 'rebuild', 'demo', 'bench', 'info']
POSIX = pytest.mark.skipif(os.name == 'nt', reason='Windows has other signals, devices and permissions')


def run(*words, **options):
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done = subprocess.run([*PROGRAM, *map(str, words)], **pipes | options, text=True, encoding='utf-8', timeout=300)
    assert 'Traceback' not in (done.stderr or '')
    return done


def start(*words, **options):
    "A command that goes on; its streams are pipes"
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return subprocess.Popen([*PROGRAM, *map(str, words)], **pipes | options, text=True)


@pytest.fixture(scope='module')
def rung(digits_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp('cli')/'numpy.safetensors'
    done = run('train', 'numpy', '--save', path, '--data', digits_dir)
    assert done.returncode == 0 and 'test digits are right' in done.stdout and not done.stderr
    return path


def test_help_and_version():
    for words in (['--help'], ['-h'], []): assert 'usage: mnist-steps [-h]' in run(*words).stdout
    assert run('--version').stdout.strip()


@pytest.mark.parametrize('command', COMMANDS)
def test_help_of_each_command(command, capsys):
    assert cli.main([command, '--help']) == 0
    assert f'usage: mnist-steps {command}' in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = """if True:
        import sys
        from mnist_steps.cli import main
        main(["--help"])
        print(sorted({"torch", "sklearn", "scipy", "matplotlib", "numpy", "PIL"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


@pytest.mark.parametrize('words', [
    ['climb'], ['train'], ['train', 'numpy'], ['train', 'keras', '--save', 'x'], ['ladder', '--rungs', 'keras'],
    ['read'], ['ladder', '--seed', 'one'], ['info', '--verbose'], ['demo', '--port', 'eight'], ['demo', '8501']])
def test_wrong_usage_exits_2(words, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2 and not done.stdout and 'mnist-steps' in done.stderr and not list(tmp_path.iterdir())


@pytest.mark.parametrize('words, said', [
    (['ladder', '--seed', '-1'], "'-1' is no whole number from 0 to 4294967295"),
    (['train', 'cnn', '--save', 'x', '--seed', '4294967296'], 'no whole number from 0 to 4294967295'),
    (['ladder', '--seed', '9' * 5000], 'no whole number'),
    (['demo', '--port', '70000'], "'70000' is no whole number from 1 to 65535"),
    (['demo', '--port', '0'], 'no whole number'),
    (['demo', '--port', '-5'], 'no whole number'),
    (['train', 'cnn', '--save', ''], 'argument --save: the name is empty'),
    (['play', '--save', ''], 'argument --save: the name is empty'),
    (['ladder', '--out', ''], 'argument --out: the name is empty'),
    (['ladder', '--data', ''], 'argument --data: the name is empty'),
    (['bench', '--add-to', ''], 'argument --add-to: the name is empty'),
    (['evaluate', ''], 'the name is empty'),
    (['read', ''], 'the name is empty'),
    (['read', 'x.png', '--rung', ''], 'the name is empty')])
def test_numbers_out_of_bounds_and_empty_names(words, said, capsys):
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err


def test_wrong_files_exit_1(rung, tmp_path):
    (tmp_path/'text.png').write_text('not a picture')
    Image.new('L', (280, 280)).save(tmp_path/'blank.png')
    for words in (
            ['evaluate', 'missing'], ['evaluate', 'text.png'], ['evaluate', '.'],
            ['read', '--rung', rung, 'missing.png'], ['read', '--rung', rung, 'text.png'],
            ['read', '--rung', rung, 'blank.png'], ['read', '--rung', rung, '.'],
            ['read', '--rung', 'text.png', 'blank.png'], ['read', '--rung', 'keras', 'blank.png'],
            ['ladder', '--data', 'missing'], ['ladder', '--data', '.'],
            ['train', 'numpy', '--save', 'no/such/x'], ['train', 'numpy', '--save', 'x', '--recipe', 'quick']):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 1 and not done.stdout and done.stderr.startswith(f'mnist-steps {words[0]}: '), words
        assert len(done.stderr.splitlines()) == 1 and 'Errno' not in done.stderr, done.stderr
        assert 'report it' not in done.stderr, done.stderr


@pytest.mark.parametrize('error, said', [
    (MemoryError(), 'There is not enough memory.'),
    (RuntimeError('two\nlines'), 'RuntimeError: two lines (line '),
    (PermissionError(13, 'Permission denied', '/root/x'), '/root/x: Permission denied')])
def test_what_nobody_expected_is_one_line_too(error, said, monkeypatch, capsys):
    def fail(): raise error
    monkeypatch.setitem(cli.COMMANDS, 'info', fail)
    assert cli.main(['info']) == 1
    words = capsys.readouterr().err
    assert words.startswith(f'mnist-steps info: {said}') and len(words.splitlines()) == 1


@pytest.fixture
def no_training(monkeypatch):
    "Fails as soon as digits are loaded or a rung is trained"
    def fail(*args, **kwargs): pytest.fail('this comes too late')
    for name in 'data.load_mnist', 'folders.load_digits_dir', 'ladder.climb', 'bench.take_turns':
        monkeypatch.setattr(f'mnist_steps.{name}', fail)


@pytest.mark.parametrize('words', [
    ['train', 'numpy', '--save', '.'], ['train', 'numpy', '--save', 'no/such/x'],
    ['train', 'numpy', '--save', 'file/x'], ['train', 'numpy', '--save', 'file/'], ['train', 'numpy', '--save', 'new/'],
    ['play', '--save', '.'], ['play', '--save', 'no/such/x'], ['play', '--save', 'file/x'],
    ['ladder', '--out', 'file'], ['ladder', '--out', 'file/x'], ['ladder', '--out', 'taken'],
    ['bench', '--add-to', '.'], ['bench', '--add-to', 'no/such/x']])
def test_what_cannot_be_written_is_refused_at_once(words, no_training, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path('file').touch()
    Path('taken/report.json').mkdir(parents=True)
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert not said.out and said.err.startswith(f'mnist-steps {words[0]}: ') and len(said.err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['file', 'report.json', 'taken']


@POSIX
@pytest.mark.parametrize('device', ['/dev/null', '/dev/full', 'pipe'])
@pytest.mark.parametrize('words', [
    ['train', 'numpy', '--save'], ['play', '--save'], ['bench', '--parts', 'start', '--add-to'], ['ladder', '--out']])
def test_devices_and_pipes_are_refused_at_once(words, device, no_training, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkfifo('pipe')
    assert cli.main([*words, device]) == 1
    said = capsys.readouterr().err
    assert device in said and len(said.splitlines()) == 1 and [path.name for path in tmp_path.iterdir()] == ['pipe']
    if device != 'pipe': assert Path(device).is_char_device()


def test_ladder_json(digits_dir, tmp_path):
    words = ['ladder', '--rungs', 'numpy', 'cnn', '--data', digits_dir, '--seed', 3]
    done = run(*words, '--out', tmp_path/'out', '--json')
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


def test_read(rung, digits, tmp_path):
    test = digits[1]
    for i in range(3): Image.fromarray(test.images[i]).resize((140, 140)).save(tmp_path/f'{i}.png')
    done = run('read', '0.png', '1.png', '2.png', '--json', '--rung', rung, cwd=tmp_path)
    rows = json.loads(done.stdout)
    assert [r['image'] for r in rows] == ['0.png', '1.png', '2.png']
    for row, label in zip(rows, test.labels):
        assert len(row['probabilities']) == 10 and np.isclose(sum(row['probabilities']), 1)
        assert row['digit'] == np.argmax(row['probabilities'])
    assert sum(row['digit'] == label for row, label in zip(rows, test.labels)) >= 2
    assert run('read', '0.png', '--rung', rung, cwd=tmp_path).stdout.startswith('0.png: ')
    assert run('read', '0.png', cwd=tmp_path).stdout.startswith(f'0.png: {test.labels[0]} ')


def test_read_is_what_python_reads(rung, digits, tmp_path, monkeypatch, capsys):
    "One digit or several, by a rung of yours or one of the package"
    monkeypatch.chdir(tmp_path)
    one = np.kron(digits[1].images[3], np.ones((4, 4), np.uint8))
    Image.fromarray(one).save('one.png')
    Image.fromarray(np.hstack([one, np.kron(digits[1].images[1], np.ones((4, 4), np.uint8))])).save('two.png')
    for words, wanted in (([], 'drawn'), (['--rung', 'cnn'], 'cnn'), (['--rung', str(rung)], load(rung))):
        assert cli.main(['read', 'one.png', 'two.png', '--json', *words]) == 0
        rows = json.loads(capsys.readouterr().out)
        readings = [read('one.png', wanted), *read_all('two.png', wanted)]
        assert [row['image'] for row in rows] == ['one.png', 'two.png', 'two.png']
        assert [row['digit'] for row in rows] == [reading.digit for reading in readings]
        assert [row['sure'] for row in rows] == [reading.sure for reading in readings]
        for row, reading in zip(rows, readings):
            np.testing.assert_array_equal(row['probabilities'], reading.probabilities)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    "A one, an empty picture and what is none; the names on the command line, and the words about each bad one"
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.pad(np.full((20, 4), 255, np.uint8), 12)).save('one.png')
    Image.new('L', (280, 280)).save('blank.png')
    return ['one.png', 'blank.png', 'missing.png', 'one.png'], ['blank.png', 'missing.png']


def test_one_bad_picture_does_not_cost_the_answers_for_the_others(pictures, capsys):
    "Nothing was printed"
    images, bad = pictures
    assert cli.main(['read', *images]) == 1
    said = capsys.readouterr()
    assert [line[:10] for line in said.out.splitlines()] == ['one.png: 1'] * 2
    lines = said.err.splitlines()
    assert len(lines) == 2
    for name, line in zip(bad, lines): assert line.startswith('mnist-steps read: ') and name in line


def test_bad_pictures_in_json(pictures, capsys):
    images, bad = pictures
    assert cli.main(['read', '--json', *images]) == 1
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert [row['image'] for row in rows] == images and [row['digit'] for row in rows] == [1, None, None, 1]
    assert [row['reason'] is None for row in rows] == [True, False, False, True]
    assert all(rows[0].keys() == row.keys() for row in rows)
    for name, row, line in zip(bad, rows[1:3], said.err.splitlines(), strict=True):
        assert name in row['reason'] and line == f'mnist-steps read: {row["reason"]}'


def test_unsure_readings_say_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr('mnist_steps.explain.SURE', 1.1)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.pad(np.full((20, 4), 255, np.uint8), 12)).save('one.png')
    assert cli.main(['read', 'one.png']) == 0
    assert capsys.readouterr().out.endswith('%, not sure)\n')


@pytest.fixture
def server(monkeypatch):
    "What `mnist-steps demo` runs instead of Streamlit: does nothing, and notes the command lines"
    class Server:
        commands = [] # of the last test, too
        code = 0
        terminated = False
        def __init__(self, command): Server.commands.append(command)
        def __enter__(self): return self
        def __exit__(self, *_): pass
        def wait(self):
            if self.code == 'Ctrl-C': raise KeyboardInterrupt
            return self.code
        def terminate(self): Server.terminated = True
    monkeypatch.setattr(processes, 'start_child', Server)
    monkeypatch.setattr(cli.signal, 'signal', lambda *_: None)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: name)
    return Server


def options(command): return dict(word.split('=') for word in command[6:])


def test_demo_runs_streamlit(server):
    assert cli.main(['demo']) == 0
    command, = server.commands
    assert command[:5] == [sys.executable, '-m', 'mnist_steps.processes', 'streamlit', 'run']
    assert command[5] == str(cli.find_app())
    assert options(command) == {
        '--server.address': 'localhost', '--server.headless': 'false', '--server.showEmailPrompt': 'false',
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
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None if name == missing else name)
    assert cli.main(['demo']) == 1 and not server.commands
    error = capsys.readouterr().err
    assert error.startswith(f'mnist-steps demo: This needs {missing}.') and 'pip install "mnist-steps[demo]"' in error


def test_demo_on_a_port_that_is_taken(server, capsys):
    server.commands.clear()
    with socket.create_server(('localhost', 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(['demo', '--port', str(port)]) == 1 and not server.commands
    said = capsys.readouterr().err
    assert f'port {port}' in said and '--port' in said and len(said.splitlines()) == 1
    assert cli.main(['demo', '--port', str(port)]) == 0


@pytest.fixture
def opened(monkeypatch):
    "The addresses that the browser was to open; there is a browser"
    addresses = []
    monkeypatch.setattr('webbrowser.open', lambda address: addresses.append(address) or True)
    return addresses


def test_play_opens_the_page_and_says_where_it_is(opened, capsys):
    assert cli.main(['play']) == 0
    page = cli.find_page()
    assert opened == [page.as_uri()] and capsys.readouterr() == (f'{page}\n', '')
    assert 'class="play"' in page.read_text(encoding='utf-8')


def test_play_only_says_where_the_page_is(opened, capsys):
    assert cli.main(['play', '--no-browser']) == 0
    assert opened == [] and capsys.readouterr().out == f'{cli.find_page()}\n'


@pytest.mark.parametrize('name', ['draw.html', 'ü 1.html'])
def test_play_writes_a_copy(name, opened, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(['play', '--save', name]) == 0
    assert opened == [] and capsys.readouterr().out == f'{tmp_path/name}\n'
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path/name).read_bytes() == cli.find_page().read_bytes()


def test_play_without_a_browser(monkeypatch, capsys):
    monkeypatch.setattr('webbrowser.open', lambda address: False)
    assert cli.main(['play']) == 1
    said = capsys.readouterr()
    assert said.out == f'{cli.find_page()}\n' and len(said.err.splitlines()) == 1
    assert said.err.startswith(f'mnist-steps play: Found no browser on this computer. Open {cli.find_page()} in one')


def test_play_without_its_page(opened, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cli.mnist_steps, '__file__', str(tmp_path/'__init__.py'))
    assert cli.main(['play']) == 1 and opened == []
    said = capsys.readouterr()
    assert said.out == '' and f'found no {tmp_path/"play.html"}. Reinstall: pip install mnist-steps' in said.err


def test_play_imports_nothing_heavy(tmp_path):
    "It opens at once: neither the nets of Python nor the app are loaded"
    code = """if True:
        import sys, webbrowser
        from mnist_steps.cli import main
        webbrowser.open = lambda address: True
        assert main(["play"]) == main(["play", "--save", "draw.html"]) == 0
        heavy = {"torch", "sklearn", "scipy", "matplotlib", "numpy", "PIL", "streamlit", "safetensors"}
        print(sorted(heavy & set(sys.modules)))"""
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'


@POSIX
def test_play_starts_the_browser_that_the_user_named(tmp_path):
    browser = f'{sys.executable} -c "import sys; open(\'asked\', \'w\').write(sys.argv[1])" %s'
    done = run('play', cwd=tmp_path, env=os.environ | {'BROWSER': browser})
    assert (done.returncode, done.stdout, done.stderr) == (0, f'{cli.find_page()}\n', '')
    assert (tmp_path/'asked').read_text() == cli.find_page().as_uri()


def test_bench_without_its_requirements(monkeypatch, capsys):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None if name == 'torchvision' else name)
    assert cli.main(['bench']) == 1
    said = capsys.readouterr().err
    assert said.startswith('mnist-steps bench: This needs torchvision.') and 'pip install "mnist-steps[bench]"' in said


@pytest.fixture
def demo(tmp_path):
    "`mnist-steps demo`, as soon as it serves; its standard output ends when neither it nor its server is left"
    if not all(map(find_spec, ('streamlit', 'streamlit_drawable_canvas'))):
        pytest.skip('the extra `demo` is not installed')
    process = start('demo', '--no-browser', cwd=tmp_path)
    for line in process.stdout:
        if 'URL: http://localhost:' in line: break
    else: pytest.fail(process.communicate()[1])
    process.port = int(line.rsplit(':', 1)[1])
    yield process
    process.kill()
    process.communicate(timeout=20)


def is_served(port):
    try: socket.create_connection(('localhost', port), timeout=5).close()
    except OSError: return False
    return True


@pytest.mark.parametrize('how', ['interrupt', 'terminate', 'kill'])
def test_demo_takes_its_server_with_it(demo, how, until):
    if os.name == 'nt' and how == 'interrupt': pytest.skip('Windows has no SIGINT for a single child process')
    assert is_served(demo.port)
    if how == 'interrupt': demo.send_signal(signal.SIGINT)
    else: getattr(demo, how)()
    until(lambda: not is_served(demo.port), seconds=10)
    _, said = demo.communicate(timeout=20)
    assert 'Traceback' not in said
    if how == 'interrupt': assert demo.returncode == 0


def test_info():
    assert 'test digits, verified' in run('info').stdout


@POSIX
def test_interruption_of_a_training(digits_dir, tmp_path):
    words = ['ladder', '--rungs', 'numpy', 'cnn', '--data', digits_dir, '--out', tmp_path/'out']
    process = start(*words)
    assert process.stderr.readline().startswith('numpy: ') # so it is at work on the next
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and not out and err == 'mnist-steps ladder: interrupted\n'
    assert not list(tmp_path.iterdir())


INTERRUPTED_WHILE = { # what the process does when SIGINT comes -> code that runs before `main`
    'a module is imported': """
        class Interrupting:
            def find_spec(self, name, *_):
                if name == 'numpy': signal.raise_signal(signal.SIGINT)
        sys.meta_path.insert(0, Interrupting())""",
    'an object goes away': """
        from mnist_steps import reading
        class Last:
            def __del__(self): signal.raise_signal(signal.SIGINT)
        def work(rung): Last()
        reading.trained_rung = work""",
    'a command is at work': """
        from mnist_steps import reading
        def work(rung): signal.raise_signal(signal.SIGINT)
        reading.trained_rung = work""",
    'an interruption is told': """
        from mnist_steps import reading
        class Stream(io.StringIO):
            def write(self, words): signal.raise_signal(signal.SIGINT)
        def work(rung):
            sys.stderr = Stream()
            signal.raise_signal(signal.SIGINT)
        reading.trained_rung = work"""}


@POSIX
@pytest.mark.parametrize('when', INTERRUPTED_WHILE)
def test_interruption_anywhere(when):
    code = f"""if True:
        import io, signal, sys
        from mnist_steps import cli
        sys.argv = ['mnist-steps', 'read', 'x.png']{INTERRUPTED_WHILE[when]}
        sys.exit(cli.main())"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 130 and done.stdout == ''
    assert done.stderr.endswith(': interrupted\n') and len(done.stderr.splitlines()) == 1


@POSIX
def test_interruption_when_all_is_done():
    code = """if True:
        import atexit, signal, sys
        from mnist_steps import cli
        atexit.register(signal.raise_signal, signal.SIGINT)
        sys.argv = ['mnist-steps', '--version']
        sys.exit(cli.main())"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout and not done.stderr


@POSIX
def test_an_interruption_that_the_caller_ignores():
    "as `nohup` and shells do for what runs in the background"
    code = """if True:
        import signal, sys
        from mnist_steps import cli, reading
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        def work(rung):
            signal.raise_signal(signal.SIGINT)
            raise ValueError('it went on')
        reading.trained_rung = work
        sys.argv = ['mnist-steps', 'read', 'x.png']
        sys.exit(cli.main())"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (1, '', 'mnist-steps read: it went on\n')


def test_interruption_in_a_function(monkeypatch):
    def work(): raise KeyboardInterrupt
    monkeypatch.setitem(cli.COMMANDS, 'info', work)
    with redirect_stderr(io.StringIO()) as said: assert cli.main(['info']) == 130
    assert said.getvalue() == 'mnist-steps info: interrupted\n'


def closing(*numbers):
    "What a child does before it becomes the program: close some of its standard streams"
    return lambda: [os.close(number) for number in numbers]


@POSIX
@pytest.mark.parametrize('closed', [[2], [1], [0], [1, 2], [0, 1, 2]], ids=str)
def test_training_with_closed_streams(closed, digits_dir, tmp_path):
    path = tmp_path/'numpy.safetensors'
    process = start('train', 'numpy', '--save', path, '--data', digits_dir, preexec_fn=closing(*closed))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and not err
    assert out == '' if 1 in closed else 'test digits are right' in out
    assert load(path).classes_.tolist() == list(range(10))


@POSIX
def test_words_for_a_closed_stream_go_nowhere_else(tmp_path):
    process = start('evaluate', 'missing', cwd=tmp_path, preexec_fn=closing(2))
    assert process.communicate(timeout=300) == ('', '') and process.returncode == 1


@POSIX
@pytest.mark.parametrize('stream', ['stdout', 'stderr'])
@pytest.mark.parametrize('words', [['ladder', '--rungs', 'numpy', '--out', 'out'], ['train', 'numpy', '--save', 'out']])
def test_nothing_is_lost_when_nobody_reads(words, stream, digits_dir, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    done = run(*words, '--data', digits_dir, cwd=tmp_path, **{stream: writer})
    os.close(writer)
    rung = tmp_path/'out'/'numpy.safetensors' if words[0] == 'ladder' else tmp_path/'out'
    assert load(rung).classes_.tolist() == list(range(10))
    if stream == 'stdout': assert done.returncode == 141 and 'pipe' not in done.stderr.lower()
    else: assert done.returncode == 0 and 'numpy' in done.stdout


@POSIX
@pytest.mark.parametrize('words', [['--help'], ['--version'], ['info'], ['evaluate', 'numpy', '--json']])
def test_head(words):
    "A reader that leaves: no word, and the exit code that a shell knows from other programs"
    reader, writer = os.pipe()
    os.close(reader)
    done = run(*words, stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, '')


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='there is no full device here')
def test_a_full_disk(digits_dir, tmp_path):
    path = tmp_path/'numpy.safetensors'
    words = ['train', 'numpy', '--save', path, '--data', digits_dir]
    with open('/dev/full', 'w') as full: done = run(*words, stdout=full)
    assert done.returncode == 1 and done.stderr == 'mnist-steps train: No space left on device\n' and load(path)
    with open('/dev/full', 'w') as full: done = run('evaluate', 'missing', stderr=full)
    assert done.returncode == 1 and not done.stdout


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='there is no full device here')
@pytest.mark.parametrize('words', [['--help'], [], ['--version'], ['train', '--help']], ids=str)
def test_help_on_a_full_disk(words):
    "It ended without a word, like a program whose reader has gone"
    with open('/dev/full', 'w') as full: done = run(*words, stdout=full)
    assert done.returncode == 1 and done.stderr == 'mnist-steps: No space left on device\n'


@POSIX
def test_a_data_set_in_a_folder_whose_name_is_no_text(digits_dir, tmp_path):
    "The whole training was lost when its result was to be written"
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b'/caf\xe9'))
    try: shutil.copytree(digits_dir, folder)
    except OSError: pytest.skip('names have to be text here')
    done = run('train', 'logistic', '--save', tmp_path/'rung', '--data', folder)
    assert done.returncode == 0 and read_rung_file(tmp_path/'rung')[1]['data'] == r'caf\udce9'
    done = run('ladder', '--rungs', 'logistic', '--out', tmp_path/'out', '--data', folder)
    assert done.returncode == 0
    assert json.loads((tmp_path/'out'/'report.json').read_text())['data'] == r'caf\udce9'


@POSIX
def test_names_that_are_no_text(tmp_path):
    Image.fromarray(np.pad(np.full((20, 4), 255, np.uint8), 12)).save(tmp_path/'one.png')
    try: os.rename(tmp_path/'one.png', os.fsencode(tmp_path) + b'/\xff.png')
    except OSError: pytest.skip('names have to be text here')
    done = subprocess.run([*PROGRAM, 'read', b'\xff.png'], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.startswith('\\udcff.png: 1') and not done.stderr


def test_names_of_commands_are_left_to_others():
    "so that a link to `predict` leads to an estimator, and not to the command line"
    assert not set(cli.__all__) & {'ladder', 'train', 'evaluate', 'predict', 'read', 'bench', 'climb', 'save', 'load'}
    assert list(cli.COMMANDS) == COMMANDS
