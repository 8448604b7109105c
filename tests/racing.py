"""Races without luck: schedules of two operations are enumerated, and judged by serial orders.

A *schedule* is a row of turns. In `A6 B19` thread A runs 6 lines, then B runs 19, and then each in
turn runs to its end. A turn ends when its lines are used up, its thread ends, or it must wait. Only
one thread runs at a time, so the same schedule is the same run, whenever and wherever it is run.

`explore` runs all schedules with so many switches, one or two. A's turn gets a line more in each
run until A has none left, so that B comes in between at every line of A, and `A10` is the tenth
run. With two switches B's turn grows likewise for each length of A's. No test says how many lines
there are.

Of each run one thing is asked: *could this have happened without threads?* What both were told and
all that can be seen afterwards must be what a serial order leads to, A before B or B before A.
Those are simply run, so that no test has to say what is right. Between two steps of an operation
that has several the other may come; a `Page` of products is judged product by product.

A run that no serial order explains is shown line by line; see `page`. Nobody can wait in the middle
of a run for a lock that knows of no turns, so the world of a race has a `WatchedLock` in its place.

What this cannot see: a switch within a line (`self._lost += 1` without its lock); what takes more
switches than were tried; what is wrong in every serial order too; what happens in files that are
not `TRACED`. Those are left to real threads, to the other tests and to reviews.
"""

import linecache
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from itertools import cycle, permutations
from pathlib import Path
from queue import SimpleQueue
from string import ascii_uppercase

import inventory

TRACED = {str(path) for path in Path(inventory.__file__).parent.rglob("*.py")}
WIDTH = 64  # characters in a column of a page


class DeadlockError(Exception):
    """All threads wait. It is raised in one of them, so that all come to their ends."""


class NotSerialError(AssertionError):
    """A run had an outcome that no serial order has. The message is its page."""


class Page(list):
    """Products that were looked at one after the other, and not in one instant."""


def explore(world, *pair, switches=1):
    """Run two operations in every schedule with so many switches, and judge each run.

    `world()` is a new world, with `operations`, the steps of each by its name; `show`, which makes
    an answer comparable; and `state`, all that can be seen, by name. Raises `NotSerialError`.
    """
    orders = _serial_outcomes(world, *pair)
    lengths = [1] * switches
    with _racers(2) as racers:
        while lengths:
            schedule = [*zip(cycle("AB"), lengths, strict=False)]
            race, outcome = _run(world, pair, schedule, racers)
            if outcome not in orders.values() and not _explanations(outcome, orders):
                raise NotSerialError(page(world, *pair, schedule))
            del lengths[race.used_up :]  # a turn that ended of itself is the same with more lines
            if lengths:
                lengths[-1] += 1
                lengths += [1] * (switches - len(lengths))
    assert len({racer for racer, _, number in race.log if number}) == 2, "an operation has no line"


def in_lock_step(world, names):
    """Run many operations at once, in turns of one line; return how many answers of which kind."""
    with _racers(len(names)) as racers:
        calls = [world.operations[name][0] for name in names]
        Race(racers, calls, cycle((name, 1) for name in racers)).run()
        return Counter(type(racer.answer) for racer in racers.values())


def attempt(call, *arguments):
    """Return what the call returns, or what it raises."""
    try:
        return call(*arguments)
    except Exception as refusal:  # noqa: BLE001 - or a defect, which no serial order explains
        return refusal


def _run(world, pair, schedule, racers):
    new = world()
    calls = [lambda steps=new.operations[name]: [*map(attempt, steps)] for name in pair]
    race = Race(racers, calls, schedule)
    race.run()
    return race, _outcome(new, *(racer.answer for racer in racers.values()))


def _serial_outcomes(world, first, second):
    """Return the outcome of each order of whole steps, by its name."""
    a, b = (len(world().operations[name]) for name in (first, second))
    outcomes = {}
    for order in sorted({*permutations("A" * a + "B" * b)}):
        new, answers = world(), {"A": [], "B": []}
        steps = {"A": iter(new.operations[first]), "B": iter(new.operations[second])}
        for name in order:
            answers[name].append(attempt(next(steps[name])))
        outcomes[", then ".join(order)] = _outcome(new, *answers.values())
    return outcomes


def _outcome(world, *answers):
    """Return by name, as the world shows it, what both are told and all that can be seen then."""
    told = {
        f"{name} is told" + f" ({place})" * (len(given) > 1): world.show(answer)
        for name, given in zip("AB", answers, strict=True)
        for place, answer in enumerate(given, 1)
    }
    return told | {name: world.show(seen) for name, seen in world.state().items()}


def _explanations(outcome, orders):
    """Return the serial orders that have this outcome; as to each product, where pages are seen."""

    def as_to(product, seen):  # a page is shown as a dict
        return {n: v.get(product) if isinstance(v, dict) else v for n, v in seen.items()}

    shown = [value for seen in (outcome, *orders.values()) for value in seen.values()]
    products = {product for value in shown if isinstance(value, dict) for product in value}
    found = [
        {name for name, order in orders.items() if as_to(each, order) == as_to(each, outcome)}
        for each in products or {None}
    ]
    return set().union(*found) if all(found) else set()


