"The one atomic write: what is no file is left alone, links and modes stay, stale temporary files go, nothing is torn."
import io
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_steps import files
from mnist_steps.files import atomic_file, check_folder, check_writable, kind_of, path_text, write_atomically

posix = pytest.mark.skipif(os.name == 'nt', reason='Windows has no such files')


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def nobody():
    "Root may write anywhere: inside this block the process is an ordinary user"
    root = hasattr(os, 'geteuid') and os.geteuid() == 0
    if root: os.seteuid(65534)
    try: yield
    finally:
        if root: os.seteuid(0)


@pytest.fixture
def open_folder():
    "A folder that everybody may enter and write to; pytest's own are closed to others"
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


@contextmanager
def umask(mask):
    old = os.umask(mask)
    try: yield
    finally: os.umask(old)


def stopped_writer(path):
    "A process that is in the middle of writing a file"
    program = '''
import sys
from mnist_steps.files import atomic_file
with atomic_file(sys.argv[1]) as file:
    file.write(b'half of ')
    file.flush()
    print('started', flush=True)
    sys.stdin.readline()
    file.write(b'the whole')
'''
    writer = subprocess.Popen([sys.executable, '-c', program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout.readline().strip() == b'started'
    return writer


# What can't be a file

@pytest.fixture(params=['folder', 'link to a folder', 'pipe', 'socket', 'device', 'circle of links'])
def no_file(request, tmp_path):
    "Something in the way, and what the error says it is"
    path = tmp_path/'x'
    if request.param == 'folder': path.mkdir()
    elif os.name == 'nt': pytest.skip('Windows has no such files')
    elif request.param == 'link to a folder':
        (tmp_path/'folder').mkdir()
        path.symlink_to(tmp_path/'folder')
    elif request.param == 'pipe': os.mkfifo(path)
    elif request.param == 'socket':
        server = socket.socket(socket.AF_UNIX)
        request.addfinalizer(server.close)
        os.chdir(tmp_path) # the name of a socket may be no longer than 100 bytes
        request.addfinalizer(lambda home=os.getcwd(): os.chdir(home))
        server.bind('x')
    elif request.param == 'device': path.symlink_to('/dev/null')
    elif request.param == 'circle of links': path.symlink_to(path)
    return path, request.param.removeprefix('link to ')


def test_what_is_no_file_is_refused_and_stays(no_file, tmp_path):
    path, kind = no_file
    before, is_what = names(tmp_path), os.lstat(path)
    for write in (lambda: write_atomically(path, b'x'), lambda: check_writable(path)):
        with pytest.raises(OSError, match=f'x is .*{kind}'): write()
    assert os.path.samestat(os.lstat(path), is_what) and names(tmp_path) == before


@pytest.mark.parametrize('end', ['/', '/.', '/..', os.sep])
def test_a_name_that_ends_like_that_of_a_folder_is_no_file(tmp_path, end):
    "It was written without its end, over a file of that name"
    (tmp_path/'notes').write_bytes(b'mine')
    for name in ('notes', 'new'):
        for write in (check_writable, lambda path: write_atomically(path, b'x')):
            with pytest.raises(OSError, match='folder'): write(f'{tmp_path}/{name}{end}')
    assert names(tmp_path) == ['notes'] and (tmp_path/'notes').read_bytes() == b'mine'


@pytest.mark.parametrize('path, error, message', [
    (None, TypeError, 'Found NoneType for a path'), (True, TypeError, 'Found bool for a path'),
    (1, TypeError, 'Found int for a path'), (io.BytesIO(), TypeError, 'Found BytesIO for a path'),
    ('', ValueError, 'empty name'), (b'', ValueError, 'empty name'), ('a\0b', ValueError, 'no name can have'),
    ('a\ud800', ValueError, 'no name can have')])
def test_what_is_no_name_is_refused_in_words(path, error, message, tmp_path, monkeypatch):
    "A number was taken for an open file"
    monkeypatch.chdir(tmp_path)
    for use in (kind_of, check_folder, check_writable, lambda path: write_atomically(path, b'x')):
        with pytest.raises(error, match=message): use(path)
    assert names(tmp_path) == []


def test_a_name_may_be_text_bytes_or_a_path(tmp_path):
    for number, path in enumerate([tmp_path/'x', str(tmp_path/'x'), os.fsencode(tmp_path/'x')]):
        check_writable(path)
        write_atomically(path, b'%d' % number)
        assert kind_of(path) == 'a file' and (tmp_path/'x').read_bytes() == b'%d' % number
        assert path_text(path) == str(tmp_path/'x')
    check_folder(os.fsencode(tmp_path))


@posix
def test_a_device_is_not_replaced_by_a_file():
    for path in ('/dev/null', '/dev/full', '/dev/tty', '/dev/stdin'):
        if os.path.exists(path) and not os.path.isfile(path): # a container may lack one, a test run redirect another
            with pytest.raises(OSError, match='and only a file can be written'): write_atomically(path, b'x')
    assert stat.S_ISCHR(os.stat('/dev/null').st_mode)


def test_a_missing_folder_is_named(tmp_path):
    for check in (check_writable, lambda path: write_atomically(path, b'x')):
        with pytest.raises(FileNotFoundError, match='there is no folder .*nowhere'): check(tmp_path/'nowhere'/'x')
    (tmp_path/'file').touch()
    for check in (check_writable, lambda path: write_atomically(path, b'x')):
        with pytest.raises(NotADirectoryError, match='file is a file, not a folder'): check(tmp_path/'file'/'x')
    assert names(tmp_path) == ['file']


@posix
def test_a_folder_or_file_that_is_closed_to_us(open_folder):
    closed = open_folder/'closed'
    closed.mkdir(0o555)
    kept = open_folder/'kept'
    kept.write_bytes(b'old')
    kept.chmod(0o444)
    with nobody():
        for check in (check_writable, check_folder, lambda path: write_atomically(path, b'x')):
            with pytest.raises(PermissionError, match='closed.*Permission denied.*Choose'): check(closed/'x')
        with pytest.raises(PermissionError, match='closed'): check_folder(closed)
        for check in (check_writable, lambda path: write_atomically(path, b'x')):
            with pytest.raises(PermissionError, match='kept.*Permission denied'): check(kept)
    assert names(open_folder) == ['closed', 'kept'] and not names(closed) and kept.read_bytes() == b'old'


@posix
def test_a_name_that_is_too_long(tmp_path):
    for check in (check_writable, lambda path: write_atomically(path, b'x')):
        with pytest.raises(OSError, match='too long'): check(tmp_path/('x' * 1000))
    write_atomically(tmp_path/('x' * 255), b'whole') # the temporary file's name is short
    assert names(tmp_path) == ['x' * 255]


# Checks that leave nothing behind

def test_check_writable_leaves_everything_as_it_was(tmp_path):
    check_writable(tmp_path/'new')
    assert names(tmp_path) == []
    path = tmp_path/'old'
    path.write_bytes(b'old')
    before = path.stat()
    check_writable(str(path))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino, path.read_bytes()) == (before.st_mtime_ns, before.st_ino, b'old')
    assert names(tmp_path) == ['old']


def test_check_folder(tmp_path, monkeypatch):
    check_folder(tmp_path)
    check_folder(tmp_path/'new'/'folder')
    monkeypatch.chdir(tmp_path)
    check_folder('new/folder')
    assert names(tmp_path) == []
    (tmp_path/'file').touch()
    for path in (tmp_path/'file', tmp_path/'file'/'new'/'folder'):
        with pytest.raises(NotADirectoryError, match='file is a file, not a folder'): check_folder(path)


@posix
def test_check_folder_of_a_link_that_leads_nowhere(tmp_path):
    (tmp_path/'link').symlink_to(tmp_path/'nowhere')
    with pytest.raises(NotADirectoryError, match='link is a link that leads nowhere'): check_folder(tmp_path/'link')


def test_kind_of(tmp_path):
    assert kind_of(tmp_path) == 'a folder'
    assert kind_of(tmp_path/'x') == kind_of(tmp_path/'x'/'y') == 'nothing'
    (tmp_path/'x').touch()
    assert kind_of(tmp_path/'x') == 'a file' and kind_of(tmp_path/'x'/'y') == 'nothing'
    assert kind_of(os.devnull) == 'a device'


# Links, modes, owners

@posix
def test_links_stay_and_their_target_is_written(tmp_path):
    (tmp_path/'folder').mkdir()
    target = tmp_path/'folder'/'target'
    (tmp_path/'second').symlink_to('folder/target')
    (tmp_path/'first').symlink_to('second')
    for content in (b'new', b'newer'): # at first the links lead nowhere
        write_atomically(tmp_path/'first', content)
        assert target.read_bytes() == content and not target.is_symlink()
    assert (tmp_path/'first').is_symlink() and (tmp_path/'second').is_symlink()
    assert names(tmp_path) == ['first', 'folder', 'second'] and names(tmp_path/'folder') == ['target']


@posix
@pytest.mark.parametrize('mode', [0o600, 0o640, 0o755, 0o666, 0o444])
def test_the_mode_stays(tmp_path, mode):
    path = tmp_path/'x'
    path.touch()
    path.chmod(mode)
    if mode == 0o444 and os.geteuid(): pytest.skip('only root may write to such a file')
    with umask(0o077): write_atomically(path, b'new')
    assert mode_of(path) == mode and path.read_bytes() == b'new'


@posix
@pytest.mark.parametrize('mask', [0o022, 0o077, 0o002])
def test_a_new_file_gets_the_mode_that_umask_asks_for(tmp_path, mask):
    with umask(mask): write_atomically(tmp_path/'x', b'new')
    assert mode_of(tmp_path/'x') == 0o666 & ~mask


@posix
def test_a_secret_is_never_readable_by_others_while_it_is_written(tmp_path):
    path = tmp_path/'x'
    path.touch(0o600)
    with umask(0), atomic_file(path) as file: assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


@posix
@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() != 0, reason='only root may give files away')
def test_the_owner_stays(tmp_path):
    path = tmp_path/'x'
    path.touch()
    os.chown(path, 1234, 4321)
    write_atomically(path, b'new')
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


