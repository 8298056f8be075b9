"The IDX format: round trips of everything, broken files by the thousand, bounded memory, writes whole or not at all."
import gzip
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from helpers import peak_of
from mnist_steps.idx import IDX_DTYPES, IDXError, read_idx, write_idx

TYPES = [np.dtype(d).newbyteorder('=') for d in IDX_DTYPES.values()]
GOOD = struct.pack('>HBB2I', 0, 8, 2, 2, 3) + b'digits'
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

arrays = hnp.arrays(st.sampled_from(TYPES), hnp.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4))


def complaint(path):
    with pytest.raises(IDXError) as e: read_idx(path)
    return str(e.value)


# Round trips

@quick
@given(array=arrays, suffix=st.sampled_from(['.idx', '.gz', '']))
def test_round_trip(tmp_path, array, suffix):
    path = tmp_path/f'array{suffix}'
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype and back.dtype.isnative and back.shape == array.shape
    assert back.tobytes() == array.tobytes() # bit by bit, NaN included
    assert back.flags.writeable
    content = path.read_bytes()
    assert (content[:2] == b'\x1f\x8b') == (suffix == '.gz')
    write_idx(path, array)
    assert path.read_bytes() == content


@pytest.mark.parametrize('array', [
    np.arange(24, dtype='>i4').reshape(2, 3, 4), np.arange(24, dtype='<f8').reshape(2, 3, 4),
    np.arange(24, dtype=np.int16).reshape(4, 6).T, np.arange(24, dtype=np.uint8)[::-2],
    np.asfortranarray(np.ones((3, 2), np.float32))])
def test_any_memory_layout_round_trips(tmp_path, array):
    write_idx(tmp_path/'a', array)
    np.testing.assert_array_equal(read_idx(tmp_path/'a'), array)


def test_header_is_the_published_format(tmp_path):
    write_idx(tmp_path/'a', np.array([[1, -2]], np.int16))
    assert (tmp_path/'a').read_bytes() == bytes.fromhex('00000b02 00000001 00000002 0001 fffe')


@pytest.mark.parametrize('rank', [0, 1, 7, 32])
def test_every_rank(tmp_path, rank):
    write_idx(tmp_path/'a.gz', np.ones((1,)*rank, np.int8))
    assert read_idx(str(tmp_path/'a.gz')).shape == (1,)*rank


def test_the_name_does_not_matter(tmp_path):
    (tmp_path/'plain.gz').write_bytes(GOOD)
    (tmp_path/'zipped').write_bytes(gzip.compress(GOOD))
    np.testing.assert_array_equal(read_idx(tmp_path/'plain.gz'), read_idx(tmp_path/'zipped'))


# Malformed files

BROKEN = { # name: (content, what the error says)
    'empty': (b'', 'byte 0: expected a magic number of 4 bytes, found the end after 0'),
    'short magic': (b'\0\0\x08', 'byte 3: expected a magic number'),
    'not IDX': (b'\x89PNG\r\n\x1a\n', 'byte 0: expected two zero bytes, found 89 50'),
    'unknown type': (b'\0\0\x0a\x01\0\0\0\0', 'byte 2: expected a type code (08, 09, 0b, 0c, 0d, 0e), found 0a'),
    'too many dimensions': (b'\0\0\x08\xff' + bytes(4*255), 'byte 3: expected at most'),
    'truncated header': (GOOD[:10], 'byte 10: expected a header of 12 bytes, found the end after 10'),
    'truncated data': (GOOD[:-1], 'byte 17: expected 6 bytes of data (2 x 3, uint8), found 5'),
    'no data': (GOOD[:12], 'byte 12: expected 6 bytes of data (2 x 3, uint8), found 0'),
    'trailing byte': (GOOD + b'!', 'byte 18: expected'),
    'promises a bit more than it holds': (
        struct.pack('>HBB2I', 0, 8, 2, 3, 3) + b'digits', 'expected 9 bytes of data (3 x 3, uint8), found 6'),
    'promises 4 GB': (
        struct.pack('>HBBI', 0, 8, 1, 2**32-1) + bytes(12), 'byte 4: expected at most 1,073,741,824 bytes of data'),
    'promises more than 64 bits': (struct.pack('>HBB4I', 0, 14, 4, *[2**32-1]*4), 'byte 4: expected at most'),
    'a zero beside sizes that overflow': (
        struct.pack('>HBB4I', 0, 8, 4, 0, *[2**32-1]*3), 'expected a shape that NumPy can hold'),
}

@pytest.mark.parametrize('zipped', [False, True], ids=['plain', 'gzip'])
@pytest.mark.parametrize('name', BROKEN)
def test_malformed(tmp_path, name, zipped):
    content, says = BROKEN[name]
    path = tmp_path/'broken-file'
    path.write_bytes(gzip.compress(content) if zipped else content)
    message = complaint(path)
    assert str(path) in message and says in message
    assert peak_of(lambda: complaint(path)) < 300_000


ZIPPED = gzip.compress(GOOD, mtime=0)
BROKEN_GZIP = {
    'two bytes': ZIPPED[:2], 'cut in the gzip header': ZIPPED[:7], 'cut in the data': ZIPPED[:15],
    'cut in the checksum': ZIPPED[:-2], 'length mismatch': ZIPPED[:-1] + b'\x07',
    'checksum mismatch': ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:],
    'unknown method': ZIPPED[:2] + b'\x07' + ZIPPED[3:], 'damaged stream': ZIPPED[:10] + b'\xff'*8 + ZIPPED[18:],
    'garbage behind': ZIPPED + b'garbage'}