class Racer(threading.Thread):
    """A thread of many races: to trace a new one takes as long as to race."""

    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.turn = SimpleQueue()  # faster than a lock, and a hundred times so without the GIL
        self.start()

    def run(self):
        def on_line(frame, event, _):
            if event == "line":
                if not self.lines_left:
                    self.race.cut(self)
                self.lines_left -= 1
                self.race.log.append((self, frame.f_code.co_filename, frame.f_lineno))
            return on_line

        # The thread's own first act: set from outside it may come too late.
        sys.settrace(lambda frame, *_: on_line if frame.f_code.co_filename in TRACED else None)
        while self.turn.get():
            self.answer = attempt(self.call)
            self.race.end(self)


class Race:
    """One run of a schedule: calls, a thread each, of which one at a time has the turn."""

    def __init__(self, racers, calls, schedule):
        self.log = []  # who ran which line, and who gave up the turn for what reason
        self.used_up = 0  # how many turns, from the first on, ended because their lines did
        self._racers, self._over = racers.values(), SimpleQueue()
        self._schedule, self._begun, self._latest = iter(schedule), 0, ""
        for racer, call in zip(self._racers, calls, strict=True):
            racer.race, racer.call, racer.lines_left = self, call, 0
            racer.has_ended, racer.may_go_on, racer.deadlock = False, lambda: True, None

    def run(self):
        self._next().turn.put("go on")
        self._over.get(timeout=60)  # or a thread loops, or waits for what is not watched

    def cut(self, racer):
        self.used_up += self.used_up == self._begun - 1
        self.switch(racer, "gives way, as the schedule says")

    def switch(self, racer, why, may_go_on=lambda: True):
        """Give the turn to the next, and return when it has come back and the thread may go on."""
        self.log.append((racer, why, None))
        racer.why, racer.may_go_on = why, may_go_on
        following = self._next()
        if following is not racer:
            following.turn.put("go on")
            racer.turn.get()  # and nothing is looked at in between: the next one runs already
        if racer.deadlock:
            deadlock, racer.deadlock = racer.deadlock, None
            raise DeadlockError(deadlock)

    def end(self, racer):
        self.log.append((racer, "ends", None))
        racer.has_ended = True
        over = all(each.has_ended for each in self._racers)
        (self._over if over else self._next().turn).put("go on")

    def _next(self):
        left = [racer for racer in self._racers if not racer.has_ended]
        able = {racer.name: racer for racer in left if racer.may_go_on()}
        if not able:
            left[0].deadlock = "; ".join(f"{racer.name} {racer.why}" for racer in left)
            able = {left[0].name: left[0]}
        for turn in self._schedule:
            self._begun += 1
            if turn[0] in able:
                break
        else:  # each in turn to its end
            turn = min(able, key=lambda name: (name <= self._latest, name)), -1
        self._latest, able[turn[0]].lines_left = turn
        return able[self._latest]


@contextmanager
def _racers(number):
    racers = {name: Racer(name) for name in ascii_uppercase[:number]}
    try:
        yield racers
    finally:
        for racer in racers.values():
            racer.turn.put(None)


class WatchedLock:
    """A lock whose waiters leave the turn to the other threads of a race."""

    def __init__(self, name, lock=None):
        self._name, self._lock = name, lock or threading.Lock()
        self._holder = threading.current_thread().name  # of a lock that was taken before

    def __enter__(self):
        me = threading.current_thread()
        while not self._lock.acquire(blocking=False):
            why = f"waits for {self._name}, which {self._holder} holds"
            me.race.switch(me, why, lambda: not self._lock.locked())
        self._holder = me.name

    def __exit__(self, *_):
        self._lock.release()


class WatchedCondition(WatchedLock):
    """A condition whose waiters leave the turn to the other threads of a race."""

    _notices = 0

    def wait_for(self, predicate):
        me = threading.current_thread()
        while not predicate():
            self.__exit__()
            old, why = self._notices, f"waits for a notice of {self._name}"
            me.race.switch(me, why, lambda: self._notices > old)
            self.__enter__()

    def notify_all(self):
        self._notices += 1


def page(world, first, second, schedule):
    """Run one schedule and return a page: the lines of both, the outcome, the serial orders."""
    orders = _serial_outcomes(world, first, second)
    with _racers(2) as racers:
        race, outcome = _run(world, (first, second), schedule, racers)
    row = " ".join(f"{name}{lines}" for name, lines in schedule)
    lines = [f"{world.__name__}, schedule {row}", "", f"{f'A: {first}':{WIDTH}}| B: {second}"]
    for racer, what, number in race.log:
        source = number and linecache.getline(what, number).strip()
        text = (f"{Path(what).stem}:{number} {source}" if number else f"--- {what}")[: WIDTH - 1]
        lines.append(f"{text:{WIDTH}}|" if racer.name == "A" else f"{'':{WIDTH}}| {text}")
    differing = [n for n in outcome if any(o.get(n) != outcome[n] for o in orders.values())]
    for order, seen in {"This run": outcome, **orders}.items():
        lines += ["", f"{order}:", *(f"    {name}: {seen.get(name)}" for name in differing)]
    found = " or ".join(sorted(_explanations(outcome, orders)))
    lines += ["", f"This run is as good as {found}." if found else "No serial order is like this."]
    again = f".venv/bin/python -m tests.show_race {world.__name__} {first} {second} {row}"
    lines += [f"To see it again: {again}"]
    return "\n".join(lines)
