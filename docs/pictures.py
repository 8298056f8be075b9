"""Draw the pictures of the front page in `nbs/images/`: from what is stored, from the page that reads, from the app.

    python docs/pictures.py            # all of them
    python docs/pictures.py play app   # these alone: icon, badges, ladder, two_by_two, card, play, app
"""
import argparse
import io
import json
import math
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from PIL import Image
from playwright.sync_api import sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from mnist_steps.canvas import STROKES
from mnist_steps.cli import demo_command
from mnist_steps.ladder import plot_two_by_two
from mnist_steps.plots import RUNG_COLORS, plot_ladder
from mnist_steps.processes import start_child
from mnist_steps.rungs import RUNGS
from pages import cfg
from themes import dark

IMAGES = cfg.nbs_path/'images'
PAGE = {'width': 760, 'height': 500}
READER = {'x': 0, 'y': 32, 'width': 760, 'height': 378} # the part of the page with pad and answers
DRAWN = 9 # it begins as a 0
FRAME_MS, LONG_MS, ROUNDS = 70, 2500, 2 # how long the page stands still, and how often it goes on
SUBTITLE = 'Handwritten digits in four rungs,\nfrom a linear model to a convolutional net'
# The app has answered everything, and the pictures of its answer are there
READY = """
    document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-stale="true"]')
    && [...document.images].every(image => image.complete)"""

def icon():
    "Four steps in the colours of the rungs, as SVG"
    colors = [RUNG_COLORS[name] for name in RUNGS]
    steps = ''.join(f'<rect x="{16 * i}" y="{48 - 16 * i}" width="16" height="{16 * (i + 1)}" fill="{color}"/>'
                    for i, color in enumerate(colors))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{steps}</svg>\n'
    (IMAGES/'icon.svg').write_text(svg, encoding='utf-8')

def badge(name, value):
    "Write a small plate that says a fact about the package, as SVG"
    left, right = (7 * len(words) + 14 for words in (name, value))
    text = 'y="14" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11" fill="#fff" text-anchor="middle"'
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
           f'aria-label="{name}: {value}">\n'
           f'<rect width="{left + right}" height="20" rx="3" fill="#0067a0"/><path d="M3 0h{left - 3}v20h-{left - 3}'
           f'a3 3 0 0 1-3-3v-14a3 3 0 0 1 3-3" fill="#444"/>\n'
           f'<text x="{left / 2}" {text}>{name}</text><text x="{left + right / 2}" {text}>{value}</text>\n</svg>\n')
    (IMAGES/f'badge_{name}.svg').write_text(svg, encoding='utf-8')

def badges():
    "What settings.ini says of Python and licence"
    versions = re.findall(r'Python :: (3\.\d+)', cfg.classifiers)
    badge('python', f'{versions[0]} to {versions[-1]}')
    badge('code', cfg.license.split()[0])

def save_figure(name):
    "Save the current figure as PNG, and the same for dark pages"
    plt.savefig(IMAGES/f'{name}.png', dpi=130, bbox_inches='tight')
    with Image.open(IMAGES/f'{name}.png') as figure: twin = dark(figure.convert('RGB'))
    twin.quantize(256, dither=Image.Dither.NONE).save(IMAGES/f'{name}-dark.png', optimize=True)

def ladder():
    "Test error against parameters and seconds"
    plot_ladder(SimpleNamespace(steps=stored_rungs()))
    save_figure('ladder')

def two_by_two():
    "Mistakes of two nets in two trainings, as they are trained in the book"
    rows = json.loads((cfg.nbs_path/'results'/'two_by_two.json').read_text(encoding='utf-8'))
    shown = [row for row in rows if row['on'] == 'test' and row['is_default']]
    plot_two_by_two({
        (net, training): [row['mistakes'] for row in shown if (row['net'], row['training']) == (net, training)]
        for net in ('dense', 'convolutional') for training in ('rung 3', 'rung 4')})
    save_figure('two_by_two')

def stored_rungs():
    "The rungs of the report"
    report = json.loads((cfg.nbs_path/'report.json').read_text(encoding='utf-8'))
    return [SimpleNamespace(**rung) for rung in report['rungs']]

def card():
    "The stairs with their accuracies, in the size that social networks ask for"
    ax = plt.figure(figsize=(12, 6.3), dpi=100).add_axes((0, 0, 1, 1), xlim=(0, 1200), ylim=(0, 630))
    ax.axis('off')
    ax.text(60, 540, cfg.title, fontsize=54, weight='bold', va='center')
    ax.text(60, 460, SUBTITLE, fontsize=24, va='top', linespacing=1.4)
    for i, rung in enumerate(stored_rungs()):
        left, height = 60 + 270 * i, 110 + 90 * i
        style = dict(color='black' if rung.name == 'numpy' else 'white', ha='center', va='center')
        ax.add_patch(Rectangle((left, 0), 270, height, color=RUNG_COLORS[rung.name]))
        ax.text(left + 135, height - 32, rung.name, fontsize=22, weight='bold', **style)
        ax.text(left + 135, height - 74, f'{rung.accuracy:.2%}', fontsize=24, **style)
    plt.savefig(IMAGES/'card.png')

