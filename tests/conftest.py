"""Fixtures: app, client, service, fake clock."""

import os

import pytest

from inventory import create_app
from inventory.api import current_actor
from inventory.api.idempotency import IdempotencyKeys
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService
from tests.support import Clock, running_server, url_of

# Isolate tests from app settings and HTTP proxies in the environment.
for name in list(os.environ):
    if name.startswith(("INVENTORY_", "FLASK_")) or name.lower().endswith("_proxy"):
        del os.environ[name]


@pytest.fixture
def clock():
    """The clock of the service and of the app."""
    return Clock()


@pytest.fixture
def published():
    """The commits that the service has published, as a list that grows."""
    return []


@pytest.fixture
def service(clock, published):
    """A service with an empty inventory."""
    repository = InMemoryProductRepository(publish=published.append)
    return InventoryService(repository, clock=clock, actor=current_actor)


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
def url(laptop):
    """The path of that product."""
    return f"/products/{laptop['id']}"


@pytest.fixture(scope="module")
def server():
    """The URL of a server started as a user starts it, on a free port."""
    with running_server() as process:
        yield url_of(process)


def pytest_addoption(parser):
    """The number of preemptions in each schedule of the race tests."""
    parser.addoption("--preemptions", type=int, default=1)
