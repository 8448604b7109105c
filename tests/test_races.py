"""Two users at once: whoever wins, no unit is sold twice and none is lost.

Each scenario is run against the real repository, and against one whose locks do nothing, where
it must fail: a race test that cannot fail proves nothing.
"""

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import cycle, permutations
from random import Random

import invariants
import pytest
from racing import race

from inventory import create_app
from inventory.errors import DuplicateSkuError, InsufficientStockError, InventoryError
from inventory.models import MovementType, Operation, Product, StockUpdate
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


def overlapping_batches_conserve_the_total(service, **limits):
    """Transfers between three products, in opposite orders, end and lose no unit."""
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=100).id for n in range(3)]

    def transfer(source, target):
        reduce = StockUpdate(product_id=source, operation=Operation.REDUCE, quantity=1)
        add = StockUpdate(product_id=target, operation=Operation.ADD, quantity=1)
        service.update_stock([reduce, add])

    race(*[partial(transfer, *pair) for pair in permutations(ids, 2)] * 3, **limits)

    assert [service.get_product(product_id).stock for product_id in ids] == [100, 100, 100]
    invariants.check(service, ids)


def batches_and_single_calls_conserve_the_total(service):
    """A batch and a single call on the same product never overwrite each other."""
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=100).id for n in range(2)]
    both = [
        StockUpdate(product_id=product_id, operation=Operation.REDUCE, quantity=1)
        for product_id in ids
    ]

    race(
        *[partial(service.update_stock, both)] * 6,
        *[partial(service.add_stock, product_id, 1) for product_id in ids] * 6,
    )

    assert [service.get_product(product_id).stock for product_id in ids] == [100, 100]
    invariants.check(service, ids)


def a_product_is_deleted_once(service):
    """Of many who delete a product one succeeds, and who comes after it finds nothing to reduce."""
    ticket = service.create_product("Ticket", "TICKET", stock=20)

    results = race(
        *[partial(service.delete_product, ticket.id)] * 5,
        *[partial(service.reduce_stock, ticket.id, 1)] * 10,
    )

    assert Counter(type(result) for result in results[:5])[Product] == 1
    sold = sum(isinstance(result, Product) for result in results[5:])
    last = service.list_movements(ticket.id)[-1]
    assert (last.type, last.stock) == (MovementType.DELETED, 20 - sold)
    invariants.check(service, [ticket.id])


def a_freed_sku_gets_one_owner(service):
    """Of those who create or restore a product with a SKU that is free, one gets it."""
    ids = []
    for spelling in ("ticket", "Ticket", "TICKET"):
        ids.append(service.create_product("Ticket", spelling).id)
        service.delete_product(ids[-1])

    results = race(
        *[partial(service.restore_product, product_id) for product_id in ids],
        *[partial(service.create_product, "Ticket", "tICKET")] * 5,
    )

    owners = [result for result in results if isinstance(result, Product)]
    assert list(service.iterate_products()) == owners
    assert len(owners) == 1


STOCK_SCENARIOS = [
    twenty_units_are_sold_to_thirty_buyers,
    thirty_deliveries_all_arrive,
    deliveries_and_sales_conserve_the_stock,
    overlapping_batches_conserve_the_total,
    batches_and_single_calls_conserve_the_total,
    a_product_is_deleted_once,
]

SKU_SCENARIOS = [one_of_many_creators_gets_the_sku, a_freed_sku_gets_one_owner]


@pytest.mark.parametrize("scenario", STOCK_SCENARIOS + SKU_SCENARIOS)
def test_scenario_holds(scenario):
    """Under any interleaving the outcome is one that callers in a row could have had."""
    scenario(InventoryService(InMemoryProductRepository()))


@pytest.mark.parametrize("scenario", STOCK_SCENARIOS)
def test_scenario_catches_missing_product_locks(scenario):
    """Without a lock for each product, the scenario fails."""
    with pytest.raises(AssertionError):
        scenario(InventoryService(WithoutProductLocks()))


@pytest.mark.parametrize("scenario", SKU_SCENARIOS)
def test_scenario_catches_a_missing_sku_lock(scenario):
    """Without a lock around the SKU index, two products get the same SKU."""
    with pytest.raises(AssertionError):
        scenario(InventoryService(WithoutSkuLock()))


def test_batches_that_lock_in_any_order_deadlock(monkeypatch):
    """Where batches take their locks in opposite orders, the scenario finds the deadlock."""
    descending = cycle([False, True])

    def either_way(ids):
        return sorted(ids, reverse=next(descending))

    monkeypatch.setattr("inventory.service.sorted", either_way, raising=False)

    with pytest.raises(AssertionError, match="deadlock"):
        overlapping_batches_conserve_the_total(
            InventoryService(InMemoryProductRepository()), time_limit=1
        )


def test_the_log_is_never_behind_the_product():
    """Whoever sees a version finds the movements up to it, and none after the present one."""
    service = InventoryService(InMemoryProductRepository())
    ticket = service.create_product("Ticket", "TICKET", stock=20)
    batch = [StockUpdate(sku="TICKET", operation=Operation.ADD, quantity=n) for n in (1, 2)]

    def look():
        before = service.get_product(ticket.id)
        movements = service.list_movements(ticket.id)
        after = service.get_product(ticket.id)
        assert before.version <= len(movements) <= after.version
        assert movements[before.version - 1].stock == before.stock

    def reduce():
        assert service.reduce_stock(ticket.id, 1)

    assert race(*[look, reduce, partial(service.update_stock, batch)] * 5)[::3] == [None] * 5
    invariants.check(service, [ticket.id])


@pytest.mark.parametrize("seed", range(5))
def test_invariants_hold_under_random_use(seed):
    """Whatever threads do to a few products, every invariant holds after each round."""
    service = InventoryService(InMemoryProductRepository())
    random = Random(seed)
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=10).id for n in range(3)]

    def act():
        product_id, other = random.sample(ids, 2)
        operation, quantity = random.choice(list(Operation)), random.randint(1, 8)
        update = StockUpdate(product_id=product_id, operation=operation, quantity=quantity)
        return random.choice(
            [
                partial(service.add_stock, product_id, quantity),
                partial(service.reduce_stock, product_id, quantity),
                partial(service.update_stock, [update, replace(update, product_id=other)]),
                partial(service.update_stock, [replace(update, product_id=None, sku="shelf-1")]),
                partial(service.delete_product, product_id),
                partial(service.restore_product, product_id),
                partial(service.create_product, "Shelf", f"shelf-{random.randint(0, 3)}"),
            ]
        )

    for _ in range(6):
        results = race(*[act() for _ in range(8)])
        assert all(isinstance(result, Product | list | InventoryError) for result in results)
        ids += [product.id for product in service.iterate_products() if product.id not in ids]
        invariants.check(service, ids)


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
