"Page 2: train a rung with your own settings, watch it, stop it, draw on it."
import pandas as pd
import streamlit as st
from parts import canvas, digits, rungs, verdicts

from mnist_steps.background import Training, running
from mnist_steps.canvas import steps
from mnist_steps.metrics import accuracy, wilson_interval

MOST = 2 # trainings at once, over all visitors: each keeps a core busy

KNOBS = {
    'logistic': lambda: dict(C=st.select_slider('C, the inverse strength of regularisation', [.001, .01, .1, 1., 10.], .1)),
    'numpy': lambda: dict(**dense(), activation=st.segmented_control('Activation', ['relu', 'sigmoid'], default='relu', required=True)),
    'torch': lambda: dense(),
    'cnn': lambda: dict(**common(2, 10, [.0001, .001, .003, .01, .03, .1], .01), max_shift=st.slider('Random shift (px)', 0, 3, 1)),
}


def common(epochs, most, rates, rate):
    return dict(epochs=st.slider('Epochs', 1, most, epochs), batch_size=st.select_slider('Batch size', [16, 32, 64, 128, 256, 512], 64 if most > 10 else 128),
                learning_rate=st.select_slider('Learning rate', rates, rate), dropout=st.slider('Dropout', 0., .8, 0., .1))


def dense():
    return dict(**common(5, 20, [.001, .01, .03, .1, .3, .5, 1., 3.], .5), hidden=st.select_slider('Hidden units', [8, 16, 32, 64, 128, 256, 512], 128))


def start(name, params):
    stop()
    st.session_state.training = Training(name, **params)
    return st.session_state.training


def stop():
    if 'training' in st.session_state: st.session_state.training.stop()


@st.fragment(run_every=.5)
def watch(training):
    "The curves so far; asks for the whole page again when the training ends."
    history, ended = training.history, not training.running
    done = len(history['loss'])
    if training.epochs: st.progress(min(done / training.epochs, 1.), f'{done} of {training.epochs} epochs')
    elif not ended: st.info('scikit-learn tells nothing before it is done; half a minute, perhaps.')
    if done:
        epochs = pd.RangeIndex(1, done + 1, name='epoch')
        loss, right = st.columns(2)
        loss.line_chart(pd.DataFrame({'training loss': history['loss']}, epochs), x_label='epoch', y_label='training loss (nats)', height=240)
        right.line_chart(pd.DataFrame({'error': [100 - 100 * a for a in history['valid_accuracy']]}, epochs), x_label='epoch', y_label='held-out error (%)', height=240)
    if ended and not st.session_state.get('ended') == id(training):
        st.session_state.ended = id(training)
        st.rerun()


def compare(name, model):
    "Both nets on the test digits, and on a drawing."
    test = digits()[1]
    for title, net in (('yours', model), (f'the {name} that comes with the package', rungs()[name])):
        predicted = net.predict(test.images)
        low, high = wilson_interval(test.labels, predicted)
        st.markdown(f'**{title}**: {accuracy(test.labels, predicted):.2%} of the test digits (95 % interval {low:.2%} to {high:.2%})')
    st.markdown('### Draw on your own model')
    left, right = st.columns([1, 2])
    with left: image = canvas('own')
    with right:
        if image is None: return st.info('Draw a digit.')
        try: verdicts({'yours': model, name: rungs()[name]}, steps(image)['centred'])
        except ValueError as e: st.info(f'No digit yet: {e}.')


st.markdown('### Train it yourself')
st.markdown('Your rung learns from 50,000 digits and is watched on 10,000 others. It runs in a process of its own: close the page, or train again, when you like.')
left, right = st.columns([1, 2.6], gap='medium')
with left:
    name = st.selectbox('Rung', list(KNOBS), index=1)
    params = KNOBS[name]()
    mine = st.session_state.get('training')
    full = running() >= MOST and not (mine and mine.running)
    if st.button('Start', type='primary', disabled=full, width='stretch'): mine = start(name, params)
    st.button('Stop', on_click=stop, disabled=not (mine and mine.running), width='stretch')
    if full: st.info('Others are training at the moment. Try again in a minute.')
with right:
    if mine is None: st.info('Choose the settings and press Start. A learning rate that is too high is worth a try.')
    else:
        if mine.running: watch(mine)
        else:
            st.session_state.ended = id(mine)
            watch.__wrapped__(mine)
            if mine.error: st.error(mine.error)
            elif mine.model is None: st.info('Stopped before the first epoch was over: there is no model yet.')
            else: compare(mine.rung, mine.model)