# Whole or not at all

def test_write_atomically_writes(tmp_path):
    for content in (b'', b'first', bytes(10**6), b'last'):
        write_atomically(str(tmp_path/'x'), content)
        assert (tmp_path/'x').read_bytes() == content
    assert names(tmp_path) == ['x']


@pytest.mark.parametrize('error', [ValueError, OSError, KeyboardInterrupt])
@pytest.mark.parametrize('where', ['write', 'os.fsync', 'os.replace'])
@pytest.mark.parametrize('old', [True, False])
def test_an_error_leaves_the_old_file(tmp_path, monkeypatch, error, where, old):
    path = tmp_path/'x'
    if old: path.write_bytes(b'old')
    def fail(*_): raise error('interrupted')
    with monkeypatch.context() as m, pytest.raises(error, match='interrupted'):
        if where != 'write': m.setattr(where, fail)
        with atomic_file(path) as file:
            file.write(b'new')
            if where == 'write': fail()
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b'old'] * old


def test_content_reaches_the_disk_before_the_name(tmp_path, monkeypatch):
    "After a power cut, a name whose content was never written would be a torn file"
    calls = []
    sync, replace = os.fsync, os.replace
    def note_sync(fd):
        calls.append('folder' if stat.S_ISDIR(os.fstat(fd).st_mode) else os.fstat(fd).st_size)
        sync(fd)
    def note_replace(*paths):
        calls.append('replace')
        replace(*paths)
    monkeypatch.setattr(os, 'fsync', note_sync)
    monkeypatch.setattr(os, 'replace', note_replace)
    write_atomically(tmp_path/'x', b'12345')
    assert calls == [5, 'replace', *['folder'] * (os.name != 'nt')]


