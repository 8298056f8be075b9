"What several test modules share: a few real digits, in memory and as a folder, the app and a browser."
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from mnist_steps.data import load_mnist
from mnist_steps.idx import write_idx

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']


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


@pytest.fixture(scope='session')
def url(tmp_path_factory):
    "The app, served from another folder"
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    log = tmp_path_factory.mktemp('server')/'log'
    command = [sys.executable, '-c', 'import sys; from mnist_steps.cli import main; sys.exit(main())', 'demo', '--port', str(port), '--no-browser']
    with log.open('w') as f: server = subprocess.Popen(command, cwd=log.parent, stdout=f, stderr=subprocess.STDOUT)
    address = f'http://localhost:{port}'
    try:
        for _ in range(120):
            try:
                if urllib.request.urlopen(address + '/_stcore/health', timeout=5).status == 200: break
            except OSError: time.sleep(.5)
            assert server.poll() is None, log.read_text()
        else: pytest.fail(log.read_text())
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope='module') # its event loop must end before a test may start another
def browser():
    "Chromium; the tests that need it are skipped where there is none, unless REQUIRE_BROWSER is set"
    sync_api = pytest.importorskip('playwright.sync_api', reason='the browser tests need `pip install -e ".[dev]"`')
    if not CHROMIUM and not os.environ.get('REQUIRE_BROWSER'): pytest.skip('the browser tests need Chromium: `apt-get install chromium`')
    assert CHROMIUM, 'no Chromium found: `apt-get install chromium`'
    with sync_api.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
