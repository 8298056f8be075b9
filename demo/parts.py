"What the pages share: the digits, the trained rungs, a canvas, and pictures of arrays."
import base64
import io
from html import escape

import numpy as np
import streamlit as st
from PIL import Image

from pad import other_pad, pad, picture

BAR = """<div class="bar"><span>{name}</span><span class="track"><span class="fill"
style="--share:{percent:.1f}%;background:{color}"></span></span><span class="percent">{percent:.1f}%</span></div>"""
ABOUT = { # what stands under a name
    'logistic': 'rung 1', 'numpy': 'rung 2', 'torch': 'rung 3', 'cnn': 'rung 4', 'drawn': 'for drawings',
    'yours': 'your settings'}
VERDICT = """<section class="verdict st-key-verdict_{name}"><strong>{name}</strong>
<span class="about">{about}</span><div class="digit">{digit}</div><div class="sure">{sure}</div>
<div class="bars" role="img" aria-label="{label}">{bars}</div></section>"""

NOT_SURE = """Not sure means less than {:.0%} for the most probable digit. On digits of MNIST about half of such answers
are wrong if rung 1, 2 or 3 gives them, and about a quarter if rung 4 does."""


# What takes a second to import is imported where it is needed: a visitor can draw before it is there.
@st.cache_resource(show_spinner='Loading the trained models')
def readers():
    "What comes trained with the package, by name: the four rungs, and the reader for drawings."
    import torch

    from mnist_steps.rungs import PRETRAINED, load_pretrained
    torch.set_num_threads(1) # visitors share the cores
    return {name: load_pretrained(name) for name in PRETRAINED}


def rungs():
    "The four rungs among them, by name."
    from mnist_steps.rungs import RUNGS
    return {name: readers()[name] for name in RUNGS}


@st.cache_resource(show_spinner=False)
def accuracies():
    "The share of the 10,000 test digits that each reader gets right, as its file says it: text by name."
    from mnist_steps.rungs import PRETRAINED, pretrained_file, read_rung_file
    def accuracy(name):
        with pretrained_file(name) as path: return f'{float(read_rung_file(path)[1]["accuracy"]):.2%}'
    return {name: accuracy(name) for name in PRETRAINED}


@st.cache_resource(show_spinner='Loading the digits')
def digits():
    "Training and test digits."
    from mnist_steps.data import load_mnist
    return load_mnist()


def canvas(key):
    "A canvas to draw on with its buttons; the drawing, or None. An address with ?canvas=other shows the other one."
    return picture((other_pad if st.query_params.get('canvas') == 'other' else pad)(key))


def bars(reading, color):
    "The probabilities of a reading as ten bars, and the likely ones in words."
    by_class = list(zip(reading.classes, reading.probabilities))
    label = ', '.join(f'{name}: {p:.0%}' for name, p in by_class if p >= .01)
    return label, ''.join(BAR.format(name=name, percent=100 * p, color=color) for name, p in by_class)


def verdicts(readings):
    "One card for each reading, by the name of its rung: the digit, whether that is sure, ten bars."
    from mnist_steps.explain import SURE
    from mnist_steps.plots import RUNG_COLORS
    cards = []
    for name, reading in readings.items():
        label, ten = bars(reading, RUNG_COLORS.get(name, '#777777'))
        cards.append(VERDICT.format(name=escape(name), about=ABOUT.get(name, ''), digit=reading.digit,
                                    sure='sure' if reading.sure else 'not sure', label=label, bars=ten))
    st.html(f'<div class="verdicts">{"".join(cards)}</div>')
    st.html(f'<p class="small">{NOT_SURE.format(SURE)}</p>')


def source(picture):
    "A picture (array, or PNG as bytes) as an address that holds it: no request that could come after the next stroke."
    if not isinstance(picture, bytes):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, 'png', compress_level=1)
        picture = file.getvalue()
    return 'data:image/png;base64,' + base64.b64encode(picture).decode()


def show(picture, caption=None, width='content', alt=None):
    "A picture (array, or PNG as bytes) inside the page."
    st.image(source(picture), caption, width, alt=alt or caption)


def enlarged(picture, factor=4):
    "A picture in which each pixel is a square of `factor` x `factor` pixels."
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def squared(picture):
    "Padded to a square."
    longest = max(picture.shape)
    margins = [longest - length for length in picture.shape]
    return np.pad(picture, [(margin // 2, margin - margin // 2) for margin in margins])


def heat(values, factor=1):
    "Blue (against) to red (for), white at 0; RGB."
    from matplotlib import colormaps
    largest = np.abs(values).max() or 1
    colors = colormaps['RdBu_r'](.5 + values / largest / 2, bytes=True)
    return enlarged(colors[..., :3], factor)


def gallery(pictures, captions, width=112):
    "Pictures of their own pixels in a row that wraps on a narrow screen, each with its caption."
    figures = [f'<figure style="width:{width}px"><img src="{source(picture)}" alt="{escape(caption)}">'
               f'<figcaption>{escape(caption)}</figcaption></figure>' for picture, caption in zip(pictures, captions)]
    st.html(f'<div class="gallery">{"".join(figures)}</div>')
