"What the pages share: the digits, the trained rungs, a canvas, and pictures of arrays."
import base64
import io

import numpy as np
import streamlit as st
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image
from streamlit_drawable_canvas import st_canvas

from mnist_steps.data import load_mnist
from mnist_steps.explain import SURE
from mnist_steps.plots import RUNG_COLORS
from mnist_steps.rungs import PRETRAINED, RUNGS, load_pretrained

RED_BLUE = colormaps['RdBu_r']
BARS = '<div role="img" aria-label="{label}" style="font-size:.85rem;font-variant-numeric:tabular-nums">{bars}</div>'
BAR = """<div style="display:flex;align-items:center;gap:.4em;line-height:1.35">
    <span style="width:1em">{name}</span>
    <span style="flex:1;background:rgba(128,128,128,.2)">
        <span style="display:block;height:.8em;width:{percent:.1f}%;background:{color}"></span>
    </span>
    <span style="width:3.2em;text-align:right">{percent:.1f}%</span>
</div>"""
ABOUT = { # what stands under a name
    'logistic': 'rung 1', 'numpy': 'rung 2', 'torch': 'rung 3', 'cnn': 'rung 4', 'drawn': 'for drawings',
    'yours': 'your settings'}
VERDICT = """<div style="font-size:3rem;line-height:1;font-weight:600">{digit}</div>
<div style="font-size:.9rem">{sure}</div>"""


@st.cache_resource(show_spinner='Loading the trained models')
def readers():
    "What comes trained with the package, by name: the four rungs, and the reader for drawings."
    torch.set_num_threads(1) # visitors share the cores
    return {name: load_pretrained(name) for name in PRETRAINED}


def rungs():
    "The four rungs among them, by name."
    return {name: readers()[name] for name in RUNGS}


@st.cache_resource(show_spinner='Loading the digits')
def digits():
    "Training and test digits."
    return load_mnist()


@st.cache_resource(show_spinner='Every rung reads the 10,000 test digits')
def test_probabilities():
    "What each rung says of each test digit: (10000, 10) probabilities by name."
    return {name: model.predict_proba(digits()[1].images) for name, model in rungs().items()}


def canvas(key):
    "A canvas to draw on with its buttons; the drawing, or None."
    state = st.session_state.setdefault(key, {'version': 0, 'start': None})
    pen = st.slider('Pen width', 6, 40, 20, key=f'{key}_pen', format='%d px')
    drawn = st_canvas(stroke_width=pen, stroke_color='#ffffff', background_color='#000000', height=280, width=280,
                      return_image_data=True, initial_drawing=state['start'], key=f'{key}_{state["version"]}')
    strokes = (drawn.json_data or {}).get('objects', [])
    def start_again(objects):
        state['version'] += 1
        state['start'] = {**drawn.json_data, 'objects': objects} if objects else None
    undo, clear = st.columns(2)
    shared = dict(disabled=not strokes, on_click=start_again, width='stretch')
    undo.button('Undo', icon=':material/undo:', args=(strokes[:-1],), key=f'{key}_undo', **shared)
    clear.button('Clear', icon=':material/delete:', args=([],), key=f'{key}_clear', **shared)
    return drawn.image_data if strokes else None


def bars(reading, color):
    "The probabilities of a reading as ten horizontal bars."
    by_class = list(zip(reading.classes, reading.probabilities))
    label = ', '.join(f'{name}: {p:.0%}' for name, p in by_class if p >= .01)
    rows = ''.join(BAR.format(name=name, percent=100 * p, color=color) for name, p in by_class)
    st.html(BARS.format(label=label, bars=rows))


def verdicts(readings):
    "One column for each reading, by the name of its rung: the digit, whether that is sure, ten bars."
    for column, (name, reading) in zip(st.columns(len(readings)), readings.items()):
        with column.container(border=True, key=f'verdict_{name}'):
            st.markdown(f'**{name}**  \n:gray[:small[{ABOUT[name]}]]')
            st.html(VERDICT.format(digit=reading.digit, sure='sure' if reading.sure else 'not sure'))
            bars(reading, RUNG_COLORS.get(name, '#777777'))
    st.caption(f'Not sure means less than {SURE:.0%} for the most probable digit. On digits of MNIST about half of '
               'such answers are wrong if rung 1, 2 or 3 gives them, and about a quarter if rung 4 does.')


def show(picture, caption=None, width='content', alt=None):
    "A picture (array, or PNG as bytes) inside the page: no request of its own that could come after the next stroke."
    if not isinstance(picture, bytes):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, 'png')
        picture = file.getvalue()
    st.image('data:image/png;base64,' + base64.b64encode(picture).decode(), caption, width, alt=alt or caption)


def enlarged(picture, factor=4):
    "A picture in which each pixel is a square of `factor` x `factor` pixels."
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def squared(picture, side=140):
    "Padded to a square and enlarged so far that its pixels show."
    longest = max(picture.shape)
    margins = [longest - length for length in picture.shape]
    padded = np.pad(picture, [(margin // 2, margin - margin // 2) for margin in margins])
    return enlarged(padded, max(1, side // longest))


def heat(values, factor=4):
    "Blue (against) to red (for), white at 0; RGB."
    largest = np.abs(values).max() or 1
    colors = RED_BLUE(.5 + values / largest / 2, bytes=True)
    return enlarged(colors[..., :3], factor)


def figure(size, plot):
    "A plot as PNG; without pyplot, which threads can't share."
    figure = Figure(figsize=size, layout='constrained')
    plot(figure.subplots())
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=160)
    return file.getvalue()


def gallery(pictures, captions, width=112):
    "Pictures in a row that wraps on a narrow screen."
    with st.container(horizontal=True):
        for picture, caption in zip(pictures, captions): show(picture, caption, width)
