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
from mnist_steps.explain import SURE, is_sure
from mnist_steps.rungs import RUNGS, load_pretrained
from mnist_steps.plots import RUNG_COLORS

RED_BLUE = colormaps['RdBu_r']


@st.cache_resource(show_spinner='Loading the rungs')
def rungs():
    torch.set_num_threads(1) # visitors share the cores
    return {name: load_pretrained(name) for name in RUNGS}


@st.cache_resource
def pen_rung(): return load_pretrained('cnn-pen')


@st.cache_resource(show_spinner='Loading the digits')
def digits(): return load_mnist() # train, test


@st.cache_resource(show_spinner='Every rung reads the 10,000 test digits')
def test_probabilities(): return {name: model.predict_proba(digits()[1].images) for name, model in rungs().items()}


def canvas(key):
    "A canvas to draw on with its buttons; the drawing, or None."
    state = st.session_state.setdefault(key, {'version': 0, 'start': None})
    pen = st.slider('Pen width', 6, 40, 20, key=f'{key}_pen', format='%d px')
    drawn = st_canvas(stroke_width=pen, stroke_color='#ffffff', background_color='#000000', height=280, width=280, return_image_data=True,
                      initial_drawing=state['start'], key=f'{key}_{state["version"]}')
    strokes = (drawn.json_data or {}).get('objects', [])
    def start_again(objects): state.update(version=state['version'] + 1, start={**drawn.json_data, 'objects': objects} if objects else None)
    undo, clear = st.columns(2)
    undo.button('Undo', icon=':material/undo:', disabled=not strokes, on_click=start_again, args=(strokes[:-1],), width='stretch', key=f'{key}_undo')
    clear.button('Clear', icon=':material/delete:', disabled=not strokes, on_click=start_again, args=([],), width='stretch', key=f'{key}_clear')
    return drawn.image_data if strokes else None


def bars(probabilities, color, classes=range(10)):
    "Probabilities as ten horizontal bars."
    rows = ''.join(f'<div style="display:flex;align-items:center;gap:.4em;line-height:1.35"><span style="width:1em">{c}</span>'
                   f'<span style="flex:1;background:rgba(128,128,128,.2)"><span style="display:block;height:.8em;width:{100 * p:.1f}%;background:{color}"></span></span>'
                   f'<span style="width:3.2em;text-align:right">{p:.1%}</span></div>' for c, p in zip(classes, probabilities))
    label = ', '.join(f'{c}: {p:.0%}' for c, p in zip(classes, probabilities) if p >= .01)
    st.html(f'<div role="img" aria-label="{label}" style="font-size:.85rem;font-variant-numeric:tabular-nums">{rows}</div>')


def verdicts(models, picture):
    "One column for each model: the digit it sees, how sure it is, ten bars. Returns the digits by name."
    read = {}
    for column, (name, model) in zip(st.columns(len(models)), models.items()):
        p = model.predict_proba(picture[None])[0]
        read[name] = model.classes_[p.argmax()]
        with column.container(border=True, key=f'verdict_{name}'):
            st.markdown(f'**{name}**')
            st.html(f'<div style="font-size:3rem;line-height:1;font-weight:600">{read[name]}</div>'
                    f'<div style="font-size:.9rem">{"sure" if is_sure(p) else "not sure"}</div>')
            bars(p, RUNG_COLORS.get(name, '#777777'), model.classes_)
    st.caption(f'Not sure means less than {SURE:.0%} for the most probable digit: about half of such answers are wrong.')
    return read


def show(picture, caption=None, width='content', alt=None):
    "A picture (array, or PNG as bytes) inside the page: no request of its own that could come after the next stroke."
    if not isinstance(picture, bytes):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, 'png')
        picture = file.getvalue()
    st.image('data:image/png;base64,' + base64.b64encode(picture).decode(), caption, width, alt=alt or caption)


def enlarged(picture, k=4): return picture.repeat(k, axis=0).repeat(k, axis=1)


def squared(picture, side=140):
    "Padded to a square and enlarged so far that its pixels show."
    padded = np.pad(picture, [((n := max(picture.shape) - length) // 2, n - n // 2) for length in picture.shape])
    return enlarged(padded, max(1, side // len(padded)))


def heat(values, k=4):
    "Blue (against) to red (for), white at 0; RGB."
    return enlarged(RED_BLUE(.5 + values / (np.abs(values).max() or 1) / 2, bytes=True)[..., :3], k)


def figure(size, plot):
    "A plot as PNG; without pyplot, which threads can't share."
    figure, file = Figure(figsize=size, layout='constrained'), io.BytesIO()
    plot(figure.subplots())
    figure.savefig(file, format='png', dpi=160)
    return file.getvalue()


def gallery(pictures, captions, width=112):
    "Pictures in a row that wraps on a narrow screen."
    with st.container(horizontal=True):
        for picture, caption in zip(pictures, captions): show(picture, caption, width)
