"Page 3: your own score against the rungs', and where they fail."
import numpy as np
import streamlit as st
from parts import digits, enlarged, figure, rungs, show, test_probabilities

from mnist_steps.data import KNOWN_WRONG_LABELS
from mnist_steps.plots import plot_confusion, plot_mistakes

test = digits()[1]
predicted = {name: rungs()[name].classes_[p.argmax(axis=1)] for name, p in test_probabilities().items()}


def another():
    "Every second digit is one that at least one of the nets gets wrong."
    rng = np.random.default_rng()
    hard = np.flatnonzero(np.any([predicted[name] != test.labels for name in ('numpy', 'torch', 'cnn')], axis=0))
    st.session_state.asked = int(rng.choice(hard) if rng.random() < .5 else rng.integers(len(test)))
    st.session_state.answer = None


def answer(digit):
    st.session_state.answer = digit
    st.session_state.answers.append((st.session_state.asked, digit))


@st.cache_data(show_spinner=False)
def mistakes(name): return figure((6.75, 5.5), lambda ax: plot_mistakes(test.images, test.labels, test_probabilities()[name], known_wrong=KNOWN_WRONG_LABELS, ax=ax))


@st.cache_data(show_spinner=False)
def confusion(name): return figure((5.5, 5.5), lambda ax: plot_confusion(test.labels, predicted[name], ax=ax))


if 'asked' not in st.session_state:
    st.session_state.answers = []
    another()

st.markdown('### Which digit is this?')
left, right = st.columns([1, 2.6], gap='medium')
i, given = st.session_state.asked, st.session_state.answer
with left: show(enlarged(test.images[i], 8), f'Test digit {i:,}', alt='a digit to name')
with right:
    with st.container(horizontal=True):
        for digit in range(10): st.button(str(digit), key=f'answer_{digit}', on_click=answer, args=(digit,), disabled=given is not None)
    if given is not None:
        note = ' (this label is known to be wrong or undecidable)' if i in KNOWN_WRONG_LABELS else ''
        st.markdown(f'You say **{given}**, the label says **{test.labels[i]}**{note}. ' + ', '.join(f'{name}: **{p[i]}**' for name, p in predicted.items()) + '.')
        st.button('Next', type='primary', on_click=another, icon=':material/arrow_forward:')
    if st.session_state.answers:
        asked, said = map(np.array, zip(*st.session_state.answers))
        scores = {'you': said, **{name: p[asked] for name, p in predicted.items()}}
        st.table({'right': {who: f'{(digits_said == test.labels[asked]).sum()} of {len(asked)}' for who, digits_said in scores.items()}})

st.markdown('### Where they fail')
name = st.segmented_control('Rung', list(rungs()), default='cnn', required=True)
st.markdown(f'{name} is wrong on **{(predicted[name] != test.labels).sum()}** of {len(test):,} test digits. These are the mistakes that it is surest of:')
show(mistakes(name), width=640, alt=f'the fifteen most confident mistakes of {name}')
st.markdown('And this is what it takes for what: rows are the labels, columns its answers.')
show(confusion(name), width=520, alt=f'confusion matrix of {name}')
