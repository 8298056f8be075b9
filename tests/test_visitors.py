"The workshop that all visitors of the app share: two trainings at once, and nothing kept for those who are gone."
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip('streamlit')
from mnist_steps.background import running  # noqa: E402

DEMO = Path(__file__).resolve().parents[1]/'demo'
ENDLESS = 100_000 # epochs


class House:
    "A workshop, and the visitors who are connected to it"
    def __init__(self, visitors, digits_dir, **options):
        self.here = set()
        self.workshop = visitors.Workshop(self.here.__contains__, **options)
        self.data = str(digits_dir)

    def come(self, visitor, name=None, leave=lambda: None):
        self.here.add(visitor)
        self.workshop.enter(visitor, leave)
        return self.workshop.bench(visitor, name)

    def train(self, bench, epochs=ENDLESS):
        return self.workshop.start(bench, 'numpy', data=self.data, epochs=epochs)

    def is_tidy(self):
        "Tidy up; is nothing left?"
        self.workshop.tidy()
        return not self.workshop.benches and not self.workshop.visitors


@pytest.fixture
def house(digits_dir, monkeypatch):
    "house(patience=..., most=...) makes one; in the end everybody has left it"
    monkeypatch.syspath_prepend(DEMO)
    import visitors
    made = []
    def make(**options):
        made.append(House(visitors, digits_dir, **options))
        return made[-1]
    yield make
    for house in made:
        for bench in house.workshop.benches.values(): house.workshop.stop(bench)
    sys.modules.pop('visitors')
    assert running() == 0


def test_six_starts_at_once_give_two_trainings(house):
    house = house()
    benches = [house.come(visitor) for visitor in range(6)]
    together = threading.Barrier(6)
    def start(bench):
        together.wait()
        return house.train(bench)
    with ThreadPoolExecutor(6) as pool: started = list(pool.map(start, benches))
    assert sum(started) == running() == 2
    assert [bool(bench.runs) for bench in benches] == started


def test_a_vanished_visitor_gives_everything_back(house, until):
    house = house(patience=.1, most=1)
    left = []
    gone = house.come('gone', leave=lambda: left.append('gone'))
    stays = house.come('stays', leave=lambda: left.append('stays'))
    assert house.train(gone) and not house.train(stays)
    folder = gone.run.training.folder
    assert folder.exists()
    house.here.remove('gone')
    def is_back():
        house.workshop.tidy()
        return left
    until(is_back)
    assert left == ['gone'] and not folder.exists() and not house.workshop.is_full(stays)
    assert list(house.workshop.benches.values()) == [stays]
    assert house.train(stays)
    house.here.clear()
    until(house.is_tidy)
    assert left == ['gone', 'stays'] and running() == 0


def test_nobody_is_sent_away_too_early(house):
    house = house(patience=1e9)
    bench = house.come('slow')
    house.train(bench)
    house.here.clear()
    house.workshop.tidy()
    assert bench.running and house.workshop.visitors


def test_a_page_that_is_loaded_again_finds_its_training(house, until):
    house = house(patience=.1)
    bench = house.come('before')
    house.train(bench)
    house.here.remove('before')
    assert house.come('after', bench.name) is bench
    def has_left():
        house.workshop.tidy()
        return 'before' not in house.workshop.visitors
    until(has_left)
    assert bench.running and house.workshop.benches == {bench.name: bench}
    assert house.come('after') is bench # another page, whose address has no name


def test_the_own_training_is_in_nobodys_way(house):
    house = house(most=1)
    mine, yours = house.come('me'), house.come('you')
    assert house.train(mine) and house.train(mine) and running() == 1
    assert [run.stopped for run in mine.runs] == [True, False]
    assert house.workshop.is_full(yours) and not house.workshop.is_full(mine)
    house.workshop.stop(mine)
    assert not house.workshop.is_full(yours)


def test_a_training_that_has_ended_keeps_its_model_and_no_folder(house):
    house = house()
    bench = house.come('me')
    house.train(bench, epochs=1)
    assert bench.run.training.wait(60)
    house.workshop.tidy()
    assert bench.run.training.model is not None and not bench.run.training.folder.exists() and not bench.run.stopped


def test_a_bench_remembers_its_latest_runs(house):
    house = house()
    bench = house.come('me')
    for seed in range(23): house.workshop.start(bench, 'numpy', seed=seed, data=house.data, epochs=ENDLESS)
    assert [run.params['seed'] for run in bench.runs] == list(range(3, 23)) and running() == 1


def test_settings_that_make_no_sense_take_no_place(house):
    house = house(most=1)
    bench = house.come('me')
    with pytest.raises(ValueError, match='epochs=0'): house.train(bench, epochs=0)
    assert not bench.runs and not house.workshop.is_full(house.come('you'))


def test_names_cannot_be_guessed_or_chosen(house):
    house = house()
    names = {house.come(visitor, 'my-own-choice').name for visitor in range(100)}
    assert len(names) == 100 and 'my-own-choice' not in names and min(map(len, names)) >= 20
