"""What the tests share: a clock turned by hand, a server as a user starts it, the invariants."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from subprocess import PIPE

from inventory.models import fold_sku

ROOT = Path(__file__).parent.parent
MAX = 10**38 - 1

SECONDS = 10
"""How long a test waits for what must happen, before it fails."""


class Clock:
    """Stands still until it is told to move."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, 6, 26, 0, 123456, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


def refused(response, status, message):
    """Whether a response is this refusal, to the byte."""
    body = json.dumps({"error": True, "message": message}, separators=(",", ":")) + "\n"
    seen = response.status_code, response.headers["Content-Type"], response.text
    return seen == (status, "application/json", body)


@contextmanager
def running_server(*arguments, **environ):
    """Run `run.py` in a process of its own, as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "run.py", "--port", "0", *arguments],  # the last --port counts
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "", **environ},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def url_of(process):
    """The URL that the server says it listens on."""
    return re.search(r"http://\S+", process.stdout.readline()).group()


def check_invariants(service, product_ids):
    """Assert every invariant over the products that were ever created."""
    live = list(service.iterate_products())
    assert {product.id for product in live} <= set(product_ids)
    assert len({fold_sku(product.sku) for product in live}) == len(live)

    for product_id in product_ids:
        movements = service.list_movements(product_id, limit=10**6)
        stocks = [movement.stock for movement in movements]
        assert [movement.version for movement in movements] == list(range(1, len(movements) + 1))
        assert stocks == list(accumulate(movement.change for movement in movements))
        assert min(stocks) >= 0
        times = [movement.updated_at for movement in movements]
        assert times == sorted(set(times))

    for product in live:
        last = service.list_movements(product.id, after=product.version - 1)
        assert [(m.stock, m.updated_at) for m in last] == [(product.stock, product.updated_at)]
        assert service.list_products(sku=product.sku.swapcase()) == ([product], None)
