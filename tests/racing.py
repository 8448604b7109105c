"""Makes races happen: under the GIL a missing lock almost never shows by itself."""

import threading
import time
from collections import deque
from pathlib import Path

from inventory import service
from inventory.errors import InventoryError

TIME_LIMIT = 20
"""Seconds after which threads that still run are taken to be deadlocked."""

_PACKAGE = Path(service.__file__).parent
_TRACED = {str(_PACKAGE / name) for name in ("service.py", "repository.py", "models.py")}


def race(*calls, time_limit=TIME_LIMIT):
    """Run the calls at once, a thread each; return what each returned or was refused with.

    The threads take turns, a line of the service, repository or models at a time, so that
    between any look at a value and the change that relies on it every other thread gets a line.
    """
    turns = _Turns()
    results = [None] * len(calls)
    defects = []

    def run(index, call, turn):
        turns.wait(turn)
        try:
            results[index] = call()
        except InventoryError as refusal:
            results[index] = refusal
        except BaseException as defect:  # noqa: BLE001 - raised again below
            defects.append(defect)
        finally:
            turns.pass_on()

    def trace(frame, _event, _argument):
        if frame.f_code.co_filename not in _TRACED:
            return None
        turns.give_way()
        return trace

    before = threading.gettrace()
    threading.settrace(trace)
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
    deadline = time.monotonic() + time_limit
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "deadlock"
    assert not defects, defects
    return results


class _Turns:
    """One thread at a time has the turn, and the one that has waited longest gets it next.

    Whoever has the turn may have to wait for a lock that another thread holds. Nobody passes the
    turn on then, so that a thread that has waited for `STALL` seconds goes on without it.
    """

    STALL = 0.02

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = deque()

    def queue(self):
        turn = threading.Event()
        with self._lock:
            self._waiting.append(turn)
        return turn

    def wait(self, turn):
        if not turn.wait(self.STALL):
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)

    def pass_on(self):
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()

    def give_way(self):
        turn = self.queue()
        self.pass_on()
        self.wait(turn)
