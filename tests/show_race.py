"""Show a race: `python -m tests.show_race`, or the arguments that a failed test prints.

Without arguments: the last ticket is sold twice without the row lock, then the same schedule with
the lock.
"""

import os
import sys

from tests.racing import NotLinearizableError, explore, replay
from tests.scenarios import MUTANTS, Shop, mutant
from tests.trace import render_trace


def main(name="reduce_without_row_lock", first="sell_last", second="sell_last", *slices):
    """Return the traces of the runs to show."""
    scenario = mutant(name, MUTANTS[name][1:]) if name in MUTANTS else Shop
    if slices:
        schedule = [(each[0], int(each[1:])) for each in slices]
        runs = [replay(scenario, (first, second), schedule)]
    else:
        try:
            explore(scenario, first, second)
        except NotLinearizableError as error:
            runs = [error.run, replay(Shop, (first, second), error.run.schedule)]
        else:
            return f"{name} {first} {second} is linearizable."
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return "\n\n".join(render_trace(run, colour=colour) for run in runs)


if __name__ == "__main__":
    sys.stdout.write(f"{main(*sys.argv[1:])}\n")
