"Any picture becomes grey: formats, arrays, tensors, hostile files."
import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image

from helpers import difference, saved
from mnist_steps.canvas import STROKES, draw, has_ink, to_mnist
from mnist_steps.data import load_mnist
from mnist_steps.pictures import MAX_BYTES, MAX_SIDE, read_grey

CANVAS = draw(STROKES[3])
GREY = Image.fromarray(CANVAS).convert('L')
WANTED = to_mnist(CANVAS)


# ---- formats

MODES = '1 L LA P RGB RGBA CMYK YCbCr HSV LAB I F I;16 RGBX PA La RGBa'.split()
VIA = {'La': 'LA', 'RGBa': 'RGBA', 'PA': 'P', 'HSV': 'RGB', 'YCbCr': 'RGB'} # how Pillow gets to a mode; else from 'L'


@pytest.mark.parametrize('mode', MODES)
def test_pillow_modes(mode):
    if mode == 'I;16': im = Image.fromarray(np.asarray(GREY).astype(np.uint16)*257)
    elif mode == 'LAB': im = Image.merge('LAB', [GREY] + [Image.new('L', GREY.size, 128)]*2)
    else: im = GREY.convert(VIA.get(mode, 'L')).convert(mode)
    assert difference(to_mnist(im), WANTED) < 0.05


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.int16, np.int64, np.uint16, np.float16, np.float32, np.float64])
def test_array_dtypes(dtype):
    grey = np.asarray(GREY)
    a = {'b': grey > 127, 'u': grey, 'i': grey, 'f': grey/255}[np.dtype(dtype).kind].astype(dtype)
    if dtype is np.uint16: a = a*np.uint16(257)
    for b in (a, a[..., None], np.dstack([a]*3), np.asfortranarray(a), a[:, ::-1][:, ::-1]):
        assert difference(to_mnist(b), WANTED) < 0.05


@pytest.mark.parametrize('name', ['PNG', 'JPEG', 'GIF', 'BMP', 'WEBP', 'TIFF', 'PPM'])
def test_file_formats(name, tmp_path):
    data = saved(GREY, name)
    path = tmp_path/f'drawing.{name.lower()}'
    path.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data), path, str(path), Image.open(path)):
        assert difference(to_mnist(source), WANTED) < 0.15


def test_alpha():
    black = Image.new('L', GREY.size)
    assert (to_mnist(Image.merge('LA', [black, GREY])) == WANTED).all()
    assert (to_mnist(saved(Image.merge('RGBA', [black, black, black, GREY]), 'PNG')) == WANTED).all()
    white = Image.new('L', GREY.size, 255)
    assert (to_mnist(Image.merge('RGBA', [white]*3 + [GREY])) == WANTED).all()
    palette = GREY.point(lambda v: 255*(v > 127)).convert('P')
    assert difference(to_mnist(saved(palette, 'PNG', transparency=0)), WANTED) < 0.1


def test_coloured_pens():
    ink = np.asarray(GREY)[..., None]/255
    blue, yellow, red, white, night = (0, 0, 255), (255, 220, 0), (255, 60, 60), (255, 255, 255), (20, 20, 40)
    for pen, ground in ((blue, white), (yellow, white), (red, night)):
        picture = (ink*pen + (1-ink)*ground).astype(np.uint8)
        assert difference(to_mnist(picture), WANTED) < 0.1


TURNS = [None, 'FLIP_LEFT_RIGHT', 'ROTATE_180', 'FLIP_TOP_BOTTOM', 'TRANSPOSE', 'ROTATE_90', 'TRANSVERSE', 'ROTATE_270']


