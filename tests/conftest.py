"""What the tests share: an app, a client, a service, and a clock that they turn by hand."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from types import SimpleNamespace

import pytest
from racing import PatientLock

from inventory import create_app
from inventory.api.idempotency import IdempotencyKeys
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService

ROOT = Path(__file__).parent.parent

# Whatever is set outside, here nothing is, and nobody is asked through a proxy.
for name in list(os.environ):
    if name.startswith("INVENTORY_") or name.lower().endswith("_proxy"):
        del os.environ[name]


class Clock:
    """Stands still until it is told to move."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, 6, 26, 0, 123456, tzinfo=UTC)

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    """The time that the service and the app are told."""
    return Clock()


@pytest.fixture
def service(clock):
    """A service with an empty inventory."""
    return InventoryService(InMemoryProductRepository(), clock=clock)


@pytest.fixture(scope="session")
def routes():
    """An app whose routes are built once, which takes longer than most tests."""
    return create_app()


@pytest.fixture
def app(routes, service):
    """An app with an empty inventory, and no idempotency keys."""
    routes.extensions["inventory"] = service
    routes.extensions["idempotency"] = IdempotencyKeys()
    return routes


@pytest.fixture
def client(app):
    """An HTTP client of the app."""
    return app.test_client()


@pytest.fixture
def laptop(client):
    """The JSON of a product with 20 in stock and a reorder level of 5."""
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 20, "reorderLevel": 5}
    return client.post("/products", json=body).json


@pytest.fixture
def patient_locks(monkeypatch):
    """Locks of the repository whose waiters let the others take their turns in a race."""
    monkeypatch.setattr("inventory.repository.threading", SimpleNamespace(Lock=PatientLock))


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
    """Return the URL that the server says it listens on."""
    return re.search(r"http://\S+", process.stdout.readline()).group()


@pytest.fixture(scope="module")
def server():
    """The URL of a server started as a user starts it, on a free port."""
    with running_server() as process:
        yield url_of(process)
