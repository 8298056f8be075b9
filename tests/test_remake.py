"The ledger nbs/made.json: what a digest notices, what is made again, and whether all that is stored is up to date."
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT/'docs'))
from digests import Package, Page  # noqa: E402
from remake import House, remake  # noqa: E402

MODULES = {
    '__init__.py': '''
__version__ = '1'
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .nets import Net
''',
    'base.py': '''
import numpy as np
from .far import *
from .table import *
LIMIT = 10
def unreached(): return 1
class Base:
    "What all nets share."
    size: int = 1 # units
    def fit(self, x: int) -> int: # how many
        "Learn."
        if x > LIMIT: raise ValueError(f'{x} is too large.')
        return [far_away(i) for i in range(x)]
    def __repr__(self): return 'Base()'
''',
    'far.py': '''
FACTORS = {'one': 1}
FACTORS['two'] = 2
def far_away(n):
    from .deep import depth
    return depth(n) * FACTORS['two']
''',
    'deep.py': '''
def depth(n): return n + 1
''',
    'nets.py': '''
import warnings
from fastcore.basics import patch
from . import base
def twice(f): return lambda *args: 2 * f(*args)
def standard(): return 5
class Net(base.Base):
    units = [n for n in range(4)]
@twice
def run(n=standard()):
    if n < 0: warnings.warn('negative')
    return Net().fit(n)
@patch
def score(self: Net): return .5
''',
    'table.py': '''
HOMES = {'net': ('toy.nets', 'Net')}
'''}
PAGE = ['''#| hide
# a comment
import toy as ms
from toy.table import HOMES''', '''n = 1''', '''n = 2
other = 3''', '''settings = {}''', '''settings['rate'] = .1''', '''#| export
def measure(seed):
    "A run."
    return ms.Net().fit(seed + n)''', '''other * 2''', '''#| slow
for other in range(2):
    n_other = other
    n_other += 1
rows = [measure(seed) for seed in range(2)]
rows, settings''', '''#| slow
home = HOMES['net']''', '''#| slow
from toy.nets import run
run()''', '''#| slow
PROGRAM = \'\'\'
from toy.base import LIMIT
print(LIMIT)
\'\'\'''']
NET, HOME, RUN, PROGRAM = 7, 8, 9, 10 # the slow cells


def write(folder, modules, cells):
    (folder/'toy').mkdir(exist_ok=True)
    for name, source in modules.items(): (folder/'toy'/name).write_text(source, encoding='utf-8')
    (folder/'nbs').mkdir(exist_ok=True)
    cells = [{'cell_type': 'code', 'id': f'{i:08}', 'metadata': {}, 'source': source, 'outputs': [],
              'execution_count': None} for i, source in enumerate(cells)]
    nb = {'cells': cells, 'metadata': {}, 'nbformat': 4, 'nbformat_minor': 5}
    (folder/'nbs'/'page.ipynb').write_text(json.dumps(nb), encoding='utf-8')
    return folder/'nbs'/'page.ipynb'


@pytest.fixture
def changed(tmp_path):
    "changed(cell, place, old, new): does the digest of `cell` change with a text in a module or another cell?"
    def digest(cell, modules, cells):
        return Page(write(tmp_path, modules, cells), Package(tmp_path/'toy')).digest(f'{cell:08}')
    def changed(cell, place, old, new):
        modules, cells = dict(MODULES), list(PAGE)
        part = modules if place in modules else cells
        assert old in part[place]
        before = digest(cell, modules, cells)
        part[place] = part[place].replace(old, new)
        return digest(cell, modules, cells) != before
    return changed


@pytest.mark.parametrize('cell, place, old, new', [
    (NET, 'base.py', 'LIMIT = 10', 'LIMIT = 11'),
    (NET, 'base.py', 'size: int = 1', 'size: int = 2'), # a base class
    (NET, 'far.py', "FACTORS['two'] = 2", "FACTORS['two'] = 3"), # changed in place, behind import *
    (NET, 'deep.py', 'n + 1', 'n + 2'), # imported inside a function, three modules away
    (NET, 'nets.py', 'return .5', 'return .6'), # @patch
    (NET, 'nets.py', 'range(4)', 'range(5)'),
    (NET, 2, 'n = 2', 'n = 3'),
    (NET, 4, '.1', '.2'), # changed in place, in another cell
    (NET, NET, '+= 1', '+= 2'),
    (NET, 5, 'seed + n', 'seed * n'),
    (NET, NET, 'range(2)', 'range(3)'),
    (HOME, 'deep.py', 'n + 1', 'n + 2'), # named in a table
    (RUN, 'nets.py', '2 * f', '3 * f'), # a decorator
    (RUN, 'nets.py', 'return 5', 'return 6'), # a default
    (RUN, 'nets.py', 'n < 0', 'n < 1'),
    (PROGRAM, 'base.py', 'LIMIT = 10', 'LIMIT = 11'), # a program in a text
    (PROGRAM, PROGRAM, 'print', 'repr')])
def test_a_digest_changes_with_what_the_cell_computes(changed, cell, place, old, new):
    assert changed(cell, place, old, new)


