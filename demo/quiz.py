"Page 3: your own score against the rungs', and where they fail."
import numpy as np
import streamlit as st

from mnist_steps.data import KNOWN_WRONG_LABELS
from mnist_steps.plots import plot_confusion, plot_mistakes
from parts import digits, enlarged, figure, rungs, show, test_probabilities

test = digits()[1]
predicted = {name: rungs()[name].classes_[p.argmax(axis=1)] for name, p in test_probabilities().items()}


def another():
    "Every second digit is one that at least one of the nets gets wrong."
    rng = np.random.default_rng()
    wrong = np.any([predicted[name] != test.labels for name in ('numpy', 'torch', 'cnn')], axis=0)
    st.session_state.asked = int(rng.choice(np.flatnonzero(wrong)) if rng.random() < .5 else rng.integers(len(test)))
    st.session_state.answer = None


def answer(digit):
    "Keep what the visitor says."
    st.session_state.answer = digit
    st.session_state.answers.append((st.session_state.asked, digit))


@st.cache_data(show_spinner=False)
def mistakes(name):
    "The mistakes of a rung that it is surest of, as PNG."
    def plot(ax):
        plot_mistakes(test.images, test.labels, test_probabilities()[name], known_wrong=KNOWN_WRONG_LABELS, ax=ax)
    return figure((6.75, 5.5), plot)


@st.cache_data(show_spinner=False)
def confusion(name):
    "What a rung takes for what, as PNG."
    return figure((5.5, 5.5), lambda ax: plot_confusion(test.labels, predicted[name], ax=ax))


def solve(asked, said):
    "What the label and the rungs say, once the visitor has said it."
    note = ' (this label is known to be wrong or undecidable)' if asked in KNOWN_WRONG_LABELS else ''
    others = ', '.join(f'{name}: **{digit[asked]}**' for name, digit in predicted.items())
    st.markdown(f'You say **{said}**, the label says **{test.labels[asked]}**{note}. {others}.')
    st.button('Next', type='primary', on_click=another, icon=':material/arrow_forward:')


def scores(answers):
    "How many of the digits so far the visitor and the rungs got right."
    asked, said = np.transpose(answers)
    by_name = {'you': said} | {name: digit[asked] for name, digit in predicted.items()}
    right = {name: (digit == test.labels[asked]).sum() for name, digit in by_name.items()}
    st.table({'right': {name: f'{count} of {len(asked)}' for name, count in right.items()}})


if 'asked' not in st.session_state:
    st.session_state.answers = []
    another()

st.markdown('### Which digit is this?')
left, right = st.columns([1, 2.6], gap='medium')
asked, said = st.session_state.asked, st.session_state.answer
with left: show(enlarged(test.images[asked], 8), f'Test digit {asked:,}', alt='a digit to name')
with right:
    with st.container(horizontal=True):
        for digit in range(10):
            st.button(str(digit), key=f'answer_{digit}', on_click=answer, args=(digit,), disabled=said is not None)
    if said is not None: solve(asked, said)
    if st.session_state.answers: scores(st.session_state.answers)

st.markdown('### Where they fail')
name = st.segmented_control('Rung', list(rungs()), default='cnn', required=True)
count = (predicted[name] != test.labels).sum()
st.markdown(f'{name} is wrong on **{count}** of {len(test):,} test digits. '
            'These are the mistakes that it is surest of:')
show(mistakes(name), width=640, alt=f'the fifteen most confident mistakes of {name}')
st.markdown('And this is what it takes for what: rows are the labels, columns its answers.')
show(confusion(name), width=520, alt=f'confusion matrix of {name}')
