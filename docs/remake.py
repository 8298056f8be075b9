"""Make every stored number, weight and output again that is out of date, and note in nbs/made.json how it was made.

    python docs/remake.py                    # all that is out of date
    python docs/remake.py 10_ladder lessons  # of these notebooks and folders only
    python docs/remake.py --all 10_ladder    # whether out of date or not; stopped, it goes on without --all
    python docs/remake.py --list             # each slow cell: its first line, its seconds, its state
    python docs/remake.py --check            # exit 1, with what to do, when something is out of date

A cell marked `#| slow` runs when what it computes has changed (docs/digests.py), when a file that it read or wrote has,
or when another cell that must run needs a name of it. The other cells of its notebook always run. Each slow cell is
noted, and the notebook stored, as soon as it has run: stop whenever you like, and the next call goes on from there.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date
from functools import cached_property
from pathlib import Path

from digests import Package, Page
from mnist_steps.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
ARTEFACTS = 'nbs/report.json', 'nbs/bench.json', 'nbs/results/*', 'mnist_steps/weights/*.safetensors'
SCRIPTS = Path(sys.executable).parent
PICTURES = 'docs/pictures.py' # stands in the ledger as if it were a notebook
# A notebook comes after those that write what it reads; what measures seconds comes last
FIRST = '10_ladder', 'lessons/06_other_hands', '09_cnn', 'lessons/'
LAST = 'reference/benchmark',

def place(name):
    "Of a notebook in the order of making"
    place = next((i for i, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))
    return place + name.startswith(LAST), name

def fingerprint(path):
    "SHA-256 of a file; of a rung's, whatever the order of the texts in its header, which safetensors leaves to chance"
    content = path.read_bytes()
    if path.suffix == '.safetensors':
        end = 8 + int.from_bytes(content[:8], 'little')
        content = json.dumps(json.loads(content[8:end]), sort_keys=True).encode() + content[end:]
    return hashlib.sha256(content).hexdigest()

class House:
    "A checkout: its notebooks, its artefacts and the ledger that says how they were made"
    def __init__(self, root=ROOT, package='mnist_steps'):
        self.root, self.nbs = Path(root), Path(root)/'nbs'
        self.package = Package(self.root/package)
        self.file = self.nbs/'made.json'

    @cached_property
    def pages(self):
        "Name -> notebook, in the order of making"
        found = {path.relative_to(self.nbs).with_suffix('').as_posix(): path for path in self.nbs.rglob('*.ipynb')
                 if '.ipynb_checkpoints' not in path.parts}
        return {name: Page(found[name], self.package) for name in sorted(found, key=place)}

    @property
    def ledger(self):
        if not self.file.exists(): return {'machines': [], 'notebooks': {}}
        return json.loads(self.file.read_text(encoding='utf-8'))

    def note(self, name, entry):
        "Write what the ledger says about a notebook; None: nothing any more"
        ledger = self.ledger
        ledger['notebooks'] = {key: old for key, old in ledger['notebooks'].items() if key != name}
        if entry: ledger['notebooks'][name] = entry
        self._write(ledger)

    def number_of(self, machine):
        "Which of the machines in the ledger it is"
        ledger = self.ledger
        if machine not in ledger['machines']: self._write(ledger | {'machines': [*ledger['machines'], machine]})
        return self.ledger['machines'].index(machine)

    def _write(self, ledger):
        write_atomically(self.file, (json.dumps(ledger, indent=1, sort_keys=True) + '\n').encode())

    def noted(self, name): return {'digest': None, 'cells': {}} | self.ledger['notebooks'].get(name, {})

    def artefacts(self):
        "Each file that slow cells write, and the SHA-256 of what is in it"
        paths = [path for pattern in ARTEFACTS for path in sorted(self.root.glob(pattern)) if path.is_file()]
        return {path.relative_to(self.root).as_posix(): fingerprint(path) for path in paths}

    def stale(self, name):
        "What of a notebook is out of date, and why: slow cell -> reason, and '' -> reason for its other cells"
        page, noted, now = self.pages[name], self.noted(name), self.artefacts()
        cells, reasons = noted['cells'], {}
        def changed(kind, keys):
            return [f'{file} has changed' for key in keys for file, sha in cells.get(key, {}).get(kind, {}).items()
                    if now.get(file) != sha]
        for key in page.slow:
            if 'digest' not in cells.get(key, {}): why = ['it has not been run']
            elif cells[key]['digest'] != page.digest(key): why = ['the code that it runs has changed']
            else: why = changed('made', [key]) + changed('read', page.cells_behind(key))
            if why: reasons[key] = why[0]
        if noted['digest'] != page.digest(*page.quick): reasons[''] = 'the code under the stored outputs has changed'
        elif why := changed('read', page.quick): reasons[''] = f'{why[0]} since the outputs were stored'
        return reasons

    def waiting(self, name):
        "Slow cells of a notebook that can't run until PEN_STROKES names the file of drawn digits"
        page, there = self.pages[name], os.environ.get('PEN_STROKES')
        return [] if there else [key for key in page.slow if page.mentions(key, 'PEN_STROKES')]

    def to_run(self, name):
        "What of a notebook can run and must: cells out of date, slow ones whose names they use, '' for those not slow"
        page, waiting = self.pages[name], self.waiting(name)
        wanted = [key for key in self.stale(name) if key not in waiting]
        needed = set().union(*(page.cells_behind(key) for key in wanted if key))
        return [key for key in page.slow if key in needed] + [''] * bool(wanted)

    def pictures_stale(self):
        return self.noted(PICTURES)['cells'].get('', {}).get('read') != self.pictured()

    def pictured(self):
        "The artefacts that the pictures of the front page show"
        return {file: sha for file, sha in self.artefacts().items() if 'report' in file or 'weights' in file}

opened = set() # paths that Python has opened since the cell began

def note_opened(event, args):
    if event == 'open' and not isinstance(args[0], int): opened.add(os.path.realpath(os.fsdecode(args[0])))

def run(house, name, slow):
    "Execute a notebook in this process, of its slow cells those given, and store what it shows; False if a cell fails"
    from execnb.nbio import nb2str, read_nb
    from execnb.shell import CaptureShell
    from nbdev.clean import clean_nb

    page = house.pages[name]
    digests = {key: page.digest(key) for key in page.slow} | {'': page.digest(*page.quick)}
    cells = {key: cell for key, cell in house.noted(name)['cells'].items() if key in page.slow}
    ran = {}

    def store(digest=None):
        nb = read_nb(page.path) # anew: somebody may have edited it since
        for cell in nb.cells:
            if cell.id in ran and cell.source == ran[cell.id].source: cell.outputs = ran[cell.id].outputs
        clean_nb(nb)
        write_atomically(page.path, nb2str(nb).encode())
        house.note(name, {'digest': digest, 'cells': cells})

    def written():
        return {file: (sha, (house.root/file).stat().st_mtime_ns) for file, sha in house.artefacts().items()}

    os.chdir(page.path.parent)
    shell = CaptureShell(mpl_format='retina')
    sys.addaudithook(note_opened)
    for cell in read_nb(page.path).cells:
        key = cell.id
        if key not in page.sources or key in page.slow and key not in slow: continue
        if key in slow: print(f'{name} {key}: {first_line(page, key)}', flush=True)
        before = written()
        opened.clear()
        start = time.perf_counter()
        cell.outputs = [] # a cell that shows nothing would keep them
        shell.cell(cell)
        seconds = time.perf_counter() - start
        for error in cell.outputs:
            if error.output_type != 'error': continue
            print(f'{name} {key} failed:\n{cell.source}\n', *error.traceback, sep='\n', file=sys.stderr)
            return False
        opened_by_cell = set(opened) # before `written` opens every artefact
        ran[key], after = cell, written()
        made = {file: sha for file, (sha, when) in after.items() if before.get(file) != (sha, when)}
        read = {file: sha for file, (sha, _) in after.items()
                if os.path.realpath(house.root/file) in opened_by_cell and file not in made}
        for other in cells.values(): other['made'] |= {file: made[file] for file in other['made'] if file in made}
        if made or read or key in slow: cells[key] = {'made': made, 'read': read}
        if key not in slow: continue
        from mnist_steps.bench import machine
        cells[key] |= {'digest': digests[key], 'seconds': round(seconds, 1), 'date': date.today().isoformat(),
                       'machine': house.number_of(machine())}
        store()
        print(f'{name} {key}: {seconds:.1f} s', flush=True)
    store(digests[''])
    return True

def first_line(page, key):
    "Of a cell, without its directives"
    return next((line for line in page.sources[key].splitlines() if line.strip() and not line.startswith('#|')), '')

def finish(house):
    "Bring up to date what follows from the notebooks"
    subprocess.run([SCRIPTS/'nbdev_clean'], cwd=house.root, check=True)
    subprocess.run([sys.executable, 'docs/readme.py'], cwd=house.root, check=True)
    if not house.pictures_stale(): return
    if not shutil.which('chromium'): return print(f'{PICTURES} waits for Chromium: run it where there is one.')
    subprocess.run([sys.executable, PICTURES], cwd=house.root, check=True)
    house.note(PICTURES, {'digest': None, 'cells': {'': {'made': {}, 'read': house.pictured()}}})

def remake(house, names):
    "Run what is out of date, each notebook in a process of its own; the names of those that fail"
    failed = []
    for name in names:
        if not (keys := house.to_run(name)): continue
        print(f'{name}: {len(keys) - 1} slow cells and the others', flush=True)
        start = time.perf_counter()
        path = os.pathsep.join(filter(None, [str(house.root), os.environ.get('PYTHONPATH')]))
        done = subprocess.run([sys.executable, __file__, '--root', house.root, '--here', name, *keys],
                              env=os.environ | {'PYTHONPATH': path})
        print(f'{name}: {"FAILED" if done.returncode else "done"}, {time.perf_counter() - start:.0f} s', flush=True)
        if done.returncode: failed.append(name)
    return failed

def report(house, names):
    "Print what is out of date; is anything?"
    stale = {name: house.stale(name) for name in names}
    for name, reasons in stale.items():
        for key, why in reasons.items(): print(f'{name} {key or "outputs"}: {why}')
        if reasons: print(f'    python docs/remake.py {name}')
    if not any(stale.values()): print('All is up to date.')
    return any(stale.values())

def table(house, names):
    "Print each slow cell with its seconds and its state"
    total = 0
    for name in names:
        stale, cells = house.stale(name), house.noted(name)['cells']
        for key in house.pages[name].slow:
            seconds, state = cells.get(key, {}).get('seconds', 0), stale.get(key, 'up to date')
            total += seconds
            print(f'{name:30} {key:9} {seconds:>7} s  {first_line(house.pages[name], key)[:45]:45}  {state}')
    print(f'in all {total / 60:.0f} minutes')

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('notebooks', nargs='*', help='such as 10_ladder or lessons; all of them if you name none')
    for option in ('--all', '--check', '--list'): parser.add_argument(option, action='store_true')
    parser.add_argument('--root', default=ROOT, type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--here', action='store_true', help=argparse.SUPPRESS) # a notebook and slow cells of it
    args = parser.parse_args()
    house = House(args.root)
    if args.here: return not run(house, args.notebooks[0], args.notebooks[1:])
    asked = [name.removeprefix('nbs/').removesuffix('.ipynb').rstrip('/') for name in args.notebooks] or ['']
    def chosen(name, a): return not a or (name + '/').startswith(a + '/')
    names = [name for name in house.pages if any(chosen(name, a) for a in asked)]
    for a in asked:
        if not any(chosen(name, a) for name in names): return f'There is no notebook {a}. Name one of nbs/.'
    if args.list: return table(house, names)
    if args.check: return report(house, names)
    for name in names if args.all else []: house.note(name, None)
    subprocess.run([SCRIPTS/'nbdev_export'], cwd=house.root, check=True)
    for _ in range(3): # a notebook may have read what a later one made anew
        failed = remake(House(args.root), names)
        if failed: break
    finish(house)
    for name in names:
        for key in house.waiting(name): print(f'{name} {key}: not run, as PEN_STROKES names no file.')
    if failed: return f'Failed: {", ".join(failed)}. What has run is stored: mend it and give the command again.'

if __name__ == '__main__': sys.exit(main())
