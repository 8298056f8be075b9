"""The small interactive figures of the site: a still picture in a notebook becomes a living figure on its page.

A line `![what it shows](images/figures/NAME.svg)`, or `.png`, is a figure; `docs/figures/NAME.js` brings it to life.
Jupyter, Colab and readers without JavaScript see the picture; on the site the script takes its place. What a figure
needs to know from Python is a function in `DATA`; its script finds the result in `tools.data`.
"""
import json
import re
import shutil
from pathlib import Path

from execnb.nbio import mk_cell

from mnist_steps.data import load_mnist
from mnist_steps.rungs import load_pretrained

FOLDER = Path(__file__).parent/'figures'
PAD = Path(__file__).parent/'play'/'pad.js' # for figures that let you draw
PICTURE = re.compile(r'^(!\[[^\]]*\]\((?:\.\./)*images/figures/([\w-]+)\.(?:svg|png)\))$', re.M)
FIGURE = r'<figure class="touch" data-figure="\2">' '\n\n' r'\1' '\n\n</figure>'
LEARNED = 1, 6, 9, 13 # kernels that react to different strokes

def kernel_data():
    "The first test digit as on the page, 784 integers from 0 to 255, and kernels of rung 4's first layer, 5 x 5 each"
    weights = load_pretrained('cnn').module_.blocks[0][0].weight.detach().numpy()[:, 0]
    learned = {f'learned: no. {k + 1}': weights[k].astype(float).round(3).tolist() for k in LEARNED}
    return {'digit': load_mnist()[1].images[0].ravel().tolist(), 'learned': learned}

DATA = {'kernel': kernel_data} # name of a figure -> function that returns what JSON can hold

def living(markdown):
    "Markdown with its pictures of figures as figures"
    return PICTURE.sub(FIGURE, markdown)

def loaders(cells, folder):
    "Cells that load the scripts of the figures in `cells` of a page in `folder` of the site; none if there are none"
    names = re.findall(r'<figure class="touch" data-figure="([\w-]+)">', '\n'.join(cell.source for cell in cells))
    if not names: return []
    lost = [name for name in names if not (FOLDER/f'{name}.js').exists()]
    if lost: raise ValueError(f'found no script for the figures {lost}. Write docs/figures/NAME.js.')
    static = '../' * len(Path(folder).parts) + '_static'
    scripts = [f'figure-{name}.js' for name in names if name in DATA] + ['figures.js']
    tags = [f'<script defer src="{static}/{script}"></script>' for script in dict.fromkeys(scripts)]
    return [mk_cell('\n'.join([f'<link rel="stylesheet" href="{static}/figures.css">', *tags]), 'markdown')]

def bundle():
    "All scripts of figures as one, the frame first; between them the semicolon that a bracket on the next line wants"
    paths = sorted(FOLDER.glob('*.js'), key=lambda path: (path.name != 'figure.js', path.name))
    return ';\n'.join(path.read_text(encoding='utf-8') for path in [*paths[:1], PAD, *paths[1:]] if path.exists())

def data_script(name):
    "The script that brings a figure what it needs to know"
    data = json.dumps(DATA[name](), separators=(',', ':'))
    return ('window.mnistSteps = window.mnistSteps || {}\nmnistSteps.data = mnistSteps.data || {}\n'
            f'mnistSteps.data[{json.dumps(name)}] = {data}\n')

def write_scripts(static):
    "Write scripts and style of the figures into the folder `static` of the site"
    shutil.copy(FOLDER/'figures.css', static)
    (static/'figures.js').write_text(bundle(), encoding='utf-8')
    for name in DATA: (static/f'figure-{name}.js').write_text(data_script(name), encoding='utf-8')