def test_a_folder_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch):
    sync = os.fsync
    def only_files(fd):
        if stat.S_ISDIR(os.fstat(fd).st_mode): raise OSError('not here')
        sync(fd)
    monkeypatch.setattr(os, 'fsync', only_files)
    write_atomically(tmp_path/'x', b'new')
    assert (tmp_path/'x').read_bytes() == b'new'


# Temporary files

@posix
def test_a_killed_writer_leaves_a_file_that_the_next_one_sweeps(tmp_path):
    path = tmp_path/'x'
    path.write_bytes(b'old')
    writer = stopped_writer(path)
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    assert len(names(tmp_path)) == 2 and path.read_bytes() == b'old'
    write_atomically(tmp_path/'another', b'new')
    assert names(tmp_path) == ['another', 'x'] and path.read_bytes() == b'old'


def test_a_file_in_use_is_never_swept(tmp_path):
    path = tmp_path/'x'
    writer = stopped_writer(path)
    for temporary in tmp_path.iterdir(): os.utime(temporary, (0, 0)) # it may be as old as it likes
    write_atomically(tmp_path/'another', b'new')
    check_writable(path)
    assert len(names(tmp_path)) == 2 and not path.exists()
    writer.communicate(b'go on\n', timeout=60)
    assert writer.returncode == 0 and path.read_bytes() == b'half of the whole'
    assert names(tmp_path) == ['another', 'x']


