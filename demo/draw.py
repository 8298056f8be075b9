"Page 1: draw a digit, see what each rung and the reader for drawings make of it, and why."
import numpy as np
import streamlit as st

from mnist_steps.canvas import SeveralDigits
from mnist_steps.explain import feature_maps, hidden_votes, nearest, occlusion_map, template_votes
from mnist_steps.reading import read, read_all
from parts import canvas, digits, enlarged, gallery, heat, readers, show, squared, verdicts

INPUTS = ['Draw', 'Upload', 'Camera', 'Surprise me']
FORMATS = ['png', 'jpg', 'jpeg', 'webp', 'gif', 'bmp', 'tif', 'tiff']
STAGES = ['grey', 'ink on black', 'cropped', 'scaled', 'centred by mass']
NEAREST = """The training digits of MNIST that are most like yours, pixel by pixel. No model looks them up: each has
only what it learned from them."""
PATCHES = """What happens when a patch is blanked? Where it is red, what is there supports the digit; where it is blue,
it speaks against it."""
TEMPLATES = """Each pixel votes by itself: red for the digit, blue against it. The digit with the most votes wins."""
PIXELS = """Not your drawing, but 28 x 28 pixels of it: cropped, scaled to 20 pixels, and moved so that the centre of
its ink lies in the middle."""
MAPS = """The first block makes a picture of every feature that it looks for, such as an edge in one direction. Here are
16 of them: red is where the feature was found."""
UNITS = """The hidden units that speak loudest for this digit. Red and blue show where a unit wants ink and where it
wants none."""
DRAWN = """**drawn** is no fifth rung. It is a wider convolutional net than **cnn**, and it learned from more digits:
from those of MNIST, bent and decorated, and from digits that 30 people drew on a tablet. The four rungs have seen the
digits of MNIST alone, which were scanned from paper."""


def surprise():
    "A digit of the test set; another one at the press of a button."
    test = digits()[1]
    if st.button('Another digit', icon=':material/casino:') or 'surprise' not in st.session_state:
        st.session_state.surprise = np.random.default_rng().integers(len(test))
    chosen = st.session_state.surprise
    image = test.images[chosen]
    show(enlarged(image, 10), f'Test digit {chosen:,}, drawn by a stranger', alt='a digit of the test set')
    return image


def drawing():
    "What the visitor drew, uploaded or photographed; or None."
    how = st.segmented_control('Input', INPUTS, default='Draw', required=True, wrap=True)
    if how == 'Draw': return canvas('canvas')
    if how == 'Upload': return st.file_uploader('A picture of a digit', FORMATS)
    if how == 'Camera': return st.camera_input('Hold a digit in front of the camera')
    return surprise()


def agreement(said):
    "One line: who says what."
    if len(set(said.values())) == 1: return f'All five read **{next(iter(said.values()))}**.'
    names = {digit: [name for name in said if said[name] == digit] for digit in said.values()}
    sides = [f'{" and ".join(models)} {"reads" if len(models) == 1 else "read"} **{digit}**'
             for digit, models in names.items()]
    return f'They disagree: {", ".join(sides)}.'


def nearest_digits(picture):
    "The training digits that look most like the drawing."
    st.markdown(NEAREST)
    train = digits()[0]
    found = nearest(picture, train, 6)
    gallery([enlarged(train.images[i]) for i in found], [f'{train.labels[i]}' for i in found])


def patch_by_patch(models, picture):
    "What each model loses when a patch of the drawing is blanked."
    st.markdown(PATCHES)
    gallery([heat(occlusion_map(model, picture), 6) for model in models.values()], list(models), 168)


def templates(model, picture, probabilities):
    "How each pixel votes for the four most probable digits."
    st.markdown(TEMPLATES)
    votes = template_votes(model, picture)
    best = probabilities.argsort()[::-1][:4]
    gallery([heat(votes[c]) for c in best], [f'votes for {model.classes_[c]}' for c in best])


def first_maps(model, picture):
    "What the first 16 kernels find, in two rows."
    st.markdown(MAPS)
    maps = feature_maps(model, picture)[:16]
    maps = maps / maps.max(axis=(1, 2), keepdims=True).clip(1e-6)
    framed = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    rows = [np.concatenate(list(row), axis=1) for row in (framed[:8], framed[8:])]
    show(heat(np.concatenate(rows), 6), width=768, alt='sixteen feature maps')


def loudest_units(model, picture):
    "The hidden units that decide, with their weights."
    st.markdown(UNITS)
    units = hidden_votes(model, picture)
    gallery([heat(unit.weights) for unit in units], [f'unit {unit.unit}: {unit.vote:+.1f}' for unit in units])


def why(models, readings):
    "What decided, for the model of the visitor's choice."
    choices = [*models, 'patch by patch', 'nearest digits']
    name = st.segmented_control('Why does it read that?', choices, default='drawn', required=True, wrap=True)
    picture = readings['drawn'].pixels
    if name == 'nearest digits': nearest_digits(picture)
    elif name == 'patch by patch': patch_by_patch(models, picture)
    elif name == 'logistic': templates(models[name], picture, readings[name].probabilities)
    elif name in ('cnn', 'drawn'): first_maps(models[name], picture)
    else: loudest_units(models[name], picture)


def several(models, image):
    "What each model reads where there is more than one digit."
    readings = {name: read_all(image, model) for name, model in models.items()}
    st.markdown(f'### {len(readings["drawn"])} digits, from left to right')
    for name, row in readings.items():
        st.markdown(f'**{name}** reads **{"".join(str(reading.digit) for reading in row)}**')
    row = readings['drawn']
    gallery([enlarged(reading.pixels) for reading in row], [f'{reading.digit}' for reading in row])


def answer(models, image):
    "The verdict of each model, by name; None where there is nothing to explain."
    if image is None:
        st.info('Draw one digit, anywhere, in any size. Five models read it as soon as you lift the pen.',
                icon=':material/draw:')
        return None
    try: readings = {name: read(image, model) for name, model in models.items()}
    except SeveralDigits: return several(models, image)
    except ValueError as e:
        st.error(f'That picture can not be read: {e}', icon=':material/error:')
        return None
    if readings['drawn'].digit is None:
        st.info(f'No digit yet: {readings["drawn"].reason}.', icon=':material/draw:')
        return None
    st.markdown('### ' + agreement({name: reading.digit for name, reading in readings.items()}))
    verdicts(readings)
    st.caption(DRAWN)
    return readings


left, right = st.columns([1, 2.6], gap='medium')
with left:
    st.markdown('### Draw a digit')
    image = drawing()
models = readers()
with right: readings = answer(models, image)
if readings:
    st.markdown('### What the models see')
    st.markdown(PIXELS)
    gallery(map(squared, readings['drawn'].steps.values()), STAGES, 140)
    st.markdown('### Why')
    why(models, readings)
