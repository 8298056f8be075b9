"Page 2: train a rung with your own settings, watch it learn, stop it, compare, and draw with it."
import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from mnist_steps.intervals import accuracy_interval
from mnist_steps.metrics import accuracy
from mnist_steps.plots import RUNG_COLORS
from mnist_steps.rungs import RUNGS
from parts import digits, gallery, heat, rungs
from visitors import PATIENCE, my_bench, workshop

DENSE_RATES = [.001, .01, .03, .1, .3, .5, 1., 3., 10.]
CNN_RATES = [.0001, .001, .003, .01, .03, .1]
N_TRAIN = 50_000 # digits; the other 10,000 are held out
MOST_POINTS = 1500 # of a curve
KNOWS_NOTHING = np.log(10) # nats: the loss of a net that gives every digit the same probability
UNITS = 24 # that are shown
HELLO = """A rung learns here, from 50,000 digits, with your settings. Choose some and press **Start**: you see the loss
of every batch, the error on 10,000 other digits after every epoch, and how the first layer takes shape. A learning rate
that is too high is worth a try."""
COMPARE = """Compare them by the held-out digits: whoever chooses by the test digits has nothing left to test with."""
FULL = """Two others are training at the moment, and there is no third place on this server. **Start** will wake up as
soon as one of them is done."""
TOO_HIGH = """The loss has been above {:.2f} nats, which is that of a net that knows nothing: the steps were too long.
Try a lower learning rate."""
REPORTS_ONCE = 'Logistic regression has no batches and no epochs: it reports once, at its end.'
PHRASES = { # how a setting is said
    'C': 'C = {:g}', 'epochs': '{} epochs', 'batch_size': 'batches of {} digits', 'learning_rate': 'learning rate {:g}',
    'dropout': 'dropout {:g}', 'hidden': '{} hidden units', 'activation': 'activation {}',
    'max_shift': 'random shifts of at most {} px'}
PATTERNS = { # rung -> what its pictures show
    'logistic': 'The ten templates, for 0 to 9: a pixel in red speaks for the digit, one in blue against it.',
    'numpy': f'The first {UNITS} hidden units: each wants ink where it is red, and none where it is blue.',
    'torch': f'The first {UNITS} hidden units: each wants ink where it is red, and none where it is blue.',
    'cnn': 'The kernels of the first block, 5 x 5 numbers each: they slide over the digit and look for this pattern.'}


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


def in_words(params):
    "Settings as a text."
    said = [PHRASES[name].format(value) for name, value in params.items()]
    return ', '.join('1 epoch' if words == '1 epochs' else words for words in said)


def name_of(rung):
    "How a sentence about a rung begins."
    title = RUNGS[rung].title
    return title.capitalize() if rung == 'logistic' else f'The {title}'


def diverged(run):
    "Has the loss been above that of a net that knows nothing?"
    return max(run.training.history['loss'], default=0) > KNOWS_NOTHING + .01


def state_of(run):
    "How far a training is, in words."
    done = len(run.training.history['loss'])
    if run.training.running: return 'running'
    if run.training.error: return 'failed'
    if diverged(run): return 'diverged'
    return f'stopped after {done}' if run.stopped else 'ended'


