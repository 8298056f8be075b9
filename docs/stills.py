"""Draw the still pictures of the small interactive figures in `nbs/images/figures/`, from the figures themselves.

    python docs/stills.py               # all of them
    python docs/stills.py softmax ball  # these
"""
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import touch
from pages import cfg

FOLDER = cfg.nbs_path/'images'/'figures'
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><link rel="stylesheet" href="figures.css">
<style>
body {{ width: 640px; margin: 0; font: 16px sans-serif; }}
.touch[data-built] {{ margin: 0; border: 0; }}
.touch-row:not(:has(svg)), .touch-body > :is(button, .touch-control), figcaption {{ display: none; }}
</style>
<figure class="touch" data-figure="{name}"></figure>{scripts}"""
STATES = { # name of a figure -> what leads to a state worth a picture: buttons to press, sliders to set
    'ball': [('learning rate', .8), ('One step', None)],
    'kernel': [('Whole map', None)]}
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')) }"

def still(page, folder, name):
    "Draw one figure in light colours, without what only moves it"
    scripts = [f'figure-{name}.js'] * (name in touch.DATA) + ['figures.js']
    tags = ''.join(f'<script src="{script}"></script>' for script in scripts)
    path = folder/f'{name}.html'
    path.write_text(PAGE.format(name=name, scripts=tags), encoding='utf-8')
    page.goto(path.as_uri())
    for text, value in STATES.get(name, []):
        if value is None: page.get_by_text(text, exact=True).dispatch_event('click')
        else: page.get_by_label(text, exact=True).evaluate(SET, value)
    shot = page.locator('figure').screenshot(animations='disabled')
    picture = Image.open(io.BytesIO(shot)).convert('RGB').quantize(128, dither=Image.Dither.NONE)
    picture.save(FOLDER/f'{name}.png', optimize=True)

def main():
    names = sys.argv[1:] or sorted(path.stem for path in touch.FOLDER.glob('*.js') if path.stem != 'figure')
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        touch.write_scripts(Path(folder))
        browser = p.chromium.launch(executable_path=shutil.which('chromium'), args=['--no-sandbox'])
        page = browser.new_page(viewport={'width': 640, 'height': 900}, device_scale_factor=2, color_scheme='light')
        for name in names: still(page, Path(folder), name)
        browser.close()

if __name__ == '__main__': main()
