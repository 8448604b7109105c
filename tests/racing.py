"""Deterministic race tests: run two operations in every schedule, and check each run.

A *scenario* is a small system with named operations, each of one call or several. Threads A and B
execute one operation each, and only one thread runs at a time. A *schedule* is a list of *time
slices*: which thread runs, and for how many lines of `inventory/`. For example, `A12 B3` means:

    A12    thread A executes 12 lines and is preempted
    B3     thread B executes 3 lines and is preempted
           thread A runs to its end, then thread B

The same schedule always produces the same run. `explore` runs all schedules that start with A and
have a given number of preemptions: for one preemption A1, A2, … until A ends within its slice, so B
runs in between at every line of A. One or two are usually enough: Musuvathi and Qadeer ("Iterative
Context Bounding for Systematic Testing of Multithreaded Programs", 2007) found that most bugs need
at most two.

A run is *linearizable* if its results and the final state equal those of a *serial order* of the
calls, such as A before B, that respects real time: a call that ended before another one began
comes first. Serial orders are executed without threads, so a test never states a correct result.
A `Page` of products is not a snapshot: each product on it may be explained by another order.

A thread that blocked on a real lock would never return control to the scheduler. Scenarios use
`CooperativeLock` instead: a thread that would block ends its time slice and is resumed when it can
proceed. If all threads are blocked, one of them gets a `DeadlockError`.

Not detected: a preemption within a line (`self.count += 1` without a lock), a bug that needs more
preemptions or a third thread, an error that a serial order has too, effects of weak memory. `PURE`
modules are not preempted: they share no mutable state, so their callers' lines suffice.
"""

from collections import Counter
from itertools import combinations, count, cycle, permutations
from queue import SimpleQueue

from tests.control import DeadlockError, attempt, controlled_threads
from tests.trace import render_trace


class NotLinearizableError(AssertionError):
    """No serial order that respects real time explains a run. The message is its trace."""

    def __init__(self, run):
        super().__init__(render_trace(run))
        self.run = run


class Page(list):
    """Products that were read one by one. Each product is judged separately."""


def explore(scenario, *pair, preemptions=1, real_time=True):
    """Run two operations in every schedule that starts with A, and return their number.

    `scenario()` returns an object with `operations` (lists of calls by name), `state()` (everything
    observable, by name) and `show` (renders a value as a string, a `Page` as strings by product).

    Raises:
        NotLinearizableError: no serial order that respects real time explains a run.
    """
    orders = serial_outcomes(scenario, pair)
    lengths, schedules = [1] * preemptions, 0
    with controlled_threads(2) as threads:
        while lengths:
            schedule = [*zip(cycle("AB"), lengths, strict=False)]
            run = Run(threads, scenario, pair, schedule, orders)
            if not run.explanations(real_time=real_time):
                raise NotLinearizableError(replay(scenario, pair, schedule))
            schedules += 1
            del lengths[run.used_up :]  # lengthening a slice that was not used up changes nothing
            if lengths:
                lengths[-1] += 1
                lengths += [1] * (preemptions - len(lengths))
    return schedules


def replay(scenario, pair, schedule):
    """Run two operations in one schedule, and record the steps."""
    with controlled_threads(2) as threads:
        return Run(threads, scenario, pair, schedule, serial_outcomes(scenario, pair), steps=[])


def run_round_robin(instance, names):
    """Run operations in time slices of one line; return the number of results of each type."""
    with controlled_threads(len(names)) as threads:
        slices = cycle((thread.name, 1) for thread in threads)
        Run(threads, lambda: instance, names, slices)
        return Counter(type(result) for thread in threads for result in thread.results)


def serial_outcomes(scenario, pair):
    """Return the outcome of each serial order of the calls of two operations, such as `ABA`."""
    lengths = [len(scenario().operations[name]) for name in pair]
    outcomes = {}
    for order in sorted({*permutations("A" * lengths[0] + "B" * lengths[1])}):
        instance, results = scenario(), {"A": [], "B": []}
        calls = {n: iter(instance.operations[o]) for n, o in zip("AB", pair, strict=True)}
        for name in order:
            results[name].append(attempt(next(calls[name])))
        outcomes["".join(order)] = _outcome(instance, results)
    return outcomes


