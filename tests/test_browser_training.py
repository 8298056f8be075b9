"Training and the quiz as visitors meet them: reloads, benches that are taken, keys, and what is left of those who go."
import urllib.request

import pytest

from conftest import serving
from mnist_steps.data import load_mnist
from test_browser import button, choose, draw, ready, visit

TITLE = 'Train it yourself'


@pytest.fixture(scope='module')
def house(tmp_path_factory):
    "An app that takes a visitor for gone after a second, and the folder where its trainings make theirs"
    folders = tmp_path_factory.mktemp('folders')
    with serving(tmp_path_factory.mktemp('server'), MNIST_STEPS_PATIENCE='1', TMPDIR=str(folders)) as address:
        yield address, folders


def move(page, slider, key, times=1):
    "Move a slider by keys"
    page.get_by_role('slider', name=slider).focus()
    for _ in range(times): page.keyboard.press(key)
    ready(page)


def start_long(page):
    "A training that goes on for a while"
    move(page, 'Epochs', 'End')
    page.get_by_text('20', exact=True).first.wait_for()
    button(page, 'Start').click()
    page.get_by_text(' of 20 epochs').wait_for()


def bench_of(page): return page.url.split('bench=')[1]


def test_train_and_draw_with_it(browser, url):
    with visit(browser, url, TITLE) as page:
        page.get_by_text('A rung learns here').wait_for()
        button(page, 'Start').click()
        page.get_by_text('Loss of every batch').wait_for()
        page.get_by_text('After epoch 1').wait_for()
        assert page.locator('.gallery figure').count() == 24
        button(page, 'Draw with my model').click()
        page.get_by_text('Five models wait').or_(page.get_by_text('models wait for your digit')).first.wait_for()
        ready(page)
        draw(page, 0)
        assert page.locator('.st-key-verdict_yours .digit').inner_text() in '0123456789'
        assert page.locator('section.verdict').count() == 6


def test_a_reload_finds_the_training(browser, url):
    page = browser.new_context().new_page()
    page.goto(url)
    page.get_by_role('link', name=TITLE).click()
    start_long(page)
    bench = bench_of(page)
    page.reload()
    page.get_by_text(' of 20 epochs').wait_for()
    assert bench_of(page) == bench
    with page.expect_event('framenavigated'): page.get_by_role('link', name='Test yourself').click()
    page.get_by_text('Which digit is this?').wait_for()
    page.get_by_role('link', name=TITLE).click()
    page.get_by_text(' of 20 epochs').wait_for()
    assert bench_of(page) == bench
    button(page, 'Stop').click()
    page.get_by_text('stopped after').or_(page.get_by_text('Stopped before the first epoch')).first.wait_for()
    page.context.close()


def test_a_third_visitor_waits_for_a_place(browser, url):
    with visit(browser, url, TITLE) as first, visit(browser, url, TITLE) as second, visit(browser, url) as third:
        start_long(first)
        start_long(second)
        third.get_by_role('link', name=TITLE).click()
        third.get_by_text('Two others are training').wait_for()
        assert button(third, 'Start').is_disabled()
        assert button(first, 'Start').is_enabled() # in place of the own one
        button(first, 'Stop').click()
        third.get_by_text('Two others are training').wait_for(state='detached')
        button(third, 'Start').click()
        third.get_by_text(' of 5 epochs').wait_for()
        for page in (second, third):
            button(page, 'Stop').click()
            page.get_by_test_id('stButton').get_by_role('button', name='Stop', disabled=True).wait_for()


def test_a_learning_rate_that_is_too_high_says_so(browser, url):
    with visit(browser, url, TITLE) as page:
        move(page, 'Learning rate', 'End')
        button(page, 'Start').click()
        page.get_by_text('Try a lower learning rate').wait_for()
        page.get_by_text('diverged').wait_for()


def metrics(address): return urllib.request.urlopen(address + '/_stcore/metrics').read().decode()


def test_who_vanishes_leaves_nothing(browser, house, until, tmp_path):
    from PIL import Image
    address, folders = house
    Image.fromarray(load_mnist()[1].images[0]).save(tmp_path/'seven.png')
    with visit(browser, address) as page:
        choose(page, 'Upload')
        page.locator('input[type=file]').set_input_files(tmp_path/'seven.png')
        page.locator('.st-key-verdict_drawn').wait_for()
        assert 'UploadedFileManager' in metrics(address)
        page.get_by_role('link', name=TITLE).click()
        start_long(page)
        assert list(folders.glob('mnist-steps-*'))
    until(lambda: not list(folders.glob('mnist-steps-*')))
    until(lambda: 'UploadedFileManager' not in metrics(address))


def test_quiz_by_keys(browser, url):
    with visit(browser, url, 'Test yourself') as page:
        page.keyboard.press('7')
        page.get_by_text('You say 7').wait_for()
        button(page, 'Next').wait_for() # it listens to the key
        ready(page)
        page.keyboard.press('n')
        page.get_by_text('You say 7').wait_for(state='detached')
        page.get_by_text('of 1', exact=False).first.wait_for()
        page.get_by_text('is wrong on').wait_for()


def test_quiz_by_mouse(browser, url):
    with visit(browser, url, 'Test yourself') as page:
        page.get_by_role('button', name='7').first.click()
        page.get_by_text('You say 7').wait_for()
        button(page, 'Next').click()
        page.get_by_text('You say 7').wait_for(state='detached')