@pytest.mark.parametrize('name', BROKEN_GZIP)
def test_malformed_gzip(tmp_path, name):
    path = tmp_path/'broken-file.gz'
    path.write_bytes(BROKEN_GZIP[name])
    message = complaint(path)
    assert str(path) in message and 'byte' in message and 'expected' in message and 'found' in message


def test_second_gzip_member_is_trailing_data(tmp_path):
    (tmp_path/'a.gz').write_bytes(ZIPPED + gzip.compress(b'more'))
    assert 'byte 18: expected the end' in complaint(tmp_path/'a.gz')


def test_folder_and_missing_file(tmp_path):
    assert 'found a folder' in complaint(tmp_path)
    with pytest.raises(FileNotFoundError, match='no such file'): read_idx(tmp_path/'nowhere')


def test_max_bytes_can_be_raised_and_lowered(tmp_path):
    (tmp_path/'a').write_bytes(GOOD)
    assert read_idx(tmp_path/'a', max_bytes=6).size == 6
    with pytest.raises(IDXError, match='pass max_bytes=6 or more'): read_idx(tmp_path/'a', max_bytes=5)


def test_lying_gzip_header_allocates_little(tmp_path):
    (tmp_path/'a').write_bytes(gzip.compress(struct.pack('>HBBI', 0, 8, 1, 2**30) + bytes(1000)))
    assert peak_of(lambda: complaint(tmp_path/'a')) < 2_500_000


def test_gzip_bomb_allocates_little(tmp_path):
    (tmp_path/'a').write_bytes(gzip.compress(GOOD + bytes(50_000_000), 1))
    assert 'byte 18: expected the end' in complaint(tmp_path/'a')
    assert peak_of(lambda: complaint(tmp_path/'a')) < 2_500_000


@st.composite
def mutants(draw):
    "A valid file after a few random edits."
    content = bytearray(draw(st.sampled_from([GOOD, ZIPPED])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        edit = draw(st.sampled_from(['flip', 'cut', 'insert', 'drop']))
        if edit == 'flip' and at < len(content): content[at] ^= draw(st.integers(1, 255))
        elif edit == 'cut': del content[at:]
        elif edit == 'insert': content[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif edit == 'drop': del content[at:at+1]
    return bytes(content)

@settings(quick, max_examples=500)
@given(content=st.one_of(mutants(), st.binary(max_size=64)))
def test_fuzz(tmp_path, content):
    path = tmp_path/'mutant'
    path.write_bytes(content)
    try: array = read_idx(path)
    except IDXError as e: assert str(path) in str(e)
    else:
        header = gzip.decompress(content) if content[:2] == b'\x1f\x8b' else content
        assert array.shape == struct.unpack(f'>{header[3]}I', header[4:4+4*header[3]])
        assert len(header) == 4 + 4*array.ndim + array.nbytes


posix = pytest.mark.skipif(os.name == 'nt', reason='Windows has no such files')


@posix
def test_a_pipe_or_device_is_refused_at_once(tmp_path):
    "Opened, a pipe would block until somebody writes into it, and /dev/zero would never end"
    os.mkfifo(tmp_path/'pipe')
    for path, kind in ((tmp_path/'pipe', 'a named pipe'), ('/dev/zero', 'a device'), ('/dev/null', 'a device')):
        message = complaint(path)
        assert str(path) in message and f'expected an IDX file, found {kind}' in message


@posix
def test_a_pipe_of_the_shell_is_refused_at_once():
    program = 'from mnist_steps.idx import read_idx; read_idx("/dev/stdin")'
    with subprocess.Popen([sys.executable, '-c', program], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
        try: assert 'found a named pipe' in reader.stderr.read().decode() # it is still open at our end
        finally: reader.kill()


@posix
def test_writing_follows_links_and_keeps_the_mode(tmp_path):
    target = tmp_path/'target'
    target.touch()
    target.chmod(0o600)
    (tmp_path/'link').symlink_to(target)
    write_idx(tmp_path/'link', np.arange(3, dtype=np.uint8))
    assert (tmp_path/'link').is_symlink() and target.stat().st_mode & 0o777 == 0o600
    assert read_idx(target).tolist() == [0, 1, 2]
    with pytest.raises(OSError, match='/dev/null is a device'): write_idx('/dev/null', np.zeros(3, np.uint8))


# Writing

@pytest.mark.parametrize('dtype', [
    np.int64, np.uint16, np.uint32, np.uint64, bool, np.float16, complex, object, 'U1', 'datetime64[s]', [('a', 'i4')]])
def test_types_that_idx_lacks(tmp_path, dtype):
    with pytest.raises(IDXError, match='Cast first'): write_idx(tmp_path/'a', np.zeros(2, dtype))
    assert not list(tmp_path.iterdir())


class Broken(Exception): pass

@pytest.mark.parametrize('error', [Broken, OSError, KeyboardInterrupt])
@pytest.mark.parametrize('where', ['replace', 'gzip'])
@pytest.mark.parametrize('old', [True, False])
def test_write_is_atomic(tmp_path, monkeypatch, error, where, old):
    path = tmp_path/'a.gz'
    if old: path.write_bytes(b'the old file')
    def fail(*a, **k): raise error('interrupted')
    with monkeypatch.context() as m:
        if where == 'replace': m.setattr(os, 'replace', fail)
        else: m.setattr(gzip.GzipFile, 'write', fail)
        with pytest.raises(error): write_idx(path, np.zeros(3, np.uint8))
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b'the old file']*old


def test_write_needs_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError): write_idx(tmp_path/'nowhere'/'a', np.zeros(3, np.uint8))