def _outcome(instance, results):
    """Return all results and the final state, by name."""
    named = {
        f"result of {name}{number or ''}": result
        for name, own in results.items()
        for number, result in enumerate(own, len(own) > 1)
    }
    return {name: instance.show(value) for name, value in {**named, **instance.state()}.items()}


class Run:
    """One run of a schedule: resumes one thread at a time, until all have ended."""

    def __init__(self, threads, scenario, names, schedule, orders=(), steps=None):
        self.scenario, self.names, self.schedule, self.orders = scenario, names, schedule, orders
        self.instance, self.steps, self.clock = scenario(), steps, count()
        self.used_up = 0  # time slices, from the first on, that ended with a preemption
        self._threads, self._slices, self._started, self._latest = threads, iter(schedule), 0, ""
        self._over = SimpleQueue()
        operations = self.instance.operations
        for thread, name in zip(threads, names, strict=True):
            thread.prepare(self, operations[name])
        self._next().put("run")
        self._over.get(timeout=60)  # raises Empty if a thread loops, or blocks on a real lock
        self.outcome = _outcome(self.instance, {each.name: each.results for each in threads})
        self._spans = {thread.name: thread.spans for thread in threads}

    def preempt(self, thread):
        """End the time slice of a thread that has executed all of its lines."""
        self.used_up += self.used_up == self._started - 1
        self.suspend(thread, "is preempted")

    def suspend(self, thread, why, can_proceed=lambda: True):
        """Block until this thread is resumed; raise `DeadlockError` if no thread can proceed."""
        thread.why, thread.can_proceed = why, can_proceed
        self._next().put("run")
        thread.resumed.get()  # access nothing before this line returns: another thread is running
        if not can_proceed():
            blocked = (f"{each.name} {each.why}" for each in self._threads if not each.has_ended)
            raise DeadlockError("; ".join(blocked))

    def end(self, thread):
        thread.has_ended = True
        self._next().put("run")

    def _next(self):
        """Return the queue that resumes the next thread, or that ends the run."""
        remaining = {each.name: each for each in self._threads if not each.has_ended}
        able = {name: each for name, each in remaining.items() if each.can_proceed()}
        if not remaining:
            return self._over
        able = able or dict([*remaining.items()][:1])  # a deadlock
        for time_slice in self._slices:
            self._started += 1
            if time_slice[0] in able:
                break
        else:  # after the last time slice, each thread runs to its end
            time_slice = min(able, key=lambda name: (name <= self._latest, name)), -1
        self._latest, able[time_slice[0]].lines_left = time_slice
        return able[self._latest].resumed

    def explanations(self, *, real_time=True):
        """Return the serial orders that explain this run. Each product of a page needs one."""
        allowed = [o for o in self.orders if not real_time or self._respects_real_time(o)]
        found = {order for order in allowed if self.orders[order] == self.outcome}
        if found:
            return found
        values = [v for seen in (self.outcome, *self.orders.values()) for v in seen.values()]
        for product in {each for page in values if isinstance(page, dict) for each in page}:
            mine = _of_product(product, self.outcome)
            explaining = {o for o in allowed if _of_product(product, self.orders[o]) == mine}
            if not explaining:
                return explaining
            found |= explaining
        return found

    def _respects_real_time(self, order):
        """Return whether no call of this order began after a later one had ended."""
        remaining = {name: iter(spans) for name, spans in self._spans.items()}
        spans = [next(remaining[name]) for name in order]
        return all(began < ended for (began, _), (_, ended) in combinations(spans, 2))


def _of_product(product, outcome):
    """Return an outcome with pages reduced to one product."""
    return {n: v.get(product) if isinstance(v, dict) else v for n, v in outcome.items()}
