"What a host of the app finds in the repository; no image is built, but its commands run."
import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import is_healthy

pytest.importorskip('streamlit')
ROOT = Path(__file__).resolve().parents[1]


def lines(path): return (ROOT/path).read_text(encoding='utf-8').splitlines()


def instruction(name):
    "The words of an instruction of the Dockerfile"
    words = next(line for line in lines('Dockerfile') if line.startswith(name))
    if name in ('CMD', 'HEALTHCHECK'): return json.loads(words[words.index('['):])
    return shlex.split(words)[1:]


@pytest.mark.long
def test_the_container_serves_a_healthy_app(until):
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    serve, check = ([sys.executable, *(word.replace('7860', port) for word in instruction(name)[1:])]
                    for name in ('CMD', 'HEALTHCHECK'))
    assert subprocess.run(check, stderr=subprocess.DEVNULL).returncode != 0
    with subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.DEVNULL) as server:
        try:
            until(lambda: is_healthy(f'http://localhost:{port}'))
            assert subprocess.run(check).returncode == 0
        finally: server.terminate()


def test_all_ports_are_one():
    space = lines('demo/huggingface.md')
    assert 'sdk: docker' in space and f'app_port: {instruction("EXPOSE")[0]}' in space
    assert f'--server.port={instruction("EXPOSE")[0]}' in instruction('CMD')


def test_the_container_copies_what_it_installs():
    kept = [line[1:] for line in lines('.dockerignore') if line.startswith('!')]
    assert all((ROOT/name).exists() for name in kept)
    read = set(re.findall(r"'([\w.]+\.(?:md|ini))'", (ROOT/'setup.py').read_text()))
    assert read and read <= set(kept)


def test_nobody_is_root(): assert instruction('USER') == ['reader']


def test_the_cloud_installs_the_app():
    text = (ROOT/'demo'/'requirements.txt').read_text().replace('\\\n', '')
    needs = [line for line in text.splitlines() if line and not line.startswith('#')]
    assert needs[-1] == '.[demo]' and all('whl/cpu/torch-' in need for need in needs[:-1])
