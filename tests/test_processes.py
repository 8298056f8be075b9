"Children that end with their parent: real processes, really killed."
import os
import subprocess
import sys
import types

import pytest

from mnist_steps import processes
from mnist_steps.processes import start_child, watching_command

CHILD = '''
from threading import Event
from mnist_steps.processes import end_with_parent
end_with_parent(lambda: print('cleaned up', flush=True))
print('ready', flush=True)
Event().wait() # for ever
'''
PIPES = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def child():
    with start_child([sys.executable, '-c', CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == 'ready\n'
        yield child
        child.kill()


def test_a_child_lives_as_long_as_its_parent(child):
    child.stdin.write('noise that nobody asked for\n' * 100_000) # more than a pipe holds: the child must read it
    child.stdin.flush()
    assert child.poll() is None
    child.communicate(timeout=20) # closes standard input first
    assert child.returncode == 1


def test_clean_up_comes_before_the_end(child):
    child.stdin.close()
    assert child.stdout.read() == 'cleaned up\n' and child.wait(20) == 1


def test_a_forgotten_child_ends():
    code = f'''if True:
        import subprocess, sys
        from mnist_steps.processes import start_child
        start_child([sys.executable, '-c', {CHILD!r}]) # nobody keeps it
        sys.stdin.read()'''
    with subprocess.Popen([sys.executable, '-W', 'ignore', '-c', code], **PIPES) as parent:
        assert 'cleaned up' in parent.communicate(timeout=60)[0] # perhaps while the child still says "ready"


@pytest.mark.parametrize('end', ['kill', 'os.abort()', 'sys.exit()', 'raise SystemError', 'os._exit(3)'])
def test_a_child_ends_however_its_parent_ends(end):
    "Standard output of parent and child is one pipe, and ends when neither is left"
    code = f'''if True:
        import os, subprocess, sys
        from mnist_steps.processes import start_child
        child = start_child([sys.executable, '-c', {CHILD!r}])
        sys.stdin.readline()
        {'while True: sys.stdin.read()' if end == 'kill' else end}'''
    with subprocess.Popen([sys.executable, '-c', code], stderr=subprocess.DEVNULL, **PIPES) as parent:
        assert parent.stdout.readline() == 'ready\n'
        if end == 'kill': parent.kill()
        else: print(file=parent.stdin, flush=True)
        rest, _ = parent.communicate(timeout=20)
        assert rest == 'cleaned up\n'


@pytest.mark.parametrize('clean_up', ['raise ValueError', 'sys.exit(0)'])
def test_a_child_ends_whatever_its_clean_up_does(clean_up):
    code = f'''if True:
        import sys
        from threading import Event
        from mnist_steps.processes import end_with_parent
        def clean_up(): {clean_up}
        end_with_parent(clean_up)
        Event().wait() # for ever'''
    with start_child([sys.executable, '-c', code], stderr=subprocess.DEVNULL) as child: child.stdin.close()
    assert child.returncode == 1


def test_a_module_runs_as_by_python_itself(tmp_path):
    (tmp_path/'told.py').write_text('import sys\nprint(__name__, sys.argv[1:])\nsys.exit(7)')
    env = os.environ | {'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])}
    with start_child(watching_command('told', '-m', 'x y'), stdout=subprocess.PIPE, text=True, env=env) as child:
        assert child.stdout.read() == "__main__ ['-m', 'x y']\n"
    assert child.returncode == 7


def test_a_program_that_is_not_there():
    with pytest.raises(OSError): start_child(['/no/such/program'])


def test_windows_looks_without_reading(monkeypatch):
    "A read that waits would hold the pipe there, and numpy's import with it (numpy/numpy#24290)"
    answers = iter([(5, 0), (0, 0), OSError('the pipe has been ended')])
    read = []
    def peek(pipe, size):
        assert (pipe, size) == (70, 0)
        answer = next(answers)
        if isinstance(answer, OSError): raise answer
        return answer
    monkeypatch.setitem(sys.modules, 'msvcrt', types.SimpleNamespace(get_osfhandle=lambda number: 70 + number))
    monkeypatch.setitem(sys.modules, '_winapi', types.SimpleNamespace(PeekNamedPipe=peek))
    system = types.SimpleNamespace(name='nt', read=lambda number, size: read.append((number, size)))
    monkeypatch.setattr(processes, 'os', system)
    monkeypatch.setattr(processes, 'time', types.SimpleNamespace(sleep=lambda seconds: None))
    processes.wait_for_end_of_input()
    assert read == [(0, 5)] and next(answers, None) is None
