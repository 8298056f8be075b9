"The two nets among the figures: the small one against PyTorch's autograd, the one that trains against `numpy_net`."
import base64
import re
import zlib

import numpy as np
import pytest
import torch

import test_figures
from mnist_steps.data import load_mnist, one_hot
from mnist_steps.logistic import LogisticRegression
from mnist_steps.numpy_net import backward, cross_entropy, forward, softmax
from test_figures import FRAMES, press, state, touch

folder, show = test_figures.folder, test_figures.show # fixtures
NAMES = ['w1', 'b1', 'w2', 'b2']


def by_autograd(found):
    "What PyTorch says of the net with the weights that the figure shows: values and derivatives, float64"
    params = {name: torch.tensor(found['params'][name], dtype=torch.float64, requires_grad=True) for name in NAMES}
    z1 = torch.tensor(found['x'], dtype=torch.float64) @ params['w1'] + params['b1']
    logits = z1.relu() @ params['w2'] + params['b2']
    loss = -(torch.tensor(found['target']) * logits.log_softmax(0)).sum()
    loss.backward()
    values = dict(z1=z1, hidden=z1.relu(), logits=logits, p=logits.softmax(0), loss=loss)
    return ({name: value.detach().numpy() for name, value in values.items()},
            {name: p.grad.numpy() for name, p in params.items()})


def check(page):
    "Does the figure say what PyTorch says? Returns its state"
    found = state(page)
    values, grads = by_autograd(found)
    for name, value in values.items(): np.testing.assert_allclose(found[name], value, atol=1e-12)
    for name, grad in grads.items(): np.testing.assert_allclose(found['grads'][name], grad, atol=1e-12)
    return found


def weight(page, name): return page.get_by_role('slider', name=name, exact=True)


def said(page): return page.locator('.touch-say').inner_text()


def test_pencil_begins_with_short_numbers(show):
    found = check(show('pencil'))
    assert found['hidden'] == [1, 2] and found['logits'] == [1, 1] and found['p'] == pytest.approx([.5, .5])
    for grad in found['grads'].values(): assert set(np.abs(grad).ravel().round(12)) <= {.5, 1}


@pytest.mark.parametrize('name, keys, path, value', [
    ('the weight from x₁ to h₂', ['ArrowUp', 'ArrowUp', 'ArrowRight'], ('w1', 0, 1), -.7),
    ('the weight from h₂ to z₁', ['Shift+ArrowDown', 'ArrowLeft'], ('w2', 1, 0), -.6),
    ('the bias of z₂', ['Shift+ArrowUp'] * 5, ('b2', 1), 3), # as far as it goes
])
def test_pencil_by_keys(show, name, keys, path, value):
    page = show('pencil')
    weight(page, name).focus()
    for key in keys: page.keyboard.press(key)
    found = check(page)
    assert found['chosen'] == list(path)
    moved = found['params'][path[0]]
    for i in path[1:]: moved = moved[i]
    assert moved == value == float(weight(page, name).get_attribute('aria-valuenow'))
    assert said(page).startswith(name[0].upper() + name[1:])


@pytest.mark.parametrize('width', [390, 1280])
def test_pencil_by_dragging(show, width):
    "Up is more, by a tenth for six units of the drawing"
    page = show('pencil', width)
    box = weight(page, 'the weight from x₂ to h₁').bounding_box()
    x, y = box['x'] + box['width'] / 2, box['y'] + box['height'] / 2
    assert min(box['width'], box['height']) >= 44
    page.mouse.move(x, y)
    page.mouse.down()
    before = check(page)
    assert before['chosen'] == ['w1', 1, 0]
    page.mouse.move(x, y - 50, steps=5)
    higher = check(page)
    page.mouse.move(x, y + 50, steps=5)
    page.mouse.up()
    page.mouse.move(x, y - 80)
    lower = check(page)
    assert lower['params']['w1'][1][0] < before['params']['w1'][1][0] < higher['params']['w1'][1][0]
    for found in (lower, higher):
        assert found['params'] | {'w1': 0} == before['params'] | {'w1': 0} and found['loss'] != before['loss']


def test_pencil_silences_a_unit(show):
    "ReLU lets no derivative through, and the figure says why"
    page = show('pencil')
    weight(page, 'the bias of h₁').focus()
    page.keyboard.press('Shift+ArrowDown')
    page.keyboard.press('ArrowDown')
    found = check(page)
    grads = found['grads']
    assert found['hidden'][0] == grads['b1'][0] == grads['w1'][0][0] == grads['w2'][0][0] == 0
    assert 'h₁ is silent: its sum is −0.1' in said(page)


