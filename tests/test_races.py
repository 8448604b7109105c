"""Many users at once: it is as if one had come after the other. `racing.py` has the method."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from functools import partial
from itertools import product
from random import choice, randint, sample

import pytest
from flask import Response

from inventory import errors
from inventory.models import Product
from inventory.repository import InMemoryProductRepository, Row
from inventory.service import InventoryService
from tests.operations import NOON, TICKET, Shop, add, take
from tests.racing import TRACED, DeadlockError, NotSerialError, explore, in_lock_step
from tests.support import check_invariants


@pytest.mark.parametrize("pair", [*product(Shop().operations, repeat=2)], ids="-".join)
def test_two_at_once_are_as_one_after_the_other(pair, pytestconfig):
    """Wherever one operation stands still while another passes by, a serial order explains it."""
    explore(Shop, *pair, switches=pytestconfig.getoption("switches"))


def test_a_return_and_its_write_off_are_one_change():
    """Nobody sees that a product is back and not yet what of it has expired since."""
    explore(Shop, "movements_restored", "restore_expired", switches=2)


# Broken twins of the shop: each lacks one lock, or has one step in the wrong place.

TRACED.add(__file__)


class NoLock(nullcontext):
    wait_for = notify_all = nullcontext.__exit__  # which does nothing

    def __init__(self, *_):
        super().__init__()


class WithoutRowLocks(Shop):
    row_lock = NoLock


class WithoutSkuLock(Shop):
    sku_lock = NoLock


class WithoutKeysLock(Shop):
    keys_lock = NoLock


class WithoutSubscriptionLock(Shop):
    subscription_lock = NoLock


class LooksUpBeforeItLocks(Shop):
    class Service(InventoryService):
        def bulk_update(self, updates):
            rows = [self._find_target(update) for update in updates]
            with ExitStack() as locks:
                for row in self.in_order(rows):
                    locks.enter_context(row.lock)
                return self._apply_batch(updates, rows)

        def in_order(self, rows):
            return sorted({*rows} - {None}, key=lambda row: row.position)


class LocksInTheOrderOfTheRequest(Shop):
    class Service(LooksUpBeforeItLocks.Service):
        def in_order(self, rows):
            return rows


class StoresItemByItem(Shop):
    class Service(InventoryService):
        def _apply_batch(self, items, rows):
            stamp = self._stamp()
            return [
                self._products.commit(row, item.change(row.live, stamp))
                for row, item in zip(rows, items, strict=True)
            ]


class PublishesACreationAfterItsLock(Shop):
    class Service(InventoryService):
        def create_product(self, name, sku):
            product = Product.created(self._stamp(), name, sku)
            self._products.insert(Row(product.id), product)
            return product


class ListsARowBeforeItsFirstVersion(Shop):
    class Service(InventoryService):
        def _load(self, row):
            return self._load_for_update(row, row.current.updated_at)


class WritesOffOutsideTheLock(Shop):
    class Service(InventoryService):
        def _load(self, row):
            return self._load_for_update(row, self._clock())


@pytest.mark.parametrize(
    ("twin", "first", "second", "sign"),
    [
        (WithoutRowLocks, "sell_last", "sell_last", "history of row 0: .* v2 .* v2"),
        (WithoutSkuLock, "create_free", "create_free", "published of old .1.:"),
        (WithoutKeysLock, "sell_keyed", "sell_keyed", "InsufficientStockError"),
        (WithoutSubscriptionLock, "publish", "publish", "threads: int 2"),
        (LooksUpBeforeItLocks, "batch_awaited", "deliver", r"updates\[1\]: Product not found"),
        (LocksInTheOrderOfTheRequest, "batch", "batch_reversed", "MILK, which B holds; B "),
        (StoresItemByItem, "batch_by_sku", "find", "B is told.*TICKET v2"),
        (PublishesACreationAfterItsLock, "create_free", "batch_by_free_sku", "of old: old v2"),
        (ListsARowBeforeItsFirstVersion, "deliver", "page_find_page", "AttributeError"),
        (WritesOffOutsideTheLock, "read_expired", "read_expired", "MILK v3 .*; MILK v3"),
    ],
)
def test_a_broken_twin_is_found(twin, first, second, sign):
    """The enumeration comes to a schedule in which what is broken shows."""
    with pytest.raises(NotSerialError, match=sign):
        explore(twin, first, second)


def test_a_race_can_be_shown(pytestconfig):
    """The last ticket is sold twice without the lock, and once with it in the same schedule."""
    command = [sys.executable, "-m", "tests.show_race"]
    shown = subprocess.check_output(command, cwd=pytestconfig.rootpath, text=True)

    runs = [text.partition("A, then B:")[0] for text in shown.split("This run:")[1:]]
    assert [run.count("is told: TICKET v2 REDUCED -1 = 0") for run in runs] == [2, 1]
    assert "--- waits for the lock of TICKET, which A holds" in shown


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["sell_last"] * 12, {Product: 1, errors.InsufficientStockError: 11}),
        (["add_to_version_1"] * 12, {Product: 1, errors.ProductChangedError: 11}),
        (["create_free"] * 11 + ["restore"], {Product: 1, errors.DuplicateSkuError: 11}),
        (["batch", "batch_reversed"] * 6, {list: 1, errors.InsufficientStockError: 11}),
        (["sell_keyed"] * 12, {Response: 12}),
    ],
)
def test_one_of_twelve_succeeds(names, expected):
    """One gets the last ticket or the free SKU, and all with one key are told of one sale."""
    shop = Shop()
    assert in_lock_step(shop, names) == expected
    check_invariants(shop.service, {row.current.id for row in shop.products.scan()})


def test_nobody_waits_for_another_product_or_to_read():
    """While one product is being changed, others can be changed and all can be read."""
    shop = Shop()
    shop.service.add_stock(TICKET.id, 1, expires_at=NOON.replace(hour=20))
    names = ["find", "movements", "page_find_page", "sell_milk", "create_free", "restore_expired"]

    with shop.products.find_row(TICKET.id).lock:
        assert DeadlockError not in in_lock_step(shop, names)


def test_threads_that_nobody_directs_keep_every_invariant():
    published = []
    service = InventoryService(InMemoryProductRepository(publish=published.append))
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=10).id for n in range(3)]

    def use(_):
        for _ in range(300):
            one, other = sample(ids, 2)
            calls = [
                partial(service.add_stock, one, 3),
                partial(service.reduce_stock, one, randint(1, 8)),
                partial(service.bulk_update, [take(2, one), add(1, other), add(1, sku="shelf-1")]),
                partial(service.delete_product, ids[2]),
                partial(service.restore_product, ids[2]),
                partial(service.create_product, "Shelf", f"shelf-{randint(0, 3)}"),
            ]
            with suppress(errors.InventoryError):
                choice(calls)()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))

    check_invariants(service, {commit.versions[0].id for commit in published})
