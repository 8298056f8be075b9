"""What several test modules share: lanes, waiting, a few real digits, the app and a browser."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from mnist_steps.data import load_mnist
from mnist_steps.idx import write_idx

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync']
# The files that take longest begin, so that in the end no process works on alone
FIRST = ['test_site.py', 'test_browser.py', 'test_load.py', 'test_packaging.py', 'test_cli.py', 'test_torch.py']

LONG = ('test_background.py', 'test_bench.py', 'test_cli.py', 'test_demo.py', 'test_load.py', 'test_play.py',
        'test_rebuild.py', 'test_site.py', 'test_visitors.py')


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='run the tests marked slow, too')


def pytest_configure():
    "Keep the checkout as it is, and let Ctrl-C reach what tests start, even where the tests themselves ignore it"
    os.environ.setdefault('HYPOTHESIS_STORAGE_DIRECTORY', str(Path(tempfile.gettempdir())/'mnist-steps-hypothesis'))
    hypothesis.settings.register_profile('gate', deadline=None) # other tests run at the same time
    hypothesis.settings.load_profile('gate')
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item):
    "Mark what needs a browser or takes long"
    if item.path.name in LONG: item.add_marker('long') # nearly every test there starts programs or trains
    if 'browser' in item.fixturenames: item.add_marker('browser')


def pytest_collection_modifyitems(config, items):
    "Begin with what takes longest, and leave slow tests out unless they are asked for"
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))
    if config.getoption('slow') or 'slow' in config.getoption('markexpr'): return
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker('slow')])
    items[:] = [item for item in items if not item.get_closest_marker('slow')]


@pytest.fixture(autouse=True)
def threads():
    "Leave PyTorch as many threads as it had, also after a test that sets another number"
    torch = sys.modules.get('torch')
    before = torch and torch.get_num_threads()
    yield
    if torch: torch.set_num_threads(before)


def wait_until(condition, seconds=60, pause=.05):
    "Wait until `condition()` is true, and return what it returned; fail where that takes longer than `seconds`"
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, f'not within {seconds} s: {getattr(condition, "__name__", condition)}'
        time.sleep(pause)
    return result


@pytest.fixture(scope='session')
def until():
    "until(condition, seconds=60) waits for a state, as a test must never wait for seconds"
    return wait_until


@pytest.fixture(scope='session')
def digits():
    "1,000 training and 500 test digits"
    train, test = load_mnist()
    return train[:1000], test[:500]


@pytest.fixture(scope='session')
def digits_dir(digits, tmp_path_factory):
    "The same digits as a folder in MNIST's format"
    folder = tmp_path_factory.mktemp('digits')
    for prefix, part in zip(('train', 't10k'), digits):
        write_idx(folder/f'{prefix}-images-idx3-ubyte.gz', part.images)
        write_idx(folder/f'{prefix}-labels-idx1-ubyte.gz', part.labels.astype('uint8'))
    return folder


def is_healthy(address):
    "Does the app at `address` answer?"
    try: return urllib.request.urlopen(address + '/_stcore/health', timeout=5).status == 200
    except OSError: return False


@contextmanager
def serving(folder, **env):
    "The app, served from another folder; its address"
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    log = folder/'log'
    command = [sys.executable, '-c', 'import sys; from mnist_steps.cli import main; sys.exit(main())',
               'demo', '--port', str(port), '--no-browser']
    with log.open('w') as file:
        server = subprocess.Popen(
            command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, env=os.environ | env)
    address = f'http://localhost:{port}'
    def answers():
        assert server.poll() is None, log.read_text()
        return is_healthy(address)
    try:
        wait_until(answers)
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope='session')
def url(tmp_path_factory):
    "The app"
    with serving(tmp_path_factory.mktemp('server')) as address: yield address


@pytest.fixture(scope='module') # its event loop must end before a test may start another
def browser():
    "Chromium; the tests that need it are skipped where there is none, unless REQUIRE_BROWSER is set"
    reason = 'the browser tests need `pip install -e ".[dev]"`'
    sync_api = pytest.importorskip('playwright.sync_api', reason=reason)
    if not CHROMIUM and not os.environ.get('REQUIRE_BROWSER'):
        pytest.skip('the browser tests need Chromium: `apt-get install chromium`')
    assert CHROMIUM, 'no Chromium found: `apt-get install chromium`'
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
