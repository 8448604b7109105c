"""Shared by the tests: a fake clock, changes, a server process and the invariants."""

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path
from subprocess import PIPE

import pytest

from inventory.models import Product, fold_sku

ROOT = Path(__file__).parent.parent
MAX = 10**38 - 1
TIMEOUT = 10
"""Seconds after which a test that waits for an event fails."""


def _ipv6_works():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _ipv6_works(), reason="this machine has no IPv6")


class Clock:
    """A fake clock that moves only when a test moves it."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, 6, 26, 0, 123456, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


def is_error(response, status, message):
    """Return whether a response is this error, to the byte."""
    body = json.dumps({"error": True, "message": message}, separators=(",", ":")) + "\n"
    received = response.status_code, response.headers["Content-Type"], response.text
    return received == (status, "application/json", body)


def add(quantity, expires_at=None):
    """Return a change that adds units."""
    return partial(Product.added, quantity=quantity, expires_at=expires_at)


def reduce(quantity):
    """Return a change that takes units."""
    return partial(Product.reduced, quantity=quantity)


@contextmanager
def running_server(*arguments, **environ):
    """Run `run.py` in a process of its own, on a free port unless `--port` is given."""
    process = subprocess.Popen(
        [sys.executable, "run.py", "--port", "0", *arguments],
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
    """Return the URL in the banner of a server."""
    return re.search(r"http://\S+", process.stdout.readline()).group()


def check_invariants(service, product_ids):
    """Assert every invariant of the products that were ever created."""
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
