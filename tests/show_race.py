"""`python -m tests.show_race`: two buyers of the last ticket, without the lock and with it.

With the arguments that a failed test names, it shows that run.
"""

import sys

from tests import test_races
from tests.racing import NotSerialError, explore, page


def main(world="WithoutRowLocks", first="sell_last", second="sell_last", *turns):
    """Return the page of a run, or of the first one that sells the ticket twice, and its like."""
    shop = getattr(test_races, world)
    if turns:
        return page(shop, first, second, [(turn[0], int(turn[1:])) for turn in turns])
    try:
        return explore(shop, first, second)
    except NotSerialError as twice:
        return f"{twice}\n\n\n{main('Shop', first, second, str(twice).split()[-1])}"


if __name__ == "__main__":
    sys.stdout.write(f"{main(*sys.argv[1:])}\n")
