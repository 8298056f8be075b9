"Page 3: your own score against the rungs', and where they fail."
from concurrent.futures import ThreadPoolExecutor

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from mnist_steps.data import KNOWN_WRONG_LABELS
from parts import digits, enlarged, gallery, rungs, show

WORST = 15 # mistakes that are shown
NETS = ('numpy', 'torch', 'cnn')
KEYS = 'Press a number key to answer, and N for the next digit.'
STYLE = """<style>.st-key-answers kbd { display: none; } /* it repeats the digit */
.st-key-answers button { min-height: 44px; min-width: 44px; }</style>"""
LABEL_ERRORS = 'This label is known to be wrong or undecidable.'
test = digits()[1]


@st.cache_resource(show_spinner=False)
def readings():
    "What each rung says of all 10,000 test digits, by name: futures of (10000, 10), worked on one after the other."
    reader = ThreadPoolExecutor(1, 'reads the test digits')
    return {name: reader.submit(model.predict_proba, test.images) for name, model in rungs().items()}


@st.cache_data(show_spinner=False, max_entries=10_000)
def read_one(name, position):
    "What a rung says of one test digit."
    return int(rungs()[name].predict(test.images[position:position + 1])[0])


def predicted(name):
    "What a rung says of all test digits, or None as long as it reads them."
    future = readings()[name]
    return rungs()[name].classes_[future.result().argmax(axis=1)] if future.done() else None


def another():
    "Every second digit is one that at least one of the nets gets wrong, once they have read them all."
    rng = np.random.default_rng()
    position = rng.integers(len(test))
    answers = [predicted(name) for name in NETS]
    if rng.random() < .5 and not any(said is None for said in answers):
        position = rng.choice(np.flatnonzero(np.any([said != test.labels for said in answers], axis=0)))
    st.session_state.asked = int(position)
    st.session_state.answer = None


def answer(digit):
    "Keep what the visitor says."
    st.session_state.answer = digit
    st.session_state.answers.append((st.session_state.asked, digit))


def verdict(who, said, label):
    "An answer with its tick or cross, in green or red."
    color, icon = ('green', 'check') if said == label else ('red', 'close')
    return f':{color}-badge[:material/{icon}: {who} **{said}**]'


def solve(asked, said):
    "What the label and the rungs say, once the visitor has said it."
    label = test.labels[asked]
    st.markdown(f'{verdict("You say", said, label)} The label says **{label}**.')
    st.markdown(' '.join(verdict(name, read_one(name, asked), label) for name in rungs()))
    if asked in KNOWN_WRONG_LABELS: st.caption(LABEL_ERRORS)
    st.button('Next', type='primary', on_click=another, icon=':material/arrow_forward:', shortcut='N')


def scores(answers):
    "How many of the digits so far the visitor and the rungs got right."
    asked, said = np.transpose(answers)
    by_name = {'you': said} | {name: np.array([read_one(name, i) for i in asked]) for name in rungs()}
    right = {name: (digit == test.labels[asked]).sum() for name, digit in by_name.items()}
    st.table({'right': {name: f'{count} of {len(asked)}' for name, count in right.items()}}, width='content')


@st.fragment
def ask():
    "A digit, ten buttons, and what everybody says."
    left, right = st.columns([1, 2.6], gap='medium')
    asked, said = st.session_state.asked, st.session_state.answer
    with left: show(enlarged(test.images[asked], 8), f'Test digit {asked:,}', alt='a digit to name')
    with right:
        with st.container(horizontal=True, gap='small', key='answers'):
            for digit in range(10):
                st.button(str(digit), key=f'answer_{digit}', on_click=answer, args=(digit,), shortcut=str(digit),
                          disabled=said is not None)
        if said is None: st.caption(KEYS)
        else: solve(asked, said)
        if st.session_state.answers: scores(st.session_state.answers)


def mistakes(p, said):
    "The mistakes of a rung that it is surest of."
    confidence = p.max(axis=1)
    order = np.lexsort((p[np.arange(len(p)), test.labels], -confidence)) # of equals, the least probable truth first
    worst = order[said[order] != test.labels[order]][:WORST]
    captions = [f'{test.labels[i]} → {said[i]}, {confidence[i]:.0%}{" *" if i in KNOWN_WRONG_LABELS else ""}'
                for i in worst]
    gallery(test.images[worst], captions, 96)
    if any(i in KNOWN_WRONG_LABELS for i in worst): st.caption(f'\\* {LABEL_ERRORS}')


def confusion(said):
    "What a rung takes for what: a square for each pair of digits. What is right is left out, as it would outshine all."
    pairs = pd.DataFrame({'label': test.labels, 'answer': said})
    counts = pairs[pairs.label != pairs.answer].value_counts().reset_index(name='digits')
    every = list(range(10))
    base = alt.Chart(counts, width=300, height=340).encode(
        x=alt.X('answer:O', scale=alt.Scale(domain=every), axis=alt.Axis(labelAngle=0, orient='top')),
        y=alt.Y('label:O', scale=alt.Scale(domain=every)))
    squares = base.mark_rect().encode(color=alt.Color('digits', scale=alt.Scale(scheme='blues'), legend=None))
    numbers = base.mark_text().encode(text='digits', color=alt.condition(
        alt.datum.digits > counts.digits.max() / 2, alt.value('white'), alt.value('black')))
    st.altair_chart(squares + numbers, width='content')


@st.fragment
def where_they_fail():
    "The mistakes of the rung of the visitor's choice."
    st.markdown('### Where they fail')
    name = st.segmented_control('Rung', list(rungs()), default='cnn', required=True)
    future = readings()[name]
    if not future.done(): return wait(name)
    p, said = future.result(), predicted(name)
    st.markdown(f'{name} is wrong on **{(said != test.labels).sum()}** of {len(test):,} test digits. These are the '
                'mistakes that it is surest of: the label → its answer, and how sure it is.')
    mistakes(p, said)
    st.markdown('And this is what it takes for what, each square a number of digits. Rows are the labels, columns are '
                'its answers.')
    confusion(said)


@st.fragment(run_every=.3)
def wait(name):
    "Say that a rung still reads, until it has."
    st.info(f'{name} reads the {len(test):,} test digits.', icon=':material/hourglass:')
    if readings()[name].done(): st.rerun()


if 'asked' not in st.session_state:
    st.session_state.answers = []
    another()

st.html(STYLE)
st.markdown('### Which digit is this?')
ask()
where_they_fail()
