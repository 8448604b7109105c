"""Two users at once: whoever wins, no unit is sold twice and none is lost.

Each scenario is run against the real repository, and against one whose locks do nothing, where
it must fail: a race test that cannot fail proves nothing.
"""

from collections import Counter
from contextlib import nullcontext
from functools import partial

import pytest
from racing import race

from inventory import create_app
from inventory.errors import DuplicateSkuError, InsufficientStockError
from inventory.models import Product
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService


class WithoutProductLocks(InMemoryProductRepository):
    def lock(self, product_id):
        return nullcontext()


class WithoutSkuLock(InMemoryProductRepository):
    def __init__(self):
        super().__init__()
        self._sku_lock = nullcontext()


def twenty_units_are_sold_to_thirty_buyers(service):
    """Twenty buyers get a unit each, with a stock of their own behind it; ten are refused."""
    product = service.create_product("Ticket", "TICKET", stock=20)

    results = race(*[partial(service.reduce_stock, product.id, 1)] * 30)

    sold = [result.stock for result in results if isinstance(result, Product)]
    refused = [result for result in results if isinstance(result, InsufficientStockError)]
    assert sorted(sold) == list(range(20))
    assert len(refused) == 10
    assert service.get_product(product.id).stock == 0


def thirty_deliveries_all_arrive(service):
    """No delivery is lost, and each is told the stock right after it."""
    product = service.create_product("Ticket", "TICKET")

    results = race(*[partial(service.add_stock, product.id, 1)] * 30)

    assert sorted(result.stock for result in results) == list(range(1, 31))
    assert service.get_product(product.id).stock == 30


def deliveries_and_sales_conserve_the_stock(service):
    """Stock at the end = stock at the start + all that was added - all that was reduced."""
    product = service.create_product("Ticket", "TICKET", stock=5)

    results = race(
        *[partial(service.add_stock, product.id, 3)] * 10,
        *[partial(service.reduce_stock, product.id, 2)] * 20,
    )

    sales = sum(isinstance(result, Product) for result in results[10:])
    assert service.get_product(product.id).stock == 5 + 10 * 3 - sales * 2


def one_of_many_creators_gets_the_sku(service):
    """One creation succeeds and the others are refused, whatever the letter case."""
    spellings = ["straße", "STRASSE", "Strasse", "strasse"] * 4

    results = race(*[partial(service.create_product, "Road", sku) for sku in spellings])

    assert Counter(type(result) for result in results) == {Product: 1, DuplicateSkuError: 15}


STOCK_SCENARIOS = [
    twenty_units_are_sold_to_thirty_buyers,
    thirty_deliveries_all_arrive,
    deliveries_and_sales_conserve_the_stock,
]


@pytest.mark.parametrize("scenario", [*STOCK_SCENARIOS, one_of_many_creators_gets_the_sku])
def test_scenario_holds(scenario):
    """Under any interleaving the outcome is one that callers in a row could have had."""
    scenario(InventoryService(InMemoryProductRepository()))


@pytest.mark.parametrize("scenario", STOCK_SCENARIOS)
def test_scenario_catches_missing_product_locks(scenario):
    """Without a lock for each product, the scenario fails."""
    with pytest.raises(AssertionError):
        scenario(InventoryService(WithoutProductLocks()))


def test_scenario_catches_a_missing_sku_lock():
    """Without a lock around the SKU index, two products get the same SKU."""
    with pytest.raises(AssertionError):
        one_of_many_creators_gets_the_sku(InventoryService(WithoutSkuLock()))


def http_buyers_get_every_unit_once(app):
    """Ten buyers of fifteen get a unit each and five a proper refusal."""
    client = app.test_client()
    ticket = client.post("/products", json={"name": "Ticket", "sku": "T", "stock": 10}).json

    def buy():
        return app.test_client().put(f"/products/{ticket['id']}/reduce", json={"quantity": 1})

    responses = race(*[buy] * 15)

    assert Counter(response.status_code for response in responses) == {200: 10, 400: 5}
    sold = [response.json["newStock"] for response in responses if response.status_code == 200]
    assert sorted(sold) == list(range(10))


def http_creators_share_no_sku(app):
    """One creation of twelve is answered with 201, the others with 409."""

    def create(sku):
        return app.test_client().post("/products", json={"name": "Ticket", "sku": sku})

    responses = race(*[partial(create, sku) for sku in ["ticket", "TICKET", "Ticket"] * 4])

    assert Counter(response.status_code for response in responses) == {201: 1, 409: 11}


HTTP_SCENARIOS = {
    http_buyers_get_every_unit_once: WithoutProductLocks,
    http_creators_share_no_sku: WithoutSkuLock,
}


@pytest.mark.parametrize("scenario", HTTP_SCENARIOS)
def test_http_scenario_holds(scenario):
    """What holds for the service holds for clients: one wins, the other is refused properly."""
    scenario(create_app())


@pytest.mark.parametrize(("scenario", "broken"), HTTP_SCENARIOS.items())
def test_http_scenario_catches_a_missing_lock(scenario, broken):
    """Without the lock that it relies on, the scenario fails over HTTP too."""
    app = create_app()
    app.extensions["inventory"] = InventoryService(broken())
    with pytest.raises(AssertionError):
        scenario(app)