@contextmanager
def chromium(**options):
    "A page in Chromium"
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which('chromium'), args=['--no-sandbox'])
        yield browser.new_page(**options)
        browser.close()

def shot(page):
    "The page as it is once it has read the drawing and its bars have arrived"
    page.wait_for_function("!document.querySelector('.play').isBusy() && !document.getAnimations().length")
    return Image.open(io.BytesIO(page.screenshot(clip=READER))).convert('RGB')

def path(stroke, step=.06):
    "Points of a stroke, as close together as a pen's"
    yield stroke[0]
    for (x0, y0), (x1, y1) in pairwise(stroke):
        parts = max(1, round(math.hypot(x1 - x0, y1 - y0) / step))
        for k in range(1, parts + 1): yield x0 + (x1 - x0) * k / parts, y0 + (y1 - y0) * k / parts

def drawn(page, strokes):
    "Pictures of the page while the mouse draws strokes of height 1 in the middle of the pad"
    box = page.locator('.play canvas').first.bounding_box()
    side, width = .66 * box['height'], max(x for stroke in strokes for x, _ in stroke)
    left, top = box['x'] + (box['width'] - side * width) / 2, box['y'] + (box['height'] - side) / 2
    for stroke in strokes:
        for k, (x, y) in enumerate(path(stroke)):
            page.mouse.move(left + side * x, top + side * y)
            if k == 0: page.mouse.down()
            yield shot(page)
        page.mouse.up()

def play():
    "The page that reads, while somebody draws: an animation that begins and ends with the finished drawing"
    for name, scheme in {'play': 'light', 'play-dark': 'dark'}.items():
        with chromium(viewport=PAGE, color_scheme=scheme) as page:
            page.goto((cfg.lib_path/'play.html').as_uri())
            frames = [frame.quantize(64, dither=Image.Dither.NONE) for frame in drawn(page, STROKES[DRAWN])]
        frames = [frames[-1], *frames]
        times = [LONG_MS, *[FRAME_MS] * (len(frames) - 2), LONG_MS]
        frames[0].save(IMAGES/f'{name}.gif', save_all=True, append_images=frames[1:], duration=times, loop=ROUNDS)

@contextmanager
def served():
    "The address of the app, served while the block runs"
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    server = start_child(demo_command(port, no_browser=True), stdout=subprocess.PIPE, text=True)
    try:
        next(line for line in server.stdout if str(port) in line) # it listens
        yield f'http://localhost:{port}'
    finally: server.terminate()

def draw(page, stroke):
    "Draw a stroke on the canvas of the app with the mouse"
    box = page.locator('canvas').last.bounding_box()
    for k, (x, y) in enumerate(stroke):
        page.mouse.move(box['x'] + 80 + 180 * x, box['y'] + 50 + 180 * y, steps=2)
        if k == 0: page.mouse.down()
    page.mouse.up()
    page.mouse.move(1, 1)

def is_answer(frame):
    "Does the server say that it has answered?"
    message = ForwardMsg()
    message.ParseFromString(frame)
    return message.WhichOneof('type') == 'script_finished'

def app():
    "The app after somebody drew a 5, on a light page and on a dark one"
    for name, scheme in {'app': 'light', 'app-dark': 'dark'}.items():
        with served() as url, chromium(viewport={'width': 1100, 'height': 1060}, color_scheme=scheme) as page:
            with page.expect_websocket() as opened: page.goto(url)
            page.locator('canvas').last.wait_for()
            page.wait_for_function(READY)
            for stroke in STROKES[5]:
                with opened.value.expect_event('framereceived', is_answer): draw(page, stroke)
            page.locator('.st-key-verdict_drawn').wait_for()
            page.wait_for_function(READY)
            page.screenshot(path=IMAGES/f'{name}.png', animations='disabled')

ALL = {function.__name__: function for function in (icon, badges, ladder, two_by_two, card, play, app)}

def main():
    parser = argparse.ArgumentParser(description='Draw the pictures of the front page.')
    parser.add_argument('names', nargs='*', choices=[*ALL, []], metavar='NAME', help=f'some of {", ".join(ALL)}')
    IMAGES.mkdir(exist_ok=True)
    for name in parser.parse_args().names or ALL: ALL[name]()

if __name__ == '__main__': main()
