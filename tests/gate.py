"""The gate: what holds before a change lands, one step after the other, stopping at the first that fails.

    python tests/gate.py --fast  # while you work: no notebook runs, and only the tests that take no time
    python tests/gate.py         # before you push
    python tests/gate.py --slow  # before a release: the long searches, too
"""
import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ['nbs/**/*.ipynb']
EXPORTED = ['mnist_steps/**/*.py', 'pyproject.toml']
WORKERS = str(min(2, os.cpu_count() or 1)) # each on one thread: those that wait for a core that the other has crawl


class Step(NamedTuple):
    "One thing that must hold"
    command: list # what tells whether it holds
    remedy: str # what to do when it doesn't
    unchanged: list = [] # patterns of files that `command` must leave as they are
    fast: bool = True # does the fast lane take it?


def script(name):
    "A command of the environment that runs the gate"
    return shutil.which(name, path=sysconfig.get_path('scripts')) or sys.exit('Run `pip install -e ".[dev]"` first.')


def tests(lane):
    "The command that runs the tests of a lane; whole lanes measure which lines of the package they reach"
    command = [sys.executable, '-m', 'pytest', '-q', '-rs', '-p', 'no:cacheprovider', '-n', WORKERS,
               '--dist', 'loadfile', '--no-loadscope-reorder'] # a file shares in one process what takes long to make
    if lane == 'fast': return command + ['-m', 'not (long or browser or packaging)']
    command += ['--durations=10', '--cov', '--cov-report=term-missing:skip-covered']
    return command + ['--slow'] * (lane == 'slow')


def steps(lane):
    "What must hold, in order"
    return [
        Step([script('nbdev_clean')],
             'The files above are clean now: look at the difference and commit them.',
             NOTEBOOKS),
        Step([script('nbdev_export')],
             'The files above follow the notebooks now. If you edited one of them, make the change in its notebook and '
             'export again; then commit.',
             EXPORTED),
        Step([sys.executable, 'docs/readme.py', '--check'],
             'Run `python docs/readme.py` and commit README.md.'),
        Step([sys.executable, 'docs/play.py', '--check'],
             'Run `python docs/play.py` and commit mnist_steps/play.html.'),
        Step([sys.executable, 'docs/diagrams.py', '--check'],
             'Run `python docs/diagrams.py` and commit nbs/images/diagrams.'),
        Step([script('ruff'), 'check', '--quiet', '--no-cache', '.'],
             'Mend the lines above; `ruff check --fix` sorts imports.'),
        Step([script('oxlint'), '--deny-warnings', '-D', 'correctness', '-D', 'suspicious', 'docs', 'demo'],
             'Mend the lines of JavaScript above.'),
        Step([script('nbdev_test'), '--n_workers', WORKERS],
             'Run the cell that fails, named above, in its notebook.',
             fast=False),
        Step(tests(lane),
             'Run one test alone with `pytest -k NAME`.')]


def texts(patterns):
    "Text of every file that matches, whatever its line endings"
    return {path: path.read_text(encoding='utf-8') for pattern in patterns for path in ROOT.glob(pattern)}


def files():
    "Every file in the checkout but git's and what Python compiles"
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in ('.git', '__pycache__')]
        yield from (Path(folder)/name for name in names)


def run(step, env):
    "Does the command of `step` succeed, leave alone what it must, and leave nothing behind?"
    before, there = texts(step.unchanged), set(files())
    done = subprocess.run(step.command, cwd=ROOT, env=env | {'PYTHONUTF8': '1'})
    after = texts(step.unchanged)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    left = set(files()) - there - changed
    for what, paths in {'changed': changed, 'left behind': left}.items():
        for path in sorted(paths):
            print(f'{what}: {path.relative_to(ROOT).as_posix()}')
    return done.returncode == 0 and not changed and not left


def main(lane):
    "Run the steps of a lane; returns what to do about the first that fails"
    gate = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        env = {'OMP_NUM_THREADS': '1', 'COVERAGE_FILE': str(Path(folder)/'coverage')} | os.environ
        for step in steps(lane):
            if lane == 'fast' and not step.fast: continue
            name = ' '.join(Path(word).stem if Path(word).is_absolute() else word for word in step.command)
            print(f'== {name}', flush=True)
            start = time.perf_counter()
            passed = run(step, env)
            print(f"== {name}: {'passed' if passed else 'FAILED'} in {time.perf_counter() - start:.1f} s", flush=True)
            if not passed: return step.remedy
    print(f'== the {lane} gate: passed in {(time.perf_counter() - gate) / 60:.1f} min', flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    lanes = parser.add_mutually_exclusive_group()
    for lane in ('fast', 'slow'):
        lanes.add_argument(f'--{lane}', dest='lane', action='store_const', const=lane, default='whole')
    sys.exit(main(parser.parse_args().lane))
