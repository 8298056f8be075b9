"Who is here, and who trains what: two trainings at once, and nothing kept for visitors who are gone."
import gc
import logging
import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

MOST = 2 # trainings at once, over all visitors: each keeps a core busy
MOST_RUNS = 20 # that a bench remembers
PATIENCE = float(os.environ.get('MNIST_STEPS_PATIENCE', 60)) # s without a connection: then a visitor is gone


@dataclass
class Run:
    "One training, with its settings."
    rung: str
    params: dict
    training: object # a `Training`
    stopped: bool = False # by its visitor
    score: tuple = None # on the test digits: accuracy, and the two ends of its interval


@dataclass
class Bench:
    "What one visitor trains, and has trained. Its name stands in the address of the page, and nobody can guess it."
    name: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    runs: list = field(default_factory=list) # the latest ones, in their order

    @property
    def run(self): return self.runs[-1] if self.runs else None

    @property
    def running(self): return bool(self.runs) and self.run.training.running


@dataclass
class Visitor:
    "A connection of a browser. A page that is loaded again is another one."
    seen: float # when it was last connected
    leave: object # called without arguments when the visitor is gone
    bench: str = None # the bench that it uses


class Workshop:
    "The benches, and who uses which."
    def __init__(self,
        is_here, # function of a visitor: connected?
        most=MOST, # trainings at once
        patience=PATIENCE, # s that a visitor may be away
    ):
        self.is_here = is_here
        self.most = most
        self.patience = patience
        self.lock = threading.RLock() # held while a training starts, and while somebody is sent away
        self.visitors = {}
        self.benches = {}

    def enter(self, visitor, leave=lambda: None):
        "Somebody is here. `visitor` is any key; `leave` is called once when the visitor has been away for too long."
        with self.lock: self.visitors.setdefault(visitor, Visitor(time.monotonic(), leave)).seen = time.monotonic()

    def bench(self, visitor, name=None):
        "The bench of that name, if there is one; otherwise the one that the visitor uses already, or a new one."
        with self.lock:
            guest = self.visitors[visitor]
            bench = self.benches.get(name) or self.benches.get(guest.bench) or Bench()
            self.benches[bench.name] = bench
            guest.bench = bench.name
            return bench

    def is_full(self, bench):
        "Would a training have to wait? The bench's own never stands in its way."
        from mnist_steps.background import running
        return running() - bench.running >= self.most

    def start(self, bench, rung, **params):
        "Start a training in place of the bench's last one. False if others need all the places."
        from mnist_steps.background import Training
        with self.lock:
            if self.is_full(bench): return False
            self.stop(bench)
            bench.runs.append(Run(rung, params, Training(rung, **params)))
            del bench.runs[:-MOST_RUNS]
            return True

    def stop(self, bench):
        "End what the bench trains; the model of the last whole epoch stays."
        with self.lock:
            if not bench.runs: return
            bench.run.stopped = bench.run.stopped or bench.running
            bench.run.training.close()

    def tidy(self):
        "Give back what nobody needs: files of trainings that have ended, and all that visitors leave who are gone."
        now = time.monotonic()
        with self.lock:
            for guest in [guest for key, guest in self.visitors.items() if self.is_here(key)]: guest.seen = now
            gone = [key for key, guest in self.visitors.items() if now - guest.seen >= self.patience]
            leaving = [self.visitors.pop(key) for key in gone]
            used = {guest.bench for guest in self.visitors.values()}
            left = [self.benches.pop(name) for name in set(self.benches) - used]
            idle = [bench for bench in self.benches.values() if not bench.running]
            for bench in left + idle: self.stop(bench)
        for guest in leaving: guest.leave()
        if leaving: gc.collect()


def is_connected(session):
    "Does this session of Streamlit have a browser at the other end?"
    return not runtime.exists() or runtime.get_instance().is_active_session(session)


def keep_tidy(workshop):
    "Look around again and again."
    while True:
        time.sleep(min(5, workshop.patience / 4))
        try: workshop.tidy()
        except Exception: logging.exception('The workshop could not be tidied; the next round tries again.')


@st.cache_resource(show_spinner=False)
def workshop():
    "The one workshop of this server, and a thread that tidies it."
    made = Workshop(is_connected)
    threading.Thread(target=keep_tidy, args=(made,), name='tidies up', daemon=True).start()
    return made


def arrive():
    "Note that somebody is here: every page calls this. Returns the key of the visitor."
    context = get_script_run_ctx()
    uploads, state, session = context.uploaded_file_mgr, context.session_state, context.session_id
    def leave(): # uploads lie in the server's memory, and again in what the session keeps by the keys of its widgets
        uploads.remove_session_files(session)
        for key in list(state.filtered_state):
            with suppress(KeyError): del state[key] # a script that still runs may have been faster
    workshop().enter(session, leave)
    return session


def my_bench():
    "The bench of this visitor. The address of the page keeps its name, so that it is found after a reload, too."
    bench = workshop().bench(arrive(), st.query_params.get('bench') or st.session_state.get('bench'))
    st.session_state.bench = st.query_params['bench'] = bench.name
    return bench
