"""Rendering of a run: one column per thread, then a table of all results and state that differ."""

from linecache import getline
from pathlib import Path
from textwrap import shorten, wrap
from typing import NamedTuple

WIDTH, COLUMN, LABEL = 100, 49, 22  # characters
MAX_STEPS, MAX_ROWS, MAX_ORDERS = 26, 12, 3  # limits of a trace
COLOURS = {"A": "\x1b[36m{}\x1b[0m", "B": "\x1b[33m{}\x1b[0m"}


class Step(NamedTuple):
    """A function call (`what` is its code), or a lock operation, preemption or return (a text)."""

    thread: str
    depth: int
    what: object
    detail: object


def render_trace(run, *, colour=False):
    """Return the steps of both threads, the outcome, and the command that repeats the run."""
    slices = " ".join(f"{thread}{lines}" for thread, lines in run.schedule)
    arguments = f"{run.scenario.__name__} {' '.join(run.names)} {slices}"
    first, second = run.names
    return "\n".join(
        [
            f"Scenario {run.scenario.__name__}, schedule {slices} (thread and number of lines)",
            "",
            f"{f'A: {first}':{COLUMN}}| B: {second}",
            f"{'-' * COLUMN}+{'-' * (WIDTH - COLUMN - 1)}",
            *(COLOURS[thread].format(row) if colour else row for thread, row in _rows(run)),
            "",
            *_table(run),
            "",
            _verdict(run),
            "To repeat this run:",
            f".venv/bin/python -m tests.show_race {arguments}",
        ]
    )


def _rows(run):
    """Yield the thread and the text of each row, without the deepest calls if there are many."""
    steps = [s for s in run.steps if isinstance(s.what, str) or not s.what.co_name.startswith("<")]
    shown, depth = steps, max(step.depth for step in steps)
    while len(shown) > MAX_STEPS and depth:
        depth -= 1
        shown = [s for s in steps if s.depth <= depth or s.detail or isinstance(s.what, str)]
    for thread, level, what, detail in shown:
        if what == "is preempted":
            file, line = detail
            place = f"{thread} is preempted at {Path(file).name}:{line}: "
            yield thread, shorten(f"---- {place}{getline(file, line)}", WIDTH, placeholder=" …")
            continue
        text = what if isinstance(what, str) else _name(what)
        text = f"{'  ' * level}{text}{f': {run.instance.show(detail)}' if detail else ''}"
        text = text if len(text) < COLUMN else f"{text[: COLUMN - 2]}…"
        yield thread, f"{text:{COLUMN}}|" if thread == "A" else f"{'':{COLUMN}}| {text}"
    if len(shown) < len(steps):
        left_out = len(steps) - len(shown)
        yield "A", f"Left out: the {left_out} most deeply nested calls."


def _name(code):
    name = code.co_qualname.replace("InventoryService.", "service.")
    return name.replace("InMemoryProductRepository.", "repository.")


def _table(run):
    """Yield each value that differs, marked in the columns of the run and of the serial orders."""
    ranked = sorted(run.orders, key=lambda order: len(_differing(run, order)))[:MAX_ORDERS]
    columns = {"run": run.outcome} | {" ".join(order): run.orders[order] for order in ranked}
    mark = 2 + max(map(len, columns))
    width = WIDTH - LABEL - mark * len(columns)
    titles = "".join(f"{title:>{mark}}" for title in columns)
    yield f"{'Results and state that differ (x: has this value)':{LABEL + width}}{titles}"
    rows = []
    names = {name for order in ranked for name in _differing(run, order)}
    for name in sorted(names, key=lambda name: ("result" not in name, name)):
        titles = {}
        for title, outcome in columns.items():
            titles.setdefault(_text(outcome.get(name)), []).append(title)
        label = name
        for value, having in titles.items():
            marks = "".join(f"{'x' if title in having else '':>{mark}}" for title in columns)
            first, *more = wrap(value, width - 2) or [""]
            rows += [
                f"{label:{LABEL}}{first:{width}}{marks}".rstrip(),
                *(" " * LABEL + m for m in more),
            ]
            label = ""
    yield from rows[:MAX_ROWS]
    if len(rows) > MAX_ROWS:
        yield f"Left out: {len(rows) - MAX_ROWS} more lines."


def _verdict(run):
    if explanations := run.explanations():
        return f"This run is linearizable: {' '.join(min(explanations))} explains it."
    if explanations := run.explanations(real_time=False):
        return f"Only {' '.join(min(explanations))} explains this run, but contradicts real time."
    return "No serial order explains this run."


def _text(value):  # of a page: its products
    return "; ".join(value.values()) if isinstance(value, dict) else str(value)


def _differing(run, order):
    one, other = run.outcome, run.orders[order]
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