def thinned(losses, per_epoch):
    "The losses of the batches against the epoch; of so many that a screen can't show them, means of neighbours."
    share = max(1, -(-len(losses) // MOST_POINTS)) # batches to a point
    n = len(losses) // share * share
    values = np.reshape(losses[:n], (-1, share)).mean(axis=1)
    epochs = (np.arange(len(values)) + 1) * share / per_epoch
    keep = np.isfinite(values)
    return pd.DataFrame({'epoch': epochs[keep], 'loss': values[keep]}), share


def curve(data, title, y_title, color, points=False):
    "A line against the epoch; with points, one for each epoch."
    st.caption(title)
    mark = dict(point=alt.OverlayMarkDef(color=color), strokeWidth=2) if points else dict(strokeWidth=1)
    x = alt.X('epoch', scale=alt.Scale(zero=True, nice=False), axis=alt.Axis(tickMinStep=1 if points else 0))
    y = alt.Y(data.columns[1], title=y_title, scale=alt.Scale(zero=True))
    st.altair_chart(alt.Chart(data, height=220).mark_line(color=color, **mark).encode(x, y), width='stretch')


def curves(run):
    "How far a training is, the loss of every batch, and the error on the held-out digits after every epoch."
    training, color = run.training, RUNG_COLORS[run.rung]
    history = training.history
    done = len(history['loss'])
    expected = training.epochs or 1
    done_of = f'{done} of {expected} {"epoch" if expected == 1 else "epochs"}' if training.epochs else REPORTS_ONCE
    st.progress(min(done / expected, 1.), done_of)
    left, right = st.columns(2)
    losses = training.batch_losses
    if losses:
        data, share = thinned(losses, -(-N_TRAIN // run.params['batch_size']))
        title = 'Loss of every batch' + (f', {share} to a point' if share > 1 else '')
        with left: curve(data, title, 'loss (nats)', color)
    if done:
        errors = 100 - 100 * np.array(history['valid_accuracy'])
        error = pd.DataFrame({'epoch': np.arange(1, done + 1), 'error': errors})
        with right: curve(error, 'Error on the held-out digits', 'error (%)', color, points=True)


def first_weights(rung, model):
    "What the first layer looks for: pictures (n, h, w)."
    arrays = model.get_state()
    if rung == 'logistic': return (arrays['coef'] - arrays['coef'].mean(axis=0)).reshape(-1, 28, 28)
    if rung == 'numpy': return arrays['w1'].T[:UNITS].reshape(-1, 28, 28)
    if rung == 'torch': return arrays['hidden.weight'][:UNITS].reshape(-1, 28, 28)
    return arrays['blocks.0.0.weight'][:, 0]


def patterns(run):
    "The templates, hidden units or kernels as they are after the last whole epoch."
    model = run.training.model
    if model is None: return
    done = len(run.training.history['loss'])
    after = '' if run.rung == 'logistic' else f' After epoch {done}.'
    st.caption(PATTERNS[run.rung] + after)
    pictures = first_weights(run.rung, model)
    gallery(map(heat, pictures), [str(i) for i in range(len(pictures))], 64)


@st.fragment(run_every=.5)
def watch(run):
    "The curves so far; asks for the whole page again when the training ends."
    ended = not run.training.running
    curves(run)
    patterns(run)
    if ended: st.rerun()


@st.fragment(run_every=2)
def wait(bench):
    "Say that there is no place, until there is one."
    st.info(FULL, icon=':material/hourglass:')
    if not workshop().is_full(bench): st.rerun()


@st.cache_data(show_spinner='The rung reads the 10,000 test digits')
def score_of(name):
    "What the rung that comes with the package scores on the test digits."
    return score(rungs()[name])


def score(model):
    "Accuracy on the test digits, and its 95 % interval."
    test = digits()[1]
    predicted = model.predict(test.images)
    return accuracy(test.labels, predicted), *accuracy_interval(test.labels, predicted, test.writers)


def compare(run):
    "The model and the one that comes with the package, on the test digits."
    with st.spinner('Your model reads the 10,000 test digits'): run.score = run.score or score(run.training.model)
    scores = {f'Your {run.rung}': run.score, f'The {run.rung} of the package': score_of(run.rung)}
    for title, (share, low, high) in scores.items():
        st.markdown(f'**{title}**: {share:.2%} of the test digits (95 % interval {low:.2%} to {high:.2%})')


def draw_with(model):
    "Put a model beside the others on the first page."
    st.session_state.mine = {'yours': model}


def result(run):
    "What came out of a training that has ended."
    if diverged(run): st.warning(TOO_HIGH.format(KNOWS_NOTHING), icon=':material/trending_up:')
    if run.training.error: st.error(run.training.error, icon=':material/error:')
    elif run.training.model is None: st.info('Stopped before the first epoch was over: there is no model yet.')
    else:
        compare(run)
        if st.button('Draw with my model', type='primary', icon=':material/draw:'):
            draw_with(run.training.model)
            st.switch_page('draw.py')
    curves(run)
    patterns(run)


def table(runs):
    "All runs of this visitor, to compare."
    st.markdown('### Your runs')
    st.markdown(COMPARE)
    def row(run):
        history = run.training.history
        best = f'{history["valid_accuracy"][-1]:.2%}' if history['loss'] else '–'
        seconds = f'{sum(history["seconds"]):.1f}' if history['loss'] else '–'
        return {'rung': run.rung, 'settings': in_words(run.params), 'held-out accuracy': best, 'seconds': seconds,
                'state': state_of(run)}
    st.table(pd.DataFrame(map(row, runs), range(1, len(runs) + 1)))


bench = my_bench()
st.markdown('### Train it yourself')
left, right = st.columns([1, 2.6], gap='medium')
with left:
    name = st.selectbox('Rung', list(KNOBS), index=1, format_func=lambda name: f'{name}: {RUNGS[name].title}')
    params = KNOBS[name]()
    full = workshop().is_full(bench)
    with st.container(horizontal=True):
        if st.button('Start', type='primary', disabled=full, width='stretch'):
            full = not workshop().start(bench, name, **params)
        st.button('Stop', on_click=workshop().stop, args=(bench,), disabled=not bench.running, width='stretch')
    if full: wait(bench)
with right:
    run = bench.run
    if run is None: st.info(HELLO, icon=':material/model_training:')
    else:
        st.markdown(f'**{name_of(run.rung)}** {"learns" if bench.running else "has learned"} from {N_TRAIN:,} digits, '
                    f'with {in_words(run.params)}. It is scored on 10,000 others.')
        if bench.running: watch(run)
        else: result(run)
    if bench.running:
        st.caption(f'The training is a process of its own: look at the other pages or load this one again, and it goes '
                   f'on. It ends when you have been gone for {PATIENCE:g} seconds.')
if bench.runs: table(bench.runs)
