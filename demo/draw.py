"Page 1: draw a digit, see what each rung and the reader for drawings make of it, and why."
from collections import Counter
from dataclasses import replace

import numpy as np
import streamlit as st

from parts import ABOUT, accuracies, canvas, digits, enlarged, gallery, readers, show, squared, verdicts
from why import why

INPUTS = ['Draw', 'Upload', 'Camera', 'Surprise me']
FORMATS = ['png', 'jpg', 'jpeg', 'webp', 'gif', 'bmp', 'tif', 'tiff']
STAGES = ['grey', 'ink on black', 'cropped', 'scaled', 'centred by mass']
MOST_SHOWN = 24 # digits of a crowded picture
COUNTS = 'no one two three four five six seven eight nine'.split()
WELCOME = { # what to do, for each input
    'Draw': 'Draw one digit, anywhere, in any size. Five models read it as soon as you lift the pen.',
    'Upload': 'Choose a picture of a digit: a photo, a scan or a screenshot, dark on light or light on dark. '
              'Five models read it at once.',
    'Camera': 'Write a digit with a thick pen on plain paper, hold it in front of the camera, and take the picture. '
              'Five models read it at once.',
    'Surprise me': 'Guess first: which digit is this? Then the label and five models answer, too.'}
PIXELS = """Not your picture, but 28 x 28 pixels of it: cropped, scaled to 20 pixels, and moved so that the centre of
its ink lies in the middle."""
LADDER = """This is a ladder of four models that read handwritten digits. Each is one idea further than the one before
it, so each is called a **rung**. All have learned from the digits of MNIST, which were scanned from paper, and the
percentage is the share of its 10,000 test digits that a model reads as their labels say. The fifth, **drawn**, is no
rung: it is a wider net than **cnn**, and it has seen how people draw on a screen, too."""
SENTENCES = {
    'logistic': ('linear', 'Each pixel votes for or against each digit, and the votes are added up.'),
    'numpy': ('numpy_net', 'Hidden units look at all the pixels first, and vote on what they see. In NumPy alone.'),
    'torch': ('torch_mlp', 'The same net once more in PyTorch, which works out the derivatives by itself.'),
    'cnn': ('cnn', 'Small kernels slide over the picture and find edges and curves, wherever they are.'),
    'drawn': ('lessons/other_hands', 'It also learned from digits that were bent and decorated, and from digits that '
                                     '30 people drew on a tablet.')}


def guess(digit):
    "Keep what the visitor says of the digit in sight."
    st.session_state.guessed = digit


def another():
    "Choose another digit of the test set."
    st.session_state.surprise = int(np.random.default_rng().integers(len(digits()[1])))
    st.session_state.guessed = None


def surprise():
    "A digit of the test set, and ten buttons; the digit once the visitor has said what it is."
    if 'surprise' not in st.session_state: another()
    test = digits()[1]
    chosen, said = st.session_state.surprise, st.session_state.guessed
    show(enlarged(test.images[chosen], 10), alt='a digit of the test set')
    if said is None:
        st.markdown('Which digit is this?')
        with st.container(horizontal=True, gap='small', key='guesses'):
            for digit in range(10): st.button(str(digit), key=f'guess_{digit}', on_click=guess, args=(digit,))
        return None
    label = test.labels[chosen]
    agree = 'and so does the label' if said == label else f'the label says **{label}**'
    st.markdown(f'You say **{said}**, {agree}. It is test digit {chosen:,}, written by a stranger.')
    st.button('Another digit', icon=':material/casino:', on_click=another)
    return test.images[chosen]


def refusal(file, error):
    "Why a file can't be read, and what to do."
    content = file.getvalue()
    if not content: return f'{file.name} is empty. Choose a file that holds a picture.'
    try: content.decode()
    except UnicodeDecodeError: return f'This file can not be read: {error}.'
    return (f'{file.name} can not be read: it holds text, whatever its name says. '
            f'Choose a picture ({", ".join(FORMATS)}).')


def opened(file):
    "The picture in a file, grey, or None, with the reason on the page."
    from mnist_steps.pictures import read_grey
    if file is None: return None
    kept, grey = st.session_state.get('opened', (None, None))
    if kept != file.file_id: # a large photo takes a second
        try: grey = np.round(read_grey(file) * 255).astype(np.uint8)
        except ValueError as e:
            st.error(refusal(file, e), icon=':material/error:')
            return None
        st.session_state.opened = file.file_id, grey
    show(grey, width=280, alt=f'the picture {file.name}')
    return grey


def drawing(how):
    "What the visitor drew, uploaded, photographed or guessed, as an array; or None."
    if how == 'Draw': return canvas('canvas')
    if how == 'Upload': return opened(st.file_uploader('A picture of a digit', FORMATS, key='upload'))
    if how == 'Camera': return opened(st.camera_input('Your digit', key='photo', label_visibility='collapsed'))
    return surprise()