def test_pencil_steps(show):
    "One step is a step of gradient descent with the rate of the slider; the loss falls, and Reset goes back"
    page = show('pencil')
    start = check(page)
    rate = page.get_by_label('learning rate')
    for k in range(8):
        before = state(page)
        if k == 4: rate.fill('0.3')
        press(page, 'One step')
        found = check(page)
        assert found['loss'] < before['loss']
        for name in NAMES:
            step = float(rate.input_value()) * np.array(before['grads'][name])
            np.testing.assert_allclose(found['params'][name], before['params'][name] - step, atol=1e-12)
    assert found['loss'] < .1
    press(page, 'Reset')
    assert check(page)['params'] == start['params']


@pytest.mark.parametrize('h', [.1, .01, .001])
@pytest.mark.parametrize('name', ['the weight from x₁ to h₁', 'the weight from h₂ to z₂', 'the bias of z₁'])
def test_pencil_nudges(show, name, h):
    "The slope that is measured comes close to the derivative, the closer the smaller the nudge"
    page = show('pencil')
    weight(page, name).focus()
    page.get_by_label('by', exact=True).select_option(str(h))
    press(page, 'Nudge')
    before = check(page)
    nudged = before['nudged']
    assert nudged['h'] == h and nudged['before'] == before['loss']
    assert nudged['slope'] == (nudged['after'] - nudged['before']) / h
    assert nudged['derivative'] != 0 and abs(nudged['slope'] - nudged['derivative']) < h
    loss = np.float64(re.search(r' to (\d\.\d+): slope', said(page))[1])
    np.testing.assert_allclose(loss, nudged['after'], atol=1e-6)


def test_pencil_without_derivatives(show):
    "For whoever wants to follow the values first"
    page = show('pencil')
    marked = page.locator('svg text').filter(has_text='d\u2009')
    assert marked.count() == 16 # 12 weights and biases, 4 units
    press(page, 'Derivatives')
    assert marked.count() == 0
    press(page, 'Derivatives')
    assert marked.count() == 16


@pytest.fixture(scope='module')
def few():
    "Pixels (2000, 784) float32 and labels of the digits that travel with the page"
    data = touch.DATA['training']()
    pairs = np.frombuffer(zlib.decompress(base64.b64decode(data['images'])), np.uint8).reshape(2000, 14, 28)
    images = np.stack(np.divmod(pairs, data['levels']), axis=2).reshape(2000, 784)
    return (images / (data['levels'] - 1)).astype(np.float32), np.array(list(map(int, data['labels'])))


def test_the_digits_that_travel(few, folder):
    "They are MNIST's first, to half a level of grey, and small"
    train_set, _ = load_mnist()
    np.testing.assert_array_equal(few[1], train_set.labels[:2000])
    np.testing.assert_allclose(few[0], train_set.pixels()[:2000], atol=.5 / 7 + 1e-6)
    assert (folder/'figure-training.js').stat().st_size <= 200_000
    assert touch.data_script('training') == touch.data_script('training')


def until_state(page, condition, seconds=60):
    "Wait until `condition` is true of the state, such as `step > 5`, and return the state"
    page.wait_for_function(f"document.querySelector('figure').state.{condition}", timeout=1000 * seconds)
    return state(page)


def until_phase(page, phase, seconds=60): return until_state(page, f"phase == '{phase}'", seconds)


def arrays(found):
    "The parameters of the figure, in the shapes of `numpy_net`"
    shapes = {'w1': (784, 64), 'b1': (64,), 'w2': (64, 10), 'b2': (10,)}
    return {name: np.float32(found['params'][name]).reshape(shape) for name, shape in shapes.items()}


def set_rate(page, rate):
    slider = page.get_by_label('learning rate')
    for position in range(10):
        slider.fill(str(position))
        if slider.get_attribute('aria-valuetext') == str(rate): return
    raise AssertionError(f'no rate {rate}')


