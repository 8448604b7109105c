"""Threads and locks that a `Run` of `racing.py` controls: one thread executes, the others wait."""

import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from string import ascii_uppercase

import inventory
from tests.trace import Step

PACKAGE = str(Path(inventory.__file__).parent)
PURE = ("models.py", "lots.py", "errors.py")


class DeadlockError(Exception):
    """Every thread is blocked. Raised in one of them, so that the run ends."""


def attempt(call):
    """Return the result of a call, or the exception that it raised."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - an unexpected one is in no serial outcome
        return error.with_traceback(None)


class ControlledThread(threading.Thread):
    """A traced thread that runs when it is resumed. Reused: starting one is slow."""

    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.resumed = SimpleQueue()
        self.start()

    def prepare(self, run, calls):
        self.current, self.calls, self.results, self.spans = run, calls, [], []
        self.lines_left, self.depth, self.has_ended, self.can_proceed = 0, 0, False, lambda: True

    def run(self):
        sys.settrace(self._on_call)  # affects only the thread that calls it
        while self.resumed.get():
            for call in self.calls:
                # A call begins with its first line. Without preemptions to come, it begins here.
                self.began = next(self.current.clock) if self.lines_left < 0 else -1
                self.results.append(attempt(call))
                self.spans.append((self.began, next(self.current.clock)))
                self.log("returns")
            self.current.end(self)

    def log(self, what, detail=None):
        if self.current.steps is not None:
            self.current.steps.append(Step(self.name, self.depth, what, detail))

    def _on_call(self, frame, event, argument):
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE):
            return None
        if self.lines_left < 0 and self.current.steps is None:
            return None  # faster: no preemption and no record to come
        pure = code.co_filename.endswith(PURE)
        if not (pure and frame.f_back.f_code.co_filename.endswith(PURE)):
            self.log(code, code.co_name == "commit" and frame.f_locals["versions"])
        self.depth += not pure
        return None if pure else self._on_line

    def _on_line(self, frame, event, argument):
        if event == "line":
            if not self.lines_left:
                self.log("is preempted", (frame.f_code.co_filename, frame.f_lineno))
                self.current.preempt(self)
            self.lines_left -= 1
            if self.began < 0:
                self.began = next(self.current.clock)
        self.depth -= event == "return"
        return self._on_line


@contextmanager
def controlled_threads(number):
    threads = [ControlledThread(name) for name in ascii_uppercase[:number]]
    try:
        yield threads
    finally:
        for thread in threads:
            thread.resumed.put(None)


class CooperativeLock:
    """A lock and condition that returns control to the scheduler instead of blocking."""

    def __init__(self, name, lock=None):
        self.name, self._lock, self._holder = name, lock or threading.Lock(), "its creator"
        self._notifications = 0

    def __enter__(self):
        while not self._lock.acquire(blocking=False):
            why = f"blocks on {self.name}, held by {self._holder}"
            self._suspend(why, lambda: not self._lock.locked())
        self._holder = threading.current_thread().name
        self._log(f"acquires {self.name}")

    def __exit__(self, *_):
        self._lock.release()
        self._log(f"releases {self.name}")

    def wait_for(self, predicate, timeout=None):
        while not predicate():
            seen, why = self._notifications, f"waits for a notification of {self.name}"
            self.__exit__()
            try:
                self._suspend(why, lambda: self._notifications > seen)
            finally:
                self.__enter__()

    def notify_all(self):
        self._notifications += 1

    def _log(self, what):
        if isinstance(thread := threading.current_thread(), ControlledThread):
            thread.log(what)

    def _suspend(self, why, can_proceed):
        if not isinstance(thread := threading.current_thread(), ControlledThread):
            raise DeadlockError(why)  # in a serial order no other thread can change this
        thread.log(why)
        thread.current.suspend(thread, why, can_proceed)
