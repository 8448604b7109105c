"""Fixtures: fake clock, service, app, client and a server process."""

import os

import pytest

from inventory import create_app
from inventory.api import current_actor
from inventory.api.idempotency import IdempotencyKeys
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService
from tests.support import Clock, running_server, url_of

# Isolate the tests from app settings and HTTP proxies in the environment.
for name in list(os.environ):
    if name.startswith(("INVENTORY_", "FLASK_")) or name.lower().endswith("_proxy"):
        del os.environ[name]


@pytest.fixture
def clock():
    """The fake clock of the service and the app."""
    return Clock()


@pytest.fixture
def published():
    """The commits that the service has published, a list that grows."""
    return []


@pytest.fixture
def service(clock, published):
    """A service with an empty inventory."""
    repository = InMemoryProductRepository(publish=published.append)
    return InventoryService(repository, clock=clock, actor=current_actor)


@pytest.fixture(scope="session")
def routes():
    """An app that is built once, because registering its routes is slow."""
    return create_app()


@pytest.fixture
def app(routes, service):
    """An app with an empty inventory and no stored responses."""
    routes.extensions["inventory"] = service
    routes.extensions["idempotency"] = IdempotencyKeys()
    return routes


@pytest.fixture
def client(app):
    """An HTTP client of the app."""
    return app.test_client()


@pytest.fixture
def laptop(client):
    """The JSON of a product with a stock of 20 and a reorder level of 5."""
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 20, "reorderLevel": 5}
    return client.post("/products", json=body).json


@pytest.fixture
def url(laptop):
    """The path of that product."""
    return f"/products/{laptop['id']}"


@pytest.fixture(scope="module")
def server():
    """The URL of a server process on a free port."""
    with running_server() as process:
        yield url_of(process)


def pytest_addoption(parser):
    """Add the number of preemptions per schedule in the race tests."""
    parser.addoption("--preemptions", type=int, default=1)
