"The small interactive figures: each alone on a page, opened from a file, against what NumPy computes."
import itertools
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from execnb.nbio import mk_cell
from scipy.signal import correlate2d

from mnist_steps.data import load_mnist
from mnist_steps.numpy_net import cross_entropy, sgd_step, softmax
from mnist_steps.rungs import load_pretrained

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT/'docs'))
import touch  # noqa: E402

STILLS = ROOT/'nbs'/'images'/'figures'
NAMES = sorted(path.stem for path in (ROOT/'docs'/'figures').glob('*.js') if path.stem != 'figure')
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A figure</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="figures.css">
<style>:root {{ color-scheme: light dark; background: Canvas; font-family: sans-serif; }}</style>
<main><h1>A figure</h1><figure class="touch" data-figure="{name}"><p><img alt="still" src="{still}"></p></figure></main>
{scripts}"""
FIGURE = 'figure.touch'
FRAMES = 'n => new Promise(done => { const f = k => k ? requestAnimationFrame(() => f(k - 1)) : done(); f(n) })'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "Scripts, and a page for each figure"
    folder = tmp_path_factory.mktemp('figures')
    touch.write_scripts(folder)
    for name in NAMES:
        still, = STILLS.glob(f'{name}.*')
        shutil.copy(still, folder)
        scripts = [f'figure-{name}.js'] * (name in touch.DATA) + ['figures.js']
        tags = ''.join(f'<script defer src="{script}"></script>' for script in scripts)
        (folder/f'{name}.html').write_text(PAGE.format(name=name, still=still.name, scripts=tags), encoding='utf-8')
    return folder


@pytest.fixture
def show(browser, folder):
    "show(name, ...) opens the page of a figure; nothing may be said on the console, and nothing asked of anyone"
    contexts, said = [], []
    def opened(name, width=1280, **options):
        context = browser.new_context(viewport={'width': width, 'height': 844}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on('console', lambda message: said.append(message.text))
        page.on('pageerror', lambda error: said.append(str(error)))
        page.on('request', lambda request: request.url.startswith('file:') or said.append(request.url))
        page.goto((folder/f'{name}.html').as_uri())
        if options.get('java_script_enabled', True): page.locator(f'{FIGURE}[data-built]').wait_for()
        return page
    yield opened
    for context in contexts: context.close()
    assert said == []


def state(page): return page.locator(FIGURE).evaluate('figure => figure.state')

def move(page, label, value): page.get_by_label(label, exact=True).fill(str(value))

def press(page, text): page.get_by_role('button', name=text, exact=True).click()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [390, 1280])
@pytest.mark.parametrize('name', NAMES)
def test_looks(show, name, width, scheme):
    "The living figure takes the still picture's place, fits, can be touched, and axe has nothing to say"
    from axe_playwright_python.sync_playwright import Axe
    page = show(name, width, color_scheme=scheme, has_touch=width == 390)
    assert not page.locator('img').is_visible()
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    for control in page.locator('button, select, input').all():
        if control.is_visible(): assert control.bounding_box()['height'] >= 44
    violations = Axe().run(page, options={'preload': False, 'resultTypes': ['violations']}).response['violations']
    assert [(rule['help'], node['html']) for rule in violations for node in rule['nodes']] == []


@pytest.mark.parametrize('name', NAMES)
def test_still_picture(show, name):
    "Without script, and in print, there is the picture; it is small"
    page = show(name, java_script_enabled=False)
    assert page.locator('img').is_visible()
    page = show(name)
    page.emulate_media(media='print')
    assert page.locator('img').is_visible()
    assert not page.locator('.touch-body').is_visible()
    assert sum(path.stat().st_size for path in STILLS.glob(f'{name}.*')) <= 40_000


def test_softmax(show):
    page = show('softmax')
    logits = [(1, 2, .5), (-6, 6, 6), (0, 0, 0), (5.9, -3.2, 1.1)]
    for row, (temperature, target) in itertools.product(logits, [(1, 0), (.2, 2), (5, 1)]):
        for name, logit in zip('358', row): move(page, f'logit of {name}', logit)
        move(page, 'temperature', temperature)
        page.get_by_label('the truth:', exact=True).select_option(str(target))
        found, scaled = state(page), np.array([row]) / temperature
        assert (found['logits'], found['temperature'], found['target']) == (list(row), temperature, target)
        np.testing.assert_allclose(found['exponentials'], np.exp(scaled[0]), rtol=1e-12)
        np.testing.assert_allclose(found['probabilities'], softmax(scaled)[0], rtol=1e-12)
        np.testing.assert_allclose(found['loss'], cross_entropy(scaled, np.array([target])), rtol=1e-9, atol=1e-15)


def test_softmax_adding_the_same_changes_no_probability(show):
    page = show('softmax')
    before = state(page)
    press(page, '+1 to all')
    after = state(page)
    np.testing.assert_allclose(after['logits'], np.add(before['logits'], 1))
    np.testing.assert_allclose(after['exponentials'], np.multiply(before['exponentials'], np.e), rtol=1e-12)
    np.testing.assert_allclose(after['probabilities'], before['probabilities'], rtol=1e-12)


def test_softmax_stays_within_its_sliders(show):
    page = show('softmax')
    for _ in range(4): press(page, '+1 to all')
    assert page.get_by_role('button', name='+1 to all').is_disabled()
    press(page, 'Start again')
    assert state(page)['logits'] == [1, 2, .5]


SLOPES = {'wide': lambda w: 2 * w, 'narrow': lambda w: 8 * w, 'two': lambda w: w * (w**2 - 2) + .25}

def descend(curve, start, rate, momentum, steps):
    "The path by the book's own step"
    params, velocity, path = {'w': np.array(start, dtype=float)}, {'w': np.zeros(())}, [start]
    for _ in range(steps):
        sgd_step(params, {'w': np.array(SLOPES[curve](params['w']))}, velocity, rate, momentum)
        path.append(float(params['w']))
    return path


@pytest.mark.parametrize('curve', SLOPES)
def test_ball(show, curve):
    page = show('ball')
    page.get_by_label('curve', exact=True).select_option(curve)
    start = state(page)['start']
    for rate, momentum in [(.01, 0), (.1, 0), (.24, .5), (.26, 0), (.9, 0), (1.1, .95)]:
        press(page, 'Start again')
        move(page, 'learning rate', rate)
        move(page, 'momentum', momentum)
        for _ in range(3): press(page, 'One step')
        found = state(page)
        last = len(found['path']) - 1 # a ball that gets lost takes fewer steps
        assert found['step'] == min(3, last) and (last == 40 or abs(found['path'][last]) > 1e6)
        expected = descend(curve, start, rate, momentum, last)
        np.testing.assert_allclose(found['path'], expected, rtol=1e-9, atol=1e-12)
        assert found['w'] == found['path'][found['step']]
        np.testing.assert_allclose(found['slope'], SLOPES[curve](found['w']), rtol=1e-9)


@pytest.mark.parametrize('curve, curvature', [('wide', 2), ('narrow', 8)])
@pytest.mark.parametrize('momentum', [0, .5])
def test_ball_limit(show, curve, curvature, momentum):
    "Just below the limit the ball comes closer to the bottom, just above it further away"
    page = show('ball')
    page.get_by_label('curve', exact=True).select_option(curve)
    move(page, 'momentum', momentum)
    limit = state(page)['threshold']
    np.testing.assert_allclose(limit, 2 * (1 + momentum) / curvature)
    if limit > 1.19: return # no slider reaches it
    ends = []
    for rate in (limit - .01, limit + .01):
        move(page, 'learning rate', f'{rate:.2f}')
        ends.append(np.abs(state(page)['path'][-4:]).max() / abs(state(page)['start']))
    assert ends[0] < .9 and ends[1] > 1.1


@pytest.mark.parametrize('bottom', [-2.5, 2.5])
def test_ball_two_valleys(show, bottom):
    "Without momentum the ball stays in the valley where it starts; the limit is that of this valley"
    page = show('ball')
    page.get_by_label('curve', exact=True).select_option('two')
    page.locator('[role=slider]').focus()
    for _ in range(60): page.keyboard.press('ArrowLeft' if bottom < 0 else 'ArrowRight')
    move(page, 'learning rate', .05)
    page.locator('[role=slider]').focus()
    for _ in range(10): page.keyboard.press('ArrowRight' if bottom < 0 else 'ArrowLeft')
    found = state(page)
    roots = np.roots([1, 0, -2, .25])
    there = roots[np.abs(roots - np.sign(bottom) * 1.4).argmin()]
    np.testing.assert_allclose(found['path'][-1], there, atol=.01)
    np.testing.assert_allclose(found['threshold'], 2 / (3 * there**2 - 2), rtol=1e-3)


@pytest.mark.parametrize('rate, words', [(.01, 'crawls'), (.3, 'lands'), (1, 'swings'), (1.1, 'diverges')])
def test_ball_says_what_becomes_of_it(show, rate, words):
    page = show('ball')
    move(page, 'learning rate', rate)
    assert words in page.locator('.touch-say').inner_text()


def test_ball_is_dragged(show):
    page = show('ball', 390)
    ball = page.locator('[role=slider]')
    box = ball.bounding_box()
    page.mouse.move(box['x'] + box['width'] / 2, box['y'] + box['height'] / 2)
    page.mouse.down()
    before = state(page)['start']
    page.mouse.move(box['x'] + 100, box['y'], steps=3)
    page.mouse.up()
    found = state(page)
    assert found['start'] > before + 1 and found['w'] == found['start'] == found['path'][0]
    assert float(ball.get_attribute('aria-valuenow')) == found['start']


def test_ball_walks_to_the_end(show, until):
    page = show('ball')
    page.clock.install()
    press(page, 'Play')
    assert page.get_by_role('button', name='Pause').is_visible()
    page.clock.run_for(60_000)
    until(lambda: state(page)['step'] == 40)
    assert page.get_by_role('button', name='Play').is_visible()


def test_less_motion(show):
    "Who asked for less motion sees the end at once"
    page = show('ball', reduced_motion='reduce')
    press(page, 'Play')
    assert state(page)['step'] == 40
    page = show('kernel', reduced_motion='reduce')
    press(page, 'Play')
    assert state(page)['seen'] == 26 * 26


def test_animations_rest_out_of_view(show, until):
    page = show('ball')
    page.add_style_tag(content='main { padding-bottom: 3000px; }')
    press(page, 'Play')
    until(lambda: state(page)['step'] > 0)
    page.evaluate('scrollTo(0, 3000)')
    page.evaluate(FRAMES, 5) # until the browser has noticed
    before = state(page)
    page.evaluate(FRAMES, 60)
    assert state(page)['step'] == before['step']
    page.evaluate('scrollTo(0, 0)')
    until(lambda: state(page)['step'] > before['step'])


def kernels():
    "Those that somebody designed, and those of the net"
    designed = {'lower edges': [[1, 1, 1], [0, 0, 0], [-1, -1, -1]], 'right edges': [[1, 0, -1]] * 3,
                'diagonal edges': [[1, 1, 0], [1, 0, -1], [0, -1, -1]], 'blur': np.outer([1, 2, 1], [1, 2, 1]) / 16}
    weights = load_pretrained('cnn').module_.blocks[0][0].weight.detach().numpy()[:, 0]
    return designed | {f'learned: no. {k + 1}': weights[k].round(3) for k in touch.LEARNED}


def check_map(found, kernel):
    "The state of the figure against SciPy"
    digit = np.reshape(found['digit'], (28, 28))
    np.testing.assert_allclose(found['weights'], kernel, atol=1e-6)
    expected = correlate2d(digit, found['weights'], mode='valid')
    np.testing.assert_allclose(np.reshape(found['map'], expected.shape), expected, atol=1e-12)
    row, column, k = found['row'], found['column'], len(kernel)
    window = digit[row:row + k, column:column + k] * found['weights']
    np.testing.assert_allclose(found['products'], window.ravel(), atol=1e-12)
    np.testing.assert_allclose(found['sum'], expected[row, column], atol=1e-12)


def test_kernel(show):
    page, digit = show('kernel'), load_mnist()[1].images[0].ravel() / 255
    choice = page.get_by_label('kernel', exact=True)
    assert choice.locator('option').all_inner_texts() == list(kernels())
    for name, kernel in kernels().items():
        choice.select_option(name)
        found = state(page)
        assert (found['kernel'], found['seen']) == (name, 1)
        np.testing.assert_allclose(found['digit'], digit, atol=1e-12)
        check_map(found, kernel)


def test_kernel_shows_its_numbers(show):
    page = show('kernel')
    found = state(page)
    panel = page.locator('svg[aria-label="the products"]')
    shown = [float(text.replace('−', '-')) for text in panel.locator('g text').all_text_contents()]
    np.testing.assert_allclose(shown, found['products'], atol=.005)
    assert panel.locator('> text').text_content() == f'products, sum {found["sum"]:.2f}'.replace('-', '−')


def test_kernel_by_keys_and_pointer(show):
    page = show('kernel', 390)
    window = page.locator('[role=application]').first
    window.focus()
    before = state(page)
    for key in ['ArrowRight', 'ArrowRight', 'ArrowDown']: page.keyboard.press(key)
    found = state(page)
    assert (found['row'], found['column']) == (before['row'] + 1, before['column'] + 2)
    assert found['seen'] == before['seen'] + 3
    page.keyboard.press('Shift+ArrowLeft')
    assert state(page)['column'] == found['column'] - 10
    box = window.bounding_box()
    for share, place in [(0, 0), (.52, 13), (1, 25)]: # of the window of 3 x 3 on 28 pixels
        x, y = (box[start] + min(max(share * box[size], 1), box[size] - 1)
                for start, size in [('x', 'width'), ('y', 'height')])
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.up()
        assert (state(page)['row'], state(page)['column']) == (place, place)


def test_kernel_slides(show, until):
    "Play visits every window, from the first one, and the map is whole"
    page = show('kernel')
    page.clock.install()
    press(page, 'Play')
    until(lambda: state(page)['seen'] > 1)
    assert page.get_by_role('button', name='Pause').is_visible()
    page.clock.run_for(60_000)
    until(lambda: state(page)['seen'] == 26 * 26)
    assert (state(page)['row'], state(page)['column']) == (25, 25)


def test_kernel_on_a_drawing(show):
    "A stroke on the pad is the digit; without it the stored one comes back"
    page = show('kernel')
    stored = state(page)['digit']
    press(page, 'Draw your own')
    canvas = page.locator('.touch-pad canvas')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box['x'] + box['width'] / 2, box['y'] + box['height'] / 4)
    page.mouse.down()
    page.mouse.move(box['x'] + box['width'] / 2, box['y'] + 3 * box['height'] / 4, steps=4)
    page.mouse.up()
    found = state(page)
    digit = np.reshape(found['digit'], (28, 28))
    assert digit[14, 13:15].min() == 1 and digit[:, :11].max() == digit[:5].max() == 0
    assert found['seen'] == 26 * 26
    check_map(found, kernels()['lower edges'])
    press(page, 'Draw your own')
    assert state(page)['digit'] == stored


@pytest.mark.parametrize('name', NAMES)
def test_by_keyboard(show, name):
    "Tab reaches every control, and each shows that it has the focus"
    page = show(name)
    there = page.evaluate("""() => [...document.querySelectorAll('button, select, input, [tabindex="0"]')]
        .filter(e => !e.disabled && e.getClientRects().length).length""")
    seen = set()
    for k in range(there):
        page.keyboard.press('Tab')
        outline = page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
        assert outline != 'none'
        seen.add(page.evaluate('k => document.activeElement.dataset.seen ||= k', str(k)))
    assert len(seen) == there
    for one in page.locator('input[type=range]').all():
        before = float(one.input_value())
        one.focus()
        page.keyboard.press('ArrowRight')
        assert float(one.input_value()) > before or before == float(one.get_attribute('max'))


def test_theme(show):
    "Colours follow furo's button, in drawings and for whoever asks for them"
    page = show('softmax', color_scheme='light')
    light = page.locator('rect').nth(1).evaluate('e => getComputedStyle(e).fill')
    page.evaluate("""() => {
        const figure = document.querySelector('figure').cloneNode()
        delete figure.dataset.built
        document.body.append(figure)
        figure.dataset.figure = 'probe'
        mnistSteps.figure('probe', (body, {color, ontheme, show}) => ontheme(() => show({blue: color('blue')})))
        document.body.dataset.theme = 'dark'
    }""")
    page.wait_for_function("document.querySelector('[data-figure=probe]').state")
    assert page.locator('[data-figure=probe]').evaluate('f => f.state.blue') == '#4aa8e0'
    assert page.locator('rect').nth(1).evaluate('e => getComputedStyle(e).fill') != light


def test_a_figure_that_fails_keeps_its_picture(show):
    page = show('softmax')
    page.evaluate("""() => {
        document.body.insertAdjacentHTML('beforeend', '<figure class="touch" data-figure="lame"><p>still</p></figure>')
        try { mnistSteps.figure('lame', body => { body.append('half a'); throw Error('lame') }) }
        catch (error) { if (error.message !== 'lame') throw error }
    }""")
    assert page.locator('[data-figure=lame]').inner_text() == 'still'
    assert page.locator('[data-figure=lame]').get_attribute('data-built') is None


def test_what_is_said_is_read_aloud_when_it_rests(show, until):
    page = show('softmax')
    heard = page.locator('.touch-heard')
    assert heard.inner_text() == ''
    for logit in range(5): move(page, 'logit of 3', logit)
    line = page.locator('.touch-say').inner_text()
    until(lambda: heard.text_content() == line)


def test_pictures_in_notebooks_become_figures():
    picture = '![What it *shows*, in words](../images/figures/ball.png)'
    page = touch.living(f'Before.\n\n{picture}\n\nAfter ![no figure](images/app.png).')
    figure = f'<figure class="touch" data-figure="ball">\n\n{picture}\n\n</figure>'
    assert page == f'Before.\n\n{figure}\n\nAfter ![no figure](images/app.png).'
    cells = [mk_cell(page, 'markdown')]
    assert '<script defer src="_static/figures.js">' in touch.loaders(cells, '.')[0].source
    assert 'src="../_static/figures.js"' in touch.loaders(cells, 'lessons')[0].source
    assert touch.loaders([mk_cell('No figure', 'markdown')], '.') == []
    kernel = mk_cell(touch.living('![A digit](images/figures/kernel.png)'), 'markdown')
    assert touch.loaders([kernel, *cells, kernel], '.')[0].source.count('<script') == 2 # the data, too, once
    unknown = mk_cell(touch.living('![Nothing](images/figures/nothing.svg)'), 'markdown')
    with pytest.raises(ValueError, match='nothing'): touch.loaders([unknown], '.')


def test_every_figure_stands_on_a_page():
    texts = [path.read_text(encoding='utf-8') for path in (ROOT/'nbs').rglob('*.ipynb')]
    assert [name for name in NAMES if not any(f'images/figures/{name}.' in text for text in texts)] == []
    assert sorted(path.stem for path in STILLS.iterdir()) == NAMES


def test_sizes():
    paths = [path for path in (ROOT/'docs'/'figures').iterdir() if path.suffix in ('.js', '.css')]
    assert sum(path.stat().st_size for path in paths if path.suffix == '.js') <= 60_000
    lines = itertools.chain.from_iterable(path.read_text(encoding='utf-8').splitlines() for path in paths)
    assert [line for line in lines if len(line) > 120] == []
