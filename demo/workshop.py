"Page 2: train a rung with your own settings, watch it, stop it, draw on it."
import pandas as pd
import streamlit as st

from mnist_steps.background import Training, running
from mnist_steps.intervals import accuracy_interval
from mnist_steps.metrics import accuracy
from mnist_steps.reading import read
from parts import canvas, digits, rungs, verdicts

MOST = 2 # trainings at once, over all visitors: each keeps a core busy
DENSE_RATES = [.001, .01, .03, .1, .3, .5, 1., 3.]
CNN_RATES = [.0001, .001, .003, .01, .03, .1]


def common(epochs, most, batch_size, rates, rate):
    "The knobs that all nets have."
    return dict(
        epochs=st.slider('Epochs', 1, most, epochs),
        batch_size=st.select_slider('Batch size', [16, 32, 64, 128, 256, 512], batch_size),
        learning_rate=st.select_slider('Learning rate', rates, rate),
        dropout=st.slider('Dropout', 0., .8, 0., .1))


def logistic():
    return dict(C=st.select_slider('C, the inverse strength of regularisation', [.001, .01, .1, 1., 10.], .1))


def torch():
    knobs = common(epochs=5, most=20, batch_size=64, rates=DENSE_RATES, rate=.5)
    return dict(**knobs, hidden=st.select_slider('Hidden units', [8, 16, 32, 64, 128, 256, 512], 128))


def numpy():
    knobs = torch()
    activation = st.segmented_control('Activation', ['relu', 'sigmoid'], default='relu', required=True)
    return dict(**knobs, activation=activation)


def cnn():
    knobs = common(epochs=2, most=10, batch_size=128, rates=CNN_RATES, rate=.01)
    return dict(**knobs, max_shift=st.slider('Random shift (px)', 0, 3, 1))


KNOBS = {'logistic': logistic, 'numpy': numpy, 'torch': torch, 'cnn': cnn} # rung -> its settings, shown as widgets


def start(name, params):
    "A training with these settings, in place of the visitor's last one."
    stop()
    st.session_state.training = Training(name, **params)
    return st.session_state.training


def stop():
    "End the visitor's training, if there is one."
    if 'training' in st.session_state: st.session_state.training.stop()


def curves(training):
    "How far the training is, its loss and its error on held-out digits."
    history = training.history
    done = len(history['loss'])
    expected = training.epochs or 1 # a rung without epochs reports once
    st.progress(min(done / expected, 1.), f'{done} of {expected} epochs')
    if not done: return
    epochs = pd.RangeIndex(1, done + 1, name='epoch')
    loss = pd.DataFrame({'training loss': history['loss']}, epochs)
    error = pd.DataFrame({'error': [100 - 100 * share for share in history['valid_accuracy']]}, epochs)
    left, right = st.columns(2)
    left.line_chart(loss, x_label='epoch', y_label='training loss (nats)', height=240)
    right.line_chart(error, x_label='epoch', y_label='held-out error (%)', height=240)


@st.fragment(run_every=.5)
def watch(training):
    "The curves so far; asks for the whole page again when the training ends."
    ended = not training.running
    curves(training)
    if ended: st.rerun()


def compare(name, model):
    "Both nets on the test digits, and on a drawing."
    test = digits()[1]
    for title, net in (('yours', model), (f'the {name} that comes with the package', rungs()[name])):
        predicted = net.predict(test.images)
        low, high = accuracy_interval(test.labels, predicted, test.writers)
        st.markdown(f'**{title}**: {accuracy(test.labels, predicted):.2%} of the test digits '
                    f'(95 % interval {low:.2%} to {high:.2%})')
    st.markdown('### Draw on your own model')
    left, right = st.columns([1, 2])
    with left: image = canvas('own')
    with right: verdict(image, {'yours': model, name: rungs()[name]})


def verdict(image, models):
    "What the models read on the drawing."
    if image is None: return st.info('Draw a digit.')
    try: readings = {name: read(image, model) for name, model in models.items()}
    except ValueError as e: return st.info(f'No digit yet: {e}.')
    if readings['yours'].digit is None: return st.info(f'No digit yet: {readings["yours"].reason}.')
    verdicts(readings)


def result(training):
    "What came out of a training that has ended."
    curves(training)
    if training.error: st.error(training.error)
    elif training.model is None: st.info('Stopped before the first epoch was over: there is no model yet.')
    else: compare(training.rung, training.model)


st.markdown('### Train it yourself')
st.markdown('Your rung learns from 50,000 digits and is watched on 10,000 others. It runs in a process of its own: '
            'close the page, or train again, when you like.')
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
    elif mine.running: watch(mine)
    else: result(mine)
