"""The gate: what holds before a change lands, one step after the other, stopping at the first that fails.

    python tests/gate.py
"""
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ['nbs/**/*.ipynb']
EXPORTED = ['mnist_steps/**/*.py', 'pyproject.toml']

def script(name):
    "A command of nbdev's, from the environment that runs the gate"
    return shutil.which(name, path=sysconfig.get_path('scripts')) or sys.exit('Run `pip install -e ".[dev]"` first.')

STEPS = [ # command, files that it must leave as they are, what to do when it fails
    ([script('nbdev_clean')], NOTEBOOKS, 'The files above are clean now: look at the difference and commit them.'),
    ([script('nbdev_export')], EXPORTED, 'The files above follow the notebooks now. If you edited one of them, make the '
                                         'change in its notebook and export again; then commit.'),
    ([sys.executable, 'docs/readme.py', '--check'], [], 'Run `python docs/readme.py` and commit README.md.'),
    ([script('nbdev_test'), '--n_workers', '1'], [], 'Run the cell that fails, named above, in its notebook.'),
    ([sys.executable, '-m', 'pytest', '-q', '-rs'], [], 'Run one test alone with `pytest -k NAME`.')]

def texts(patterns):
    "Text of every file that matches, whatever its line endings"
    return {p: p.read_text(encoding='utf-8') for pattern in patterns for p in ROOT.glob(pattern)}

def run(command, unchanged):
    "Run `command`: does it succeed and leave the files that match `unchanged` alone?"
    before = texts(unchanged)
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {'PYTHONUTF8': '1'})
    after = texts(unchanged)
    changed = [p for p in sorted(before | after) if before.get(p) != after.get(p)]
    for p in changed: print('changed:', p.relative_to(ROOT).as_posix())
    return done.returncode == 0 and not changed

def main():
    for command, unchanged, remedy in STEPS:
        name = ' '.join(Path(word).stem if Path(word).is_absolute() else word for word in command)
        print(f'== {name}', flush=True)
        start = time.perf_counter()
        passed = run(command, unchanged)
        print(f"== {name}: {'passed' if passed else 'FAILED'} in {time.perf_counter() - start:.1f} s", flush=True)
        if not passed: return remedy

if __name__ == '__main__': sys.exit(main())
