"""Makes races happen: under the GIL a missing lock almost never shows by itself."""

import math
import threading
from contextlib import nullcontext
from itertools import count
from operator import itemgetter
from pathlib import Path
from random import Random

import inventory
from inventory.errors import InventoryError
from inventory.repository import InMemoryProductRepository

TIME_LIMIT = 20
"""Seconds that a thread waits for its turn until it is taken to be deadlocked."""

CHANGE_OF_RANK = 0.05
"""How likely a thread gets another rank at a line."""

_PACKAGE = Path(inventory.__file__).parent
_TRACED = {
    str(_PACKAGE / name)
    for name in ("service.py", "repository.py", "models.py", "api/idempotency.py", "events.py")
}


def race(*calls, seed=None, switch=None, time_limit=TIME_LIMIT):
    """Run the calls at once, a thread each; return what each returned or was refused with.

    The threads take turns, a line of the traced files at a time. Without a seed each waits for
    all the others, so that all reach a line before any reaches the next. With one, each has a
    rank, the highest that can go on does so, and now and then a thread gets another rank: so
    that one stands still at some line while others pass by. The same seed gives the same ranks.
    With `switch`, the first stands still after so many lines, until the others are done or need
    what it holds.
    """
    turns = _Turns(seed, switch, time_limit)
    results = [None] * len(calls)
    defects = []

    def run(index, call, turn):
        try:
            turns.begin(index, turn)
            results[index] = call()
        except InventoryError as refusal:
            results[index] = refusal
        except BaseException as defect:  # noqa: BLE001 - raised again below
            defects.append(defect)
        finally:
            turns.pass_on()

    before = threading.gettrace()
    threading.settrace(_giving_way(turns))
    try:
        threads = [
            threading.Thread(target=run, args=(index, call, turns.queue()), daemon=True)
            for index, call in enumerate(calls)
        ]
        for thread in threads:
            thread.start()
    finally:
        threading.settrace(before)
    turns.pass_on()
    for thread in threads:
        thread.join(time_limit)
    if any(thread.is_alive() for thread in threads):
        raise DeadlockError
    if defects:
        raise defects[0]
    return results


def _giving_way(turns):
    def trace(frame, event, _argument):
        if frame.f_code.co_filename not in _TRACED:
            return None
        if event != "call":
            turns.give_way()
        return trace

    return trace


class DeadlockError(AssertionError):
    """A thread has waited for longer than it can take for the others to give way."""


class WithoutProductLocks(InMemoryProductRepository):
    """A repository in which changes of a product do not wait for each other."""

    def insert(self, row, product):
        row.lock = nullcontext()
        super().insert(row, product)


class PatientLock:
    """A lock whose waiters leave the turn to others in a race, until it is released."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = []

    def __enter__(self):
        while not self._lock.acquire(blocking=False):
            _Turns.present.give_way(self._waiting)

    def __exit__(self, *_):
        self._lock.release()
        if self._waiting:
            _Turns.present.take_back(self._waiting)


class PatientCondition(PatientLock):
    """A condition whose waiters leave the turn to others in a race, until they are notified."""

    def __init__(self):
        super().__init__()
        self._unnotified = []

    def wait_for(self, predicate):
        while not predicate():
            self.__exit__()
            _Turns.present.give_way(self._unnotified)
            self.__enter__()

    def notify_all(self):
        if self._unnotified:
            _Turns.present.take_back(self._unnotified)


class _Turns:
    """One thread at a time has the turn; the others wait for theirs, each at a lock of its own."""

    present = None

    def __init__(self, seed, switch, time_limit):
        self._random = None if seed is None else Random(seed)
        self._switch = switch
        self.first = None
        self._ranks = {}
        self._places = count()
        self._time_limit = time_limit
        self._waiting = []
        self._guard = threading.Lock()
        _Turns.present = self

    def queue(self, waiting=None):
        turn = threading.Lock()
        turn.acquire()
        with self._guard:
            (self._waiting if waiting is None else waiting).append((self._rank(), turn))
        return turn

    def _rank(self):
        if self._switch is not None and self.first == threading.get_ident():
            self._switch -= 1
            return -1 if self._switch > 0 else math.inf
        if self._random is None:
            return next(self._places)
        thread = threading.get_ident()
        if thread not in self._ranks or self._random.random() < CHANGE_OF_RANK:
            self._ranks[thread] = self._random.random()
        return self._ranks[thread]

    def begin(self, index, turn):
        self.wait(turn)
        if index == 0:
            self.first = threading.get_ident()

    def wait(self, turn):
        if not turn.acquire(timeout=self._time_limit):
            raise DeadlockError

    def pass_on(self):
        with self._guard:
            if self._waiting:
                first = min(self._waiting, key=itemgetter(0))
                self._waiting.remove(first)
                first[1].release()

    def give_way(self, waiting=None):
        turn = self.queue(waiting)
        self.pass_on()
        self.wait(turn)

    def take_back(self, waiting):
        with self._guard:
            self._waiting += waiting
            waiting.clear()
