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
from racing import DeadlockError, WithoutProductLocks, race

from inventory import create_app
from inventory.batches import Operation, StockUpdate
from inventory.errors import DuplicateSkuError, InsufficientStockError, InventoryError
from inventory.models import MovementType, Product, utc_now
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService

SEEDS = [None, *range(3)]
"""The orders in which threads take turns: one after the other, and some by rank."""

LINES = range(150)
"""After how many lines the first thread stands still; a batch of two has up to twice as many."""


pytestmark = pytest.mark.usefixtures("patient_locks")


class WithoutSkuLock(InMemoryProductRepository):
    def __init__(self):
        super().__init__()
        self._sku_lock = nullcontext()


def eight_units_are_sold_to_twelve_buyers(service, race):
    """Eight buyers get a unit each, with a stock of their own behind it; four are refused."""
    product = service.create_product("Ticket", "TICKET", stock=8)

    results = race(*[partial(service.reduce_stock, product.id, 1)] * 12)

    sold = [result.stock for result in results if isinstance(result, Product)]
    refused = [result for result in results if isinstance(result, InsufficientStockError)]
    assert sorted(sold) == list(range(8))
    assert len(refused) == 4
    assert service.get_product(product.id).stock == 0


def twelve_deliveries_all_arrive(service, race):
    """No delivery is lost, and each is told the stock right after it."""
    product = service.create_product("Ticket", "TICKET")

    results = race(*[partial(service.add_stock, product.id, 1)] * 12)

    assert sorted(result.stock for result in results) == list(range(1, 13))
    assert service.get_product(product.id).stock == 12


def deliveries_and_sales_conserve_the_stock(service, race):
    """Stock at the end = stock at the start + all that was added - all that was reduced."""
    product = service.create_product("Ticket", "TICKET", stock=5)

    results = race(
        *[partial(service.add_stock, product.id, 3)] * 4,
        *[partial(service.reduce_stock, product.id, 2)] * 8,
    )

    sales = sum(isinstance(result, Product) for result in results[4:])
    assert service.get_product(product.id).stock == 5 + 4 * 3 - sales * 2


def one_of_many_creators_gets_the_sku(service, race):
    """One creation succeeds and the others are refused, whatever the letter case."""
    spellings = ["straße", "STRASSE", "Strasse", "strasse"] * 2

    results = race(*[partial(service.create_product, "Road", sku) for sku in spellings])

    assert Counter(type(result) for result in results) == {Product: 1, DuplicateSkuError: 7}


def overlapping_batches_conserve_the_total(service, race):
    """Transfers between three products, in opposite orders, end and lose no unit."""
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=100).id for n in range(3)]

    def transfer(source, target):
        reduce = StockUpdate(product_id=source, operation=Operation.REDUCE, quantity=1)
        add = StockUpdate(product_id=target, operation=Operation.ADD, quantity=1)
        service.bulk_update([reduce, add])

    race(*[partial(transfer, *pair) for pair in permutations(ids, 2)] * 2)

    assert [service.get_product(product_id).stock for product_id in ids] == [100, 100, 100]
    invariants.check(service, ids)


def batches_and_single_calls_conserve_the_total(service, race):
    """A batch and a single call on the same product never overwrite each other."""
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=100).id for n in range(2)]
    both = [
        StockUpdate(product_id=product_id, operation=Operation.REDUCE, quantity=1)
        for product_id in ids
    ]

    race(
        *[partial(service.bulk_update, both)] * 6,
        *[partial(service.add_stock, product_id, 1) for product_id in ids] * 6,
    )

    assert [service.get_product(product_id).stock for product_id in ids] == [100, 100]
    invariants.check(service, ids)


def a_product_is_deleted_once(service, race):
    """Of many who delete a product one succeeds, and who comes after it finds nothing to reduce."""
    ticket = service.create_product("Ticket", "TICKET", stock=20)

    results = race(
        *[partial(service.delete_product, ticket.id)] * 5,
        *[partial(service.reduce_stock, ticket.id, 1)] * 10,
    )

    assert Counter(type(result) for result in results[:5])[Product] == 1
    sold = sum(isinstance(result, Product) for result in results[5:])
    last = service.list_movements(ticket.id)[-1]
    assert (last.movement, last.stock) == (MovementType.DELETED, 20 - sold)
    invariants.check(service, [ticket.id])


