"""Figures for light and dark pages, made of those that the notebooks store: for the site (`build.py`) and the README.

A figure is drawn on white. Its dark twin keeps what has a colour of its own and turns what is black, white or grey.
What its pixels mean stays: a picture, such as white ink on black or a photograph, stays as it is.
"""
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from scipy import ndimage

from pages import cfg

WHITE = 255
COLORS = 256 # of a figure with pictures: to the eye the same as more, in a fraction of the bytes
COLORS_OF_LINES = 32 # of any other: lines, letters and the grey of their edges
PHOTO = 100_000 # bytes: what takes more without loss is a photograph
GROUND, INK = np.array([19, 20, 22]), np.array([207, 208, 208]) # of furo's dark pages
SIDE = 20 # pixels that a picture in a figure has at least, on each side

def trimmed(rgb, box):
    "The box of a picture without the marks that its axes have outside"
    rows, columns = box
    is_white = (rgb[box] == WHITE).all(-1)
    down, right = np.flatnonzero(is_white.mean(1) < .5), np.flatnonzero(is_white.mean(0) < .5)
    return (slice(rows.start + down[0], rows.start + down[-1] + 1),
            slice(columns.start + right[0], columns.start + right[-1] + 1))

def varies(part):
    "Is there more in a box than bars or a band? Its rows differ, and its columns do, inside its frame"
    inside = part[8:-8, 8:-8]
    return all((np.diff(inside, axis=axis) != 0).any((1 - axis, 2)).sum() > 3 for axis in (0, 1))

def has_size(box, other):
    "Are two boxes equally high and wide, but for marks of their axes?"
    return all(abs((a.stop - a.start) - (b.stop - b.start)) < 10 for a, b in zip(box, other))

def pictures(
    rgb: np.ndarray, # (h, w, 3) uint8: a figure on white
) -> list: # of pairs of slices: its boxes full of pixels, such as pictures of digits and heat maps
    "Where a figure shows pictures: solid rectangles, and what has the same size beside one"
    has_ink = (rgb < WHITE).any(-1)
    labels, _ = ndimage.label(has_ink)
    solid, others = [], []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        part = labels[box] == label
        if min(part.shape) < SIDE: continue
        is_solid = has_ink[box].mean() > .7 and ndimage.binary_fill_holes(part).mean() > .95
        box = trimmed(rgb, box) if is_solid else box
        if is_solid and varies(rgb[box]): solid.append(box)
        else: others.append(box)
    return solid + [box for box in others if any(has_size(box, one) for one in solid)]

def stays(part):
    "Does a picture mean what it shows? So it does if it is dark, or grey throughout, as a photograph is"
    is_grey = (part.max(-1) - part.min(-1)).max() < 16
    return part.mean() < 150 or is_grey and (part == WHITE).all(-1).mean() < .05

def turned(rgb):
    "Light as dark, and dark as light, in the same hues"
    most, least = rgb.max(-1, keepdims=True), rgb.min(-1, keepdims=True)
    return GROUND + (rgb + WHITE - most - least) * (INK - GROUND) / WHITE

def recolored(rgb):
    "Black, white and grey turned, what has a colour of its own as it is"
    color = np.clip(2.6 / WHITE * (rgb.max(-1, keepdims=True) - rgb.min(-1, keepdims=True)), 0, 1)**2
    return color * rgb + (1 - color) * turned(rgb)

def dark(
    figure: Image.Image, # on white, without transparency
) -> Image.Image: # the same for a dark page
    "Recolour lines and letters, turn heat maps, and leave pictures as they are"
    few = figure.quantize(COLORS, dither=Image.Dither.NONE)
    where, colors = np.asarray(few), np.array(few.getpalette()).reshape(-1, 3)
    lines, maps = (kind(colors).round().astype(np.uint8) for kind in (recolored, turned))
    rgb, out = np.asarray(figure), lines[where]
    boxes = pictures(rgb)
    as_it_is = any(stays(rgb[box]) for box in boxes) # pictures side by side show the same thing
    for box in boxes: out[box] = rgb[box] if as_it_is else maps[where[box]]
    return Image.fromarray(out)

def write_webp(picture, empty, colors, path):
    "Write a picture as WebP, transparent where it is empty"
    alpha = Image.fromarray(np.where(empty, 0, WHITE).astype(np.uint8))
    few = picture.quantize(colors, dither=Image.Dither.NONE).convert('RGB')
    few.putalpha(alpha)
    few.save(path, lossless=True, quality=70)
    if colors == COLORS and path.stat().st_size > PHOTO: Image.merge('RGBA', [*picture.split(), alpha]).save(path)

def write_twins(path):
    "Replace a PNG of the site by WebP for light pages and for dark ones; returns their names: one if it serves both"
    figure = Image.open(path).convert('RGB')
    rgb = np.asarray(figure)
    boxes, empty = pictures(rgb), (rgb == WHITE).all(-1)
    for box in boxes: empty[box] = False # white that is part of a picture
    photographed = cfg.nbs_path/'images'/f'{path.stem}-dark.png'
    is_shot = photographed.exists() # of a page that has a dark theme itself
    if is_shot: empty[:] = False
    twin = Image.open(photographed).convert('RGB') if is_shot else dark(figure)
    kinds = {'': figure}
    if is_shot or (rgb != np.asarray(twin))[~empty].any(): kinds['-dark'] = twin
    files = {path.with_name(f'{path.stem}{kind}.webp'): picture for kind, picture in kinds.items()}
    colors = COLORS if boxes or is_shot else COLORS_OF_LINES
    for file, picture in files.items(): write_webp(picture, empty, colors, file)
    path.unlink()
    return [file.name for file in files]

def tags(tag, names):
    "The tag of a picture for each of its twins; the page loads the one that it shows"
    for name, theme in zip(names, ['light', 'dark'] if len(names) == 2 else ['']):
        kind = f' class="only-{theme}"' if theme else ''
        yield re.sub(r'<img(.*?)src="([^"]*_images/)[^"]+"', rf'<img{kind} loading="lazy"\g<1>src="\g<2>{name}"', tag)

def follow_theme(out):
    "Let the figures of the site in the folder `out` follow the theme of its pages"
    paths = sorted((out/'_images').glob('*.png'))
    with ThreadPoolExecutor(os.cpu_count()) as pool: names = list(pool.map(write_twins, paths))
    twins = {path.name: twin for path, twin in zip(paths, names)}
    def replace(match): return ''.join(tags(match[0], twins[match[1]]))
    for page in out.rglob('*.html'):
        text = page.read_text(encoding='utf-8')
        page.write_text(re.sub(r'<img [^>]*src="[^"]*_images/([^"/]+\.png)"[^>]*>', replace, text), encoding='utf-8')