def test_without_locks_only_old_files_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(files, 'fcntl', None) # as on Windows
    used = []
    for _ in range(2):
        with atomic_file(tmp_path/'x') as file: used.append(file.name)
    (tmp_path/'x').unlink()
    first, second = (tmp_path/os.path.basename(name) for name in used)
    for path in (first, second, tmp_path/'.other.tmp'): path.touch()
    os.utime(first, (time.time() - 7200,) * 2)
    os.utime(tmp_path/'.other.tmp', (0, 0))
    write_atomically(tmp_path/'x', b'new')
    assert names(tmp_path) == sorted(['.other.tmp', second.name, 'x'])


@posix
def test_what_only_looks_like_a_temporary_file_stays(tmp_path):
    with atomic_file(tmp_path/'x') as file: name = os.path.basename(file.name)
    other = tmp_path/name
    os.mkfifo(other) # opening it would block
    write_atomically(tmp_path/'x', b'new')
    assert stat.S_ISFIFO(other.lstat().st_mode)
    other.unlink()
    (tmp_path/'kept').write_bytes(b'kept')
    other.symlink_to(tmp_path/'kept')
    write_atomically(tmp_path/'x', b'new')
    assert other.is_symlink() and (tmp_path/'kept').read_bytes() == b'kept'


@posix
def test_killed_at_any_moment(tmp_path):
    "Twenty writers, each killed in the middle of its work: the file is whole, and in the end nothing else is left"
    program = '''
import sys
from mnist_steps.files import write_atomically
for i in range(10**6):
    write_atomically(sys.argv[1], bytes([i % 256]) * 300_000)
    print(flush=True)
'''
    path = tmp_path/'x'
    for n_written in range(1, 21):
        writer = subprocess.Popen([sys.executable, '-c', program, str(path)], stdout=subprocess.PIPE)
        for _ in range(n_written): writer.stdout.readline()
        writer.kill()
        writer.communicate()
        content = path.read_bytes()
        assert content == content[:1] * 300_000
    write_atomically(path, b'last')
    assert names(tmp_path) == ['x']


def test_many_writers_of_one_file(tmp_path):
    "Whoever comes last wins, nobody fails, and a reader sees one of the contents, whole"
    program = '''
import sys
from mnist_steps.files import write_atomically
for i in range(30): write_atomically(sys.argv[1], sys.argv[2].encode() * 100_000)
'''
    path = tmp_path/'x'
    write_atomically(path, b'0' * 100_000)
    writers = [subprocess.Popen([sys.executable, '-c', program, str(path), str(i)]) for i in range(3)]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert content == content[:1] * 100_000
    assert [writer.returncode for writer in writers] == [0, 0, 0] and names(tmp_path) == ['x']