@pytest.mark.parametrize('cell, place, old, new', [
    (NET, 'base.py', 'is too large', 'is larger than allowed'), # words of an error
    (NET, 'base.py', 'Learn.', 'Learn from x.'),
    (NET, 'base.py', '# units', '# neurons'),
    (NET, 'base.py', 'x: int) -> int', 'x: float) -> float'),
    (NET, 'base.py', "'Base()'", "'a net'"),
    (NET, 'base.py', 'return 1', 'return 2'), # a function that nobody calls
    (NET, '__init__.py', "'1'", "'2'"),
    (NET, 0, 'a comment', 'another'),
    (NET, 1, 'n = 1', 'n = 9'), # bound anew before it is used
    (NET, 2, 'other = 3', 'other = 4'),
    (NET, 5, 'A run.', 'One run.'),
    (NET, 6, '2', '3'),
    (NET, RUN, 'run()', 'run(3)'), # what comes later
    (RUN, 'nets.py', "'negative'", "'n is negative'"),
    (RUN, 2, 'n = 2', 'n = 3')])
def test_a_digest_does_not_change_with_words_or_with_what_is_not_reached(changed, cell, place, old, new):
    assert not changed(cell, place, old, new)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    "toy(*cells) is a checkout whose notebook has these cells"
    monkeypatch.delenv('PEN_STROKES', raising=False)
    (tmp_path/'nbs'/'results').mkdir(parents=True)
    def toy(*cells):
        write(tmp_path, {}, cells)
        return House(tmp_path, 'toy')
    return toy


TO_FILE = """#| slow
from pathlib import Path
with open('runs.txt', 'a') as file: print('a run', file=file)
Path('results/rows.json').write_text(str(2 * 3))"""
ADDS_TO_FILE = """#| slow
with open('results/rows.json', 'a') as file: file.write('7')"""
STROKES = """#| slow
import os
len(open(os.environ['PEN_STROKES']).read())"""
FROM_FILE = "Path('results/rows.json').read_text()"
OUTPUT, SLOW, QUICK = '', '00000000', '00000001'


@pytest.mark.long
def test_what_is_out_of_date_is_run_and_noted(toy):
    house = toy(TO_FILE, 'from pathlib import Path', FROM_FILE)
    assert set(house.stale('page')) == {SLOW, OUTPUT}
    assert remake(house, ['page']) == []
    assert house.stale('page') == {}
    cells = json.loads((house.nbs/'page.ipynb').read_text(encoding='utf-8'))['cells']
    assert cells[2]['outputs'][0]['data']['text/plain'] == ["'6'"]
    noted = house.noted('page')['cells']
    assert noted[SLOW]['made'] == noted['00000002']['read'] == house.artefacts()
    assert noted[SLOW]['read'] == {} and '00000001' not in noted # neither reads a file
    assert house.ledger['machines'][noted[SLOW]['machine']]['cores'] == os.cpu_count()

    remake(house, ['page']) # nothing to do
    house = toy(TO_FILE, 'from pathlib import Path', FROM_FILE + ' # as it was written')
    assert house.stale('page') == {}
    house = toy(TO_FILE, 'from pathlib import Path', FROM_FILE + '[0]')
    assert set(house.stale('page')) == {OUTPUT}
    remake(house, ['page']) # the slow cell has no part in it
    assert (house.nbs/'runs.txt').read_text(encoding='utf-8').count('a run') == 1

    (house.nbs/'results'/'rows.json').write_text('7', encoding='utf-8')
    assert house.stale('page') == {SLOW: 'nbs/results/rows.json has changed',
                                   OUTPUT: 'nbs/results/rows.json has changed since the outputs were stored'}


@pytest.mark.long
def test_a_run_that_stops_goes_on_where_it_stopped(toy):
    house = toy(TO_FILE, '#| slow\n1 / 0', STROKES)
    assert remake(house, ['page']) == ['page']
    assert set(house.stale('page')) == {QUICK, '00000002', OUTPUT}
    house = toy(TO_FILE, ADDS_TO_FILE, STROKES)
    assert house.to_run('page') == [QUICK, OUTPUT]
    assert remake(house, ['page']) == []
    assert set(house.stale('page')) == {'00000002'} # it waits for PEN_STROKES
    assert (house.nbs/'runs.txt').read_text(encoding='utf-8').count('a run') == 1


def test_a_slow_cell_that_names_something_for_another_runs_with_it(toy):
    house = toy('#| slow\ndef f(): return 1', '#| slow\n2', '#| slow\nf()')
    cells = {f'{i:08}': {'digest': house.pages['page'].digest(f'{i:08}'), 'made': {}, 'read': {}} for i in range(2)}
    house.note('page', {'digest': None, 'cells': cells})
    assert house.to_run('page') == ['00000000', '00000002', OUTPUT]


@pytest.fixture(scope='module')
def house():
    return House()


def test_everything_stored_is_up_to_date(house):
    stale = [name for name in house.pages if house.stale(name)]
    assert not stale, f'Run `python docs/remake.py {" ".join(stale)}`.'
    assert not house.pictures_stale(), 'Run `python docs/remake.py`, where there is Chromium.'


def test_each_artefact_comes_from_one_notebook(house):
    made = {(file, name) for name in house.pages for c in house.noted(name)['cells'].values() for file in c['made']}
    assert sorted(file for file, name in made) == sorted(house.artefacts())