def a_freed_sku_gets_one_owner(service, race):
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
    eight_units_are_sold_to_twelve_buyers,
    twelve_deliveries_all_arrive,
    deliveries_and_sales_conserve_the_stock,
    overlapping_batches_conserve_the_total,
    batches_and_single_calls_conserve_the_total,
    a_product_is_deleted_once,
]

SKU_SCENARIOS = [one_of_many_creators_gets_the_sku, a_freed_sku_gets_one_owner]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", STOCK_SCENARIOS + SKU_SCENARIOS)
def test_scenario_holds(scenario, seed):
    """In any order of turns the outcome is one that callers in a row could have had."""
    scenario(InventoryService(InMemoryProductRepository()), partial(race, seed=seed))


@pytest.mark.parametrize("scenario", STOCK_SCENARIOS)
def test_scenario_catches_missing_product_locks(scenario):
    """Without a lock for each product, the scenario fails."""
    with pytest.raises(AssertionError):
        scenario(InventoryService(WithoutProductLocks()), race)


@pytest.mark.parametrize("scenario", SKU_SCENARIOS)
def test_scenario_catches_a_missing_sku_lock(scenario):
    """Without a lock around the SKU index, two products get the same SKU."""
    with pytest.raises(AssertionError):
        scenario(InventoryService(WithoutSkuLock()), race)


def test_batches_that_lock_in_any_order_deadlock(monkeypatch):
    """Where batches take their locks in opposite orders, the scenario finds the deadlock."""
    descending = cycle([False, True])

    def either_way(rows, key):
        return sorted(rows, key=key, reverse=next(descending))

    monkeypatch.setattr("inventory.service.sorted", either_way, raising=False)
    service = InventoryService(InMemoryProductRepository())

    with pytest.raises(DeadlockError):
        overlapping_batches_conserve_the_total(service, partial(race, time_limit=0.3))


def test_nobody_waits_for_another_product_or_to_read():
    """While one product is being changed, others can be changed and all can be read."""
    products = InMemoryProductRepository()
    service = InventoryService(products)
    busy, other = (service.create_product("Ticket", sku, stock=1) for sku in ("BUSY", "OTHER"))

    with products.get_row(busy.id).lock:
        changed, *read = race(
            partial(service.add_stock, other.id, 1),
            partial(service.get_product, busy.id),
            lambda: service.list_products(sku="busy")[0],
            partial(service.list_movements, busy.id),
            time_limit=5,
        )

    assert changed.stock == 2
    assert read[:2] == [busy, [busy]]
    assert len(read[2]) == 1


def test_the_clock_is_read_before_the_lock_is_taken():
    """Nobody waits for a product while somebody looks at the clock."""
    products = InMemoryProductRepository()

    def clock():
        for row in products.scan():
            with row.lock:
                pass
        return utc_now()

    service = InventoryService(products, clock=clock)
    ticket = service.create_product("Ticket", "TICKET")
    add = StockUpdate(sku="TICKET", operation=Operation.ADD, quantity=1)

    race(partial(service.add_stock, ticket.id, 1), time_limit=5)
    race(partial(service.bulk_update, [add]), time_limit=5)

    assert service.get_product(ticket.id).stock == 2


def test_a_deleted_product_is_not_shown():
    """Who is looking for a SKU when its product is deleted finds the product or nothing."""
    for line in LINES:
        service = InventoryService(InMemoryProductRepository())
        ticket = service.create_product("Ticket", "TICKET")

        found, _ = race(
            lambda: service.list_products(sku="TICKET")[0],
            partial(service.delete_product, ticket.id),
            switch=line,
        )

        assert found in ([], [ticket])


@pytest.mark.parametrize("restored_first", [False, True])
def test_a_sku_is_created_or_restored(restored_first):
    """Of two who claim a SKU, one to create and one to restore a product, one gets it."""
    for line in LINES:
        service = InventoryService(InMemoryProductRepository())
        old = service.create_product("Old", "TICKET")
        service.delete_product(old.id)
        claims = [
            partial(service.create_product, "New", "ticket"),
            partial(service.restore_product, old.id),
        ]

        results = race(*reversed(claims) if restored_first else claims, switch=line)

        assert {type(result) for result in results} == {Product, DuplicateSkuError}
        assert len(list(service.iterate_products())) == 1


def test_a_sku_never_has_two_owners():
    """Nobody sees a product that is being restored and cannot be, because its SKU is taken."""
    for line in LINES:
        service = InventoryService(InMemoryProductRepository())
        old = service.create_product("Old", "TICKET")
        service.delete_product(old.id)
        heir = service.create_product("Heir", "ticket")

        refusal, seen = race(
            partial(service.restore_product, old.id),
            lambda: list(service.iterate_products()),
            switch=line,
        )

        assert isinstance(refusal, DuplicateSkuError)
        assert seen == [heir]