def test_training_steps_as_numpy_does(show, few):
    "He's weights, and three steps of which each is a step of `numpy_net`"
    page = show('training')
    found = until_phase(page, 'ready')
    params = arrays(found)
    assert found['step'] == 0 and found['losses'] == [] and len(found['heldOut']) == 1
    np.testing.assert_allclose(params['w1'].std(), np.sqrt(2 / 784), rtol=.01)
    np.testing.assert_allclose(params['w2'].std(), np.sqrt(2 / 64), rtol=.1)
    assert abs(params['w1'].mean()) < 1e-3 and not params['b1'].any() and not params['b2'].any()
    x, y = few
    for step in range(1, 4):
        press(page, 'One step')
        found = until_state(page, f'step == {step}')
        batch = found['batch']
        assert len(set(batch)) == 64 and max(batch) < 1700
        logits, hidden = forward(params, x[batch])
        targets = one_hot(y[batch])
        grads = backward(params, x[batch], hidden, (softmax(logits) - targets) / 64)
        np.testing.assert_allclose(found['losses'][-1], cross_entropy(logits, targets), atol=1e-5)
        np.testing.assert_allclose(found['rate'], .5 * (1 - (step - 1) / found['steps']))
        after = arrays(found)
        for name in NAMES:
            np.testing.assert_allclose((params[name] - after[name]) / found['rate'], grads[name], atol=1e-5)
        params = after
        right = forward(params, x[1700:])[0].argmax(axis=1) == y[1700:]
        np.testing.assert_allclose(found['heldOut'][-1], right.mean())
    assert found['phase'] == 'paused' and len(found['heldOut']) == 4


@pytest.mark.long
def test_training_to_the_end(show, few):
    "The loss falls from log 10 to nearly nothing, and the net beats logistic regression on the same digits"
    page = show('training')
    until_phase(page, 'ready')
    press(page, 'Start')
    found = until_phase(page, 'finished', 120)
    assert found['step'] == found['steps'] == len(found['losses']) == 540
    assert abs(found['losses'][0] - np.log(10)) < .5 and np.mean(found['losses'][-27:]) < .08
    assert not found['diverged'] and 'Trained' in said(page)
    x, y = few
    linear = LogisticRegression().fit(x[:1700], y[:1700])
    assert found['heldOut'][-1] > linear.score(x[1700:], y[1700:]) + .01
    press(page, 'Start') # once more, from the same weights, with the same digits
    until_phase(page, 'running')
    until_state(page, 'step < 540')
    again = until_state(page, 'step > 5')
    assert again['losses'] == found['losses'][:again['step']]


def test_training_rests(show):
    "It stops when told to, and out of view, and goes on"
    page = show('training')
    page.add_style_tag(content='main { padding-bottom: 3000px; }')
    until_phase(page, 'ready')
    press(page, 'Start')
    until_state(page, 'step > 5')
    press(page, 'Pause')
    page.evaluate(FRAMES, 10) # the last answer may be on its way
    before = state(page)
    page.evaluate(FRAMES, 60)
    assert before['phase'] == 'paused' and state(page)['step'] == before['step']
    press(page, 'Start')
    until_state(page, f"step > {before['step']}")
    page.evaluate('scrollTo(0, 3000)')
    page.evaluate(FRAMES, 10)
    before = state(page)
    page.evaluate(FRAMES, 60)
    assert before['phase'] == 'running' and state(page)['step'] == before['step']
    page.evaluate('scrollTo(0, 0)')
    until_state(page, f"step > {before['step']}")
    press(page, 'Reset')
    found = until_phase(page, 'ready')
    assert found['step'] == 0 and found['losses'] == []


def test_training_diverges(show):
    page = show('training')
    until_phase(page, 'ready')
    set_rate(page, 5)
    press(page, 'Start')
    until_state(page, 'silent.length > 32')
    press(page, 'Pause')
    until_phase(page, 'paused')
    found = state(page)
    assert found['diverged'] and max(found['losses']) > 10
    assert 'The learning rate is too high' in said(page) and 'units are silent' in said(page)


def test_training_crawls(show):
    "A low rate does no harm and little good"
    page = show('training')
    until_phase(page, 'ready')
    set_rate(page, .01)
    press(page, 'Start')
    found = until_state(page, 'step > 60')
    assert not found['diverged'] and 1.2 < found['losses'][60] < found['losses'][0]


def colourful(page): return page.locator('canvas').evaluate("canvas => canvas.toDataURL('image/png').length")


def test_training_pictures(show):
    "Plain at first, then in colours; with the random start if one wants"
    page = show('training')
    until_phase(page, 'ready')
    plain = colourful(page)
    press(page, 'One step')
    until_state(page, 'step == 1')
    learned = colourful(page)
    press(page, 'Whole weights')
    assert 4 * plain < 2 * learned < colourful(page)


@pytest.mark.parametrize('name', ['pencil', 'training'])
def test_nothing_sticks_out_on_a_phone(show, name):
    page = show(name)
    for width in range(340, 420, 10):
        page.set_viewport_size({'width': width, 'height': 844})
        figure = page.locator('figure').bounding_box()
        for element in page.locator('figure :is(button, select, input, output, svg, canvas)').all():
            box = element.bounding_box()
            assert figure['x'] <= box['x'] and box['x'] + box['width'] <= figure['x'] + figure['width']