@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_orientation(orientation):
    turn = TURNS[orientation-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    im = GREY if turn is None else GREY.transpose(Image.Transpose[turn])
    for name in ('PNG', 'JPEG', 'WEBP', 'TIFF'):
        tags = exif if name == 'TIFF' else exif.tobytes()
        assert difference(to_mnist(saved(im, name, exif=tags)), WANTED) < 0.15
    assert difference(to_mnist(saved(im.resize((1120, 1120)), 'JPEG', exif=exif)), WANTED) < 0.3


def test_animation_gives_its_first_frame():
    other = Image.fromarray(draw(STROKES[7])).convert('L')
    for name in ('GIF', 'WEBP', 'PNG', 'TIFF'):
        animation = saved(GREY, name, save_all=True, append_images=[other, other])
        assert difference(to_mnist(animation), WANTED) < 0.15


# ---- hostile input

def bomb(side, channels=1):
    "A PNG of `side` x `side` black pixels in a few kilobytes."
    def chunk(kind, data):
        return len(data).to_bytes(4, 'big') + kind + data + zlib.crc32(kind + data).to_bytes(4, 'big')
    z = zlib.compressobj(9)
    row = bytes(1 + side*channels)
    body = b''.join(z.compress(row) for _ in range(side)) + z.flush()
    head = side.to_bytes(4, 'big')*2 + bytes([8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0])
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', body) + chunk(b'IEND', b'')


PNG, JPEG = saved(GREY, 'PNG'), saved(GREY, 'JPEG')
HOSTILE = {
    'empty': b'',
    'one byte': b'\x89',
    'text': b'These are the digits you are looking for.\n'*10,
    'html': b'<html><img src=x></html>',
    'half a png': PNG[:len(PNG)//2],
    'half a jpeg': JPEG[:len(JPEG)//2],
    'png header': PNG[:33],
    'jpeg header': JPEG[:100],
    'flipped bytes': PNG[:60] + bytes(255-b for b in PNG[60:200]) + PNG[200:],
    'gif header': b'GIF89a' + bytes(20),
    'eps': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n',
    'zip': b'PK\x03\x04' + bytes(100),
    'gzip': b'\x1f\x8b\x08' + bytes(50),
}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_files(name, tmp_path):
    path = tmp_path/'digit.png'
    path.write_bytes(HOSTILE[name])
    for source in (HOSTILE[name], path):
        with pytest.raises(ValueError) as e:
            to_mnist(source)
        assert 'picture' in str(e.value) or 'damaged' in str(e.value)


def test_too_large_says_so():
    with pytest.raises(ValueError, match='scale it down'):
        to_mnist(bomb(20_000))
    with pytest.raises(ValueError, match='scale it down'):
        to_mnist(np.broadcast_to(np.uint8(0), (20_000, 20_000)))
    with pytest.raises(ValueError, match='scale it down'):
        to_mnist(PNG + bytes(MAX_BYTES))


def test_our_own_limit_does_not_depend_on_pillows(monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', None)
    with pytest.raises(ValueError, match='scale it down'):
        to_mnist(bomb(20_000))


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='the peak of a process is read from /proc')
@pytest.mark.parametrize('kind', ['bomb', 'png', 'gif', 'webp', 'jpeg', 'progressive'])
def test_memory_is_bounded(kind, tmp_path):
    "The largest pictures that are read, and one that isn't, each in a process of its own."
    path = tmp_path/'large'
    side = 3870
    if kind == 'bomb': path.write_bytes(bomb(20_000))
    elif kind == 'png': path.write_bytes(bomb(side, 4))
    else:
        im = Image.new('RGB', (7900, 7900) if kind == 'jpeg' else (side, side), 'white')
        im.paste(0, (im.width//2, im.height//4, im.width//2 + im.width//20, 3*im.height//4))
        if kind == 'progressive': im.save(path, 'JPEG', progressive=True, subsampling=0)
        else: im.save(path, kind.upper())
    code = f'''
import re
from pathlib import Path
from mnist_steps.canvas import to_mnist
try: to_mnist({str(path)!r})
except ValueError as e: print(e)
peak = int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])/1024
assert peak <= 300, peak
'''
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize('bad', [
    None, {}, b'no such file', object(), np.array('x'),
    np.zeros(784), np.zeros((2, 3, 28, 28)), np.zeros((3, 28, 28)), np.zeros((0, 0)), np.zeros((28, 28, 5)),
    [[1, 2], [3]],
    np.full((28, 28), np.nan), np.full((28, 28), 1.5), np.full((28, 28), -1), np.full((28, 28), 256),
    np.zeros((28, 28), complex),
])
def test_not_a_picture(bad):
    with pytest.raises(ValueError):
        to_mnist(bad)
    with pytest.raises(ValueError):
        has_ink(bad)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        to_mnist(tmp_path/'nowhere.png')


def check(picture):
    "A digit or a ValueError: nothing else, ever."
    try: out = to_mnist(picture)
    except ValueError as e: assert str(e)
    else: assert out.shape == (28, 28) and out.dtype == np.uint8 and out.any()


TIFF = saved(GREY, 'TIFF', compression='tiff_lzw')
FILES = [PNG, JPEG, saved(GREY, 'GIF'), saved(GREY, 'WEBP'), TIFF, saved(GREY, 'BMP')]
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8) # where, which byte


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), EDITS, st.integers(0, 10**6))
def test_any_damage(data, edits, cut):
    data = bytearray(data)
    for at, value in edits: data[at % len(data)] = value
    check(bytes(data[:cut % (2*len(data)) + 1]))


# ---- grey itself

RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_grey_is_brightness():
    grey = read_grey(RGB)
    assert grey.shape == (40, 60) and grey.dtype == np.float32 and 0 <= grey.min() and grey.max() <= 1
    assert np.abs(grey - RGB @ [0.299, 0.587, 0.114]/255).max() < 1e-6


@pytest.mark.parametrize('form', [
    Image.fromarray(RGB), saved(Image.fromarray(RGB), 'PNG'), RGB.astype(int), RGB.astype(np.int16), RGB/255,
    (RGB/255).astype(np.float32), RGB.astype(np.uint16)*257, RGB.tolist(), np.asfortranarray(RGB),
    np.dstack([RGB, np.full((40, 60), 255, np.uint8)]),
], ids=str.split('pillow png int64 int16 float64 float32 uint16 list fortran opaque'))
def test_the_same_picture_in_many_forms(form):
    assert np.abs(read_grey(form) - read_grey(RGB)).max() < 1e-6


def test_the_type_decides_the_scale_not_the_values():
    ones = np.ones((4, 4))
    assert read_grey(ones).max() == read_grey(ones > 0).max() == 1
    assert read_grey(ones.astype(np.int64)).max() == read_grey(ones.astype(np.uint8)).max() == np.float32(1/255)


def test_grey_is_a_picture_like_any_other():
    for image in (RGB, CANVAS, GREY, np.random.default_rng(1).random((3000, 20, 4))):
        grey = read_grey(image)
        assert max(grey.shape) <= MAX_SIDE and np.array_equal(read_grey(grey), grey)


@pytest.mark.parametrize('change', [
    lambda t: t, lambda t: t.permute(2, 0, 1), lambda t: t.float()/255, lambda t: t.double()/255, lambda t: t.int(),
    lambda t: (t.float()/255).permute(2, 0, 1).requires_grad_(),
], ids=str.split('uint8 first float double int32 gradient'))
def test_a_tensor_is_a_picture(change):
    assert np.abs(read_grey(change(torch.tensor(RGB))) - read_grey(RGB)).max() < 1e-6


@pytest.mark.parametrize('n', [2, 3, 4])
@pytest.mark.parametrize('dtype', [torch.uint8, torch.float32])
@pytest.mark.parametrize('side', [8, 28])
def test_a_tensor_of_a_few_digits_is_no_picture_with_channels(n, dtype, side):
    with pytest.raises(ValueError, match=f'{n} digits or the channels of one'):
        read_grey(torch.zeros(n, side, side, dtype=dtype))
    with pytest.raises(ValueError, match='one picture'):
        read_grey(np.zeros((n, 28, 28)))
    assert read_grey(torch.ones(28, 28, n, dtype=dtype)).shape == (28, 28) # the channels are last


@pytest.mark.parametrize('high', [1, 255, 1023])
@pytest.mark.parametrize('form', [
    lambda levels: levels, lambda levels: levels.astype('>u2'), lambda levels: np.dstack([levels]*3),
    lambda levels: torch.tensor(levels), lambda levels: Image.fromarray(levels),
    lambda levels: saved(Image.fromarray(levels), 'PNG'), lambda levels: saved(Image.fromarray(levels), 'TIFF'),
], ids=str.split('array big-endian rgb tensor pillow png tiff'))
def test_faint_numbers_of_16_bits_are_not_taken_for_a_blank(form, high):
    levels = (np.asarray(GREY) > 127).astype(np.uint16)
    with pytest.raises(ValueError, match=f'16 bits up to {high}, .* of 65,535: scale them up'):
        read_grey(form(levels*np.uint16(high)))
    assert not read_grey(form(levels*0)).any() # a blank is a blank
    assert read_grey(form(levels*np.uint16(4095))).max() == np.float32(4095)/np.float32(65535)


def test_16_bits_in_any_order_of_bytes():
    levels = np.asarray(GREY).astype(np.uint16)*np.uint16(257)
    assert np.array_equal(read_grey(levels.astype('>u2')), read_grey(levels))


def test_a_coarse_tensor_is_a_picture():
    assert np.abs(read_grey(torch.tensor(RGB/255).bfloat16()) - read_grey(RGB)).max() < 0.01


def test_one_channel_may_stand_in_front():
    grey = read_grey(RGB)
    for one in (grey[None], torch.tensor(grey)[None], grey[..., None]): assert np.array_equal(read_grey(one), grey)


def test_a_digit_of_a_data_set():
    digit = load_mnist()[1][0]
    assert np.array_equal(read_grey(digit), read_grey(digit.image))


@pytest.mark.parametrize('bad, words', [
    (torch.zeros(2, 3, 28, 28), 'one picture'),
    (torch.full((28, 28), 255.), 'divide them'),
    (torch.zeros(28, 28, dtype=torch.complex64), 'not a picture'),
    (np.full((28, 28), 300), 'from 300 to 300'),
    (np.full((28, 28), -0.5), r'from -0\.5'),
    (np.zeros(784), r'\(784,\)'),
    ({'a': 1}, 'found dict'),
    (7, 'one picture'),
    (load_mnist()[1], 'found Digits, which is not one picture'),
    (load_mnist()[1][:1], r'found Digits, which is not one picture: pass one of them, such as digits\[0\]'),
    ([load_mnist()[1][0]], 'found list, which is not one picture: pass a path'),
    (np.zeros((1, 784)), r'row\.reshape\(28, 28\)'),
    (torch.zeros(1, 784), r'row\.reshape\(28, 28\)'),
    (np.zeros((10, 784), np.uint8), 'a row for each digit'),
    (b'', 'known format'),
    (io.StringIO('a digit'), 'known format'),
])
def test_what_is_refused_is_named(bad, words):
    with pytest.raises(ValueError, match=words):
        read_grey(bad)


def in_a_process(code, *arguments):
    "What the code prints in a process of its own, which is ended if it waits."
    run = subprocess.run([sys.executable, '-c', code, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout


READ = """
import sys
from mnist_steps.pictures import read_grey
source = open(sys.argv[1], 'rb', buffering=0) if 'open' in sys.argv else sys.argv[1]
try: read_grey(source)
except ValueError as e: print(e)
"""


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes with names here')
def test_a_pipe_is_refused_at_once(tmp_path):
    pipe = tmp_path/'digit.png'
    os.mkfifo(pipe)
    assert 'is a pipe or a device' in in_a_process(READ, pipe)


@pytest.mark.skipif(not Path('/dev/zero').exists(), reason='no devices with names here')
def test_a_device_is_refused():
    assert 'is a pipe or a device' in in_a_process(READ, '/dev/zero')
    assert 'known format' in in_a_process(READ, '/dev/zero', 'open')


def test_a_stream_is_refused():
    reader, writer = os.pipe() # nobody ever writes
    try:
        with os.fdopen(reader, 'rb') as stream, pytest.raises(ValueError, match='no end yet'): read_grey(stream)
    finally: os.close(writer)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match='is a folder'):
        read_grey(tmp_path)


def test_an_open_file_is_read_from_its_start(tmp_path):
    path = tmp_path/'digit.png'
    path.write_bytes(PNG)
    with path.open('rb') as file:
        file.read(10)
        assert np.array_equal(read_grey(file), read_grey(GREY))
        assert not file.closed


def test_importing_needs_only_numpy_and_pillow():
    code = ('import sys, mnist_steps.pictures; '
            'assert not {"torch", "sklearn", "scipy", "matplotlib", "fastcore"} & set(sys.modules)')
    in_a_process(code)
