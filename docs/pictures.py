"""Draw the pictures of the front page in `nbs/images/`: icon, ladder, card and square from what is stored, and the app.

    python docs/pictures.py
"""
import json
import shutil
import socket
import subprocess
from contextlib import contextmanager
from types import SimpleNamespace

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from playwright.sync_api import sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from mnist_steps.canvas import STROKES
from mnist_steps.cli import demo_command
from mnist_steps.ladder import plot_two_by_two
from mnist_steps.plots import RUNG_COLORS, plot_ladder
from mnist_steps.processes import start_child
from mnist_steps.rungs import RUNGS
from pages import cfg

IMAGES = cfg.nbs_path/'images'
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
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">{steps}</svg>\n'

def ladder(rungs):
    "Test error against parameters and seconds"
    plot_ladder(SimpleNamespace(steps=rungs))
    plt.savefig(IMAGES/'ladder.png', dpi=130, bbox_inches='tight')

def two_by_two(rows):
    "Mistakes of two nets in two trainings, as they are trained in the book"
    shown = [row for row in rows if row['on'] == 'test' and row['is_default']]
    plot_two_by_two({
        (net, training): [row['mistakes'] for row in shown if (row['net'], row['training']) == (net, training)]
        for net in ('dense', 'convolutional') for training in ('rung 3', 'rung 4')})
    plt.savefig(IMAGES/'two_by_two.png', dpi=130, bbox_inches='tight')

def card(rungs):
    "The stairs with their accuracies, in the size that social networks ask for"
    ax = plt.figure(figsize=(12, 6.3), dpi=100).add_axes((0, 0, 1, 1), xlim=(0, 1200), ylim=(0, 630))
    ax.axis('off')
    ax.text(60, 540, cfg.title, fontsize=54, weight='bold', va='center')
    ax.text(60, 460, SUBTITLE, fontsize=24, va='top', linespacing=1.4)
    for i, rung in enumerate(rungs):
        left, height = 60 + 270 * i, 110 + 90 * i
        style = dict(color='black' if rung.name == 'numpy' else 'white', ha='center', va='center')
        ax.add_patch(Rectangle((left, 0), 270, height, color=RUNG_COLORS[rung.name]))
        ax.text(left + 135, height - 32, rung.name, fontsize=22, weight='bold', **style)
        ax.text(left + 135, height - 74, f'{rung.accuracy:.2%}', fontsize=24, **style)
    plt.savefig(IMAGES/'card.png')

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
    "The app after somebody drew a 5"
    with served() as url, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which('chromium'), args=['--no-sandbox'])
        page = browser.new_page(viewport={'width': 1100, 'height': 1060}, color_scheme='light')
        with page.expect_websocket() as opened: page.goto(url)
        page.locator('canvas').last.wait_for()
        page.wait_for_function(READY)
        for stroke in STROKES[5]:
            with opened.value.expect_event('framereceived', is_answer): draw(page, stroke)
        page.locator('.st-key-verdict_drawn').wait_for()
        page.wait_for_function(READY)
        page.screenshot(path=IMAGES/'app.png', animations='disabled')
        browser.close()

def main():
    IMAGES.mkdir(exist_ok=True)
    report = json.loads((cfg.nbs_path/'report.json').read_text(encoding='utf-8'))
    rows = json.loads((cfg.nbs_path/'results'/'two_by_two.json').read_text(encoding='utf-8'))
    rungs = [SimpleNamespace(**rung) for rung in report['rungs']]
    (IMAGES/'icon.svg').write_text(icon(), encoding='utf-8')
    ladder(rungs)
    two_by_two(rows)
    card(rungs)
    app()

if __name__ == '__main__': main()