def test_a_product_that_is_being_created_is_there_or_not():
    """Who names a product by SKU while it is being created changes it, or is refused properly."""
    for line in LINES:
        service = InventoryService(InMemoryProductRepository())
        add = StockUpdate(sku="TICKET", operation=Operation.ADD, quantity=1)

        product, result = race(
            partial(service.create_product, "Ticket", "TICKET"),
            partial(service.bulk_update, [add]),
            switch=line,
        )

        added = 0 if str(result) == "updates[0]: Product not found" else result[0].stock
        assert service.get_product(product.id).stock == added


def test_the_log_is_never_behind_the_product():
    """Whoever sees a version finds the movements up to it, and none after the present one."""
    for line in range(2 * len(LINES)):
        service = InventoryService(InMemoryProductRepository())
        ticket = service.create_product("Ticket", "TICKET", stock=20)
        batch = [StockUpdate(sku="TICKET", operation=Operation.ADD, quantity=n) for n in (1, 2)]

        def look():
            before = service.get_product(ticket.id)
            movements = service.list_movements(ticket.id)
            after = service.get_product(ticket.id)
            assert before.version <= len(movements) <= after.version
            assert movements[before.version - 1].stock == before.stock

        race(partial(service.bulk_update, batch), look, switch=line)
        race(partial(service.reduce_stock, ticket.id, 1), look, switch=line)


@pytest.mark.parametrize("seed", SEEDS[1:])
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
                partial(service.bulk_update, [update, replace(update, product_id=other)]),
                partial(service.bulk_update, [replace(update, product_id=None, sku="shelf-1")]),
                partial(service.delete_product, product_id),
                partial(service.restore_product, product_id),
                partial(service.create_product, "Shelf", f"shelf-{random.randint(0, 3)}"),
            ]
        )

    for _ in range(6):
        results = race(*[act() for _ in range(8)], seed=seed)
        assert all(isinstance(result, Product | list | InventoryError) for result in results)
        ids += [product.id for product in service.iterate_products() if product.id not in ids]
        invariants.check(service, ids)


def http_buyers_get_every_unit_once(app, race):
    """Eight buyers of twelve get a unit each and four a proper refusal."""
    client = app.test_client()
    ticket = client.post("/products", json={"name": "Ticket", "sku": "T", "stock": 8}).json

    def buy():
        return app.test_client().put(f"/products/{ticket['id']}/reduce", json={"quantity": 1})

    responses = race(*[buy] * 12)

    assert Counter(response.status_code for response in responses) == {200: 8, 400: 4}
    sold = [response.json["newStock"] for response in responses if response.status_code == 200]
    assert sorted(sold) == list(range(8))


def http_creators_share_no_sku(app, race):
    """One creation of twelve is answered with 201, the others with 409."""

    def create(sku):
        return app.test_client().post("/products", json={"name": "Ticket", "sku": sku})

    responses = race(*[partial(create, sku) for sku in ["ticket", "TICKET", "Ticket"] * 4])

    assert Counter(response.status_code for response in responses) == {201: 1, 409: 11}


def http_deliveries_all_arrive(app, race):
    """Twelve deliveries over HTTP are twelve units more."""
    client = app.test_client()
    ticket = client.post("/products", json={"name": "Ticket", "sku": "T"}).json

    def deliver():
        return app.test_client().put(f"/products/{ticket['id']}/add", json={"quantity": 1})

    responses = race(*[deliver] * 12)

    assert sorted(response.json["newStock"] for response in responses) == list(range(1, 13))


HTTP_SCENARIOS = {
    http_deliveries_all_arrive: WithoutProductLocks,
    http_buyers_get_every_unit_once: WithoutProductLocks,
    http_creators_share_no_sku: WithoutSkuLock,
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scenario", HTTP_SCENARIOS)
def test_http_scenario_holds(scenario, seed):
    """What holds for the service holds for clients: one wins, the other is refused properly."""
    scenario(create_app(), partial(race, seed=seed))


@pytest.mark.parametrize(("scenario", "broken"), HTTP_SCENARIOS.items())
def test_http_scenario_catches_a_missing_lock(scenario, broken):
    """Without the lock that it relies on, the scenario fails over HTTP too."""
    app = create_app()
    app.extensions["inventory"] = InventoryService(broken())
    with pytest.raises(AssertionError):
        scenario(app, race)