def read_by(models, image):
    "For every model by name, what it reads of each digit in a picture; and the reason where there is none."
    from mnist_steps.canvas import SeveralDigits
    from mnist_steps.explain import is_sure
    from mnist_steps.reading import read, read_all
    first = next(iter(models.values()))
    try: found = [read(image, first)]
    except SeveralDigits: found = read_all(image, first)
    if not found: return {}, 'there are only dots or filled patches: draw a digit'
    if found[0].digit is None: return {}, found[0].reason
    pixels = np.stack([reading.pixels for reading in found])
    def answers(model): # the way from the picture to the pixels is the same for all
        classes = tuple(model.classes_.tolist())
        return [replace(reading, digit=classes[p.argmax()], probabilities=p, sure=is_sure(p), classes=classes)
                for reading, p in zip(found, model.predict_proba(pixels).astype(np.float32))]
    return {name: answers(model) for name, model in models.items()}, None


def in_words(count): return COUNTS[count] if count < len(COUNTS) else str(count)


def agreement(said):
    "One line: how many say what."
    votes = Counter(said.values()).most_common()
    if len(votes) == 1: return f'All {in_words(len(said))} read **{votes[0][0]}**.'
    (digit, count), *others = votes
    first = f'{in_words(count)} {"says" if count == 1 else "say"} **{digit}**' # short enough for a line of a phone
    return f'They disagree: {", ".join([first] + [f"{in_words(count)} **{digit}**" for digit, count in others])}.'


def beside(a, b):
    "Do two boxes (left, top, right, bottom) share at least half of the height of the lower one?"
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return 2 * shared >= min(a[3] - a[1], b[3] - b[1])


def rows_of(boxes):
    "Positions of boxes in rows: from top to bottom, each from left to right."
    rows = []
    for i in sorted(range(len(boxes)), key=lambda i: boxes[i][1] + boxes[i][3]):
        row = next((row for row in rows if any(beside(boxes[i], boxes[j]) for j in row)), None)
        if row is None: rows.append([i])
        else: row.append(i)
    return [sorted(row, key=lambda i: boxes[i][0]) for row in rows]


def several(readings):
    "What each model reads where there is more than one digit, row by row."
    found = next(iter(readings.values()))
    rows = rows_of([reading.box for reading in found])
    where = 'from left to right' if len(rows) == 1 else f'in {in_words(len(rows))} rows, read from the top'
    st.markdown(f'## {len(found)} digits, {where}')
    for name, by_digit in readings.items():
        numbers = [''.join(str(by_digit[i].digit) for i in row) for row in rows]
        st.markdown(f'**{name}** reads ' + ', then '.join(f'**{number}**' for number in numbers))
    in_order = [readings['drawn'][i] for row in rows for i in row][:MOST_SHOWN]
    gallery([reading.pixels for reading in in_order], [f'{reading.digit}' for reading in in_order])


def about():
    "What a rung is, and a sentence about each with its accuracy and its page."
    from mnist_steps._modidx import d as index
    from mnist_steps.plots import RUNG_COLORS
    site = index['settings']['doc_host'] + index['settings']['doc_baseurl']
    st.markdown(LADDER)
    rows = [f'<dt style="border-color:{RUNG_COLORS[name]}">{name}<span>{ABOUT[name]} · {accuracies()[name]}</span></dt>'
            f'<dd>{text} <a href="{site}/{page}.html" target="_blank">How it works</a></dd>'
            for name, (page, text) in SENTENCES.items()]
    st.html(f'<dl class="readers">{"".join(rows)}</dl>')


def answer(models, image):
    "The verdict of each model, by name; None where there is nothing to explain."
    readings, reason = read_by(models, image)
    if reason: st.info(f'No digit yet: {reason.replace(": ", "; ")}.', icon=':material/draw:')
    elif len(next(iter(readings.values()))) > 1: several(readings)
    else:
        readings = {name: found[0] for name, found in readings.items()}
        st.markdown('## ' + agreement({name: reading.digit for name, reading in readings.items()}))
        verdicts(readings)
        return readings
    return None


def welcome(how):
    "What to do where there is nothing to read yet."
    st.markdown(f'## Five models wait for your {"guess" if how == "Surprise me" else "digit"}')
    st.info(WELCOME[how], icon=':material/draw:')
    about()
    readers() # while the visitor draws


@st.fragment
def page():
    "All of the page; a stroke runs this, and nothing else."
    left, right = st.columns([1.15, 2.6], gap='medium')
    with left:
        how = st.segmented_control('Input', INPUTS, default='Draw', required=True, wrap=True,
                                   label_visibility='collapsed')
        image = drawing(how)
    if image is None:
        with right: welcome(how)
        return
    models = readers() | st.session_state.get('mine', {})
    with right: readings = answer(models, image)
    if readings:
        st.markdown('## What the models see')
        st.markdown(PIXELS)
        gallery(map(squared, next(iter(readings.values())).steps.values()), STAGES, 140)
        st.markdown('## Why do they read that?')
        why(models, readings)
    st.markdown('## Who reads')
    about()


page()
