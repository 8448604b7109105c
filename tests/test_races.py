"""Concurrent requests. `racing.py` explains the method, `scenarios.py` has the operations."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import product
from random import choice, randint, sample

import pytest
from flask import Response

from inventory import errors
from inventory.models import Product
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService
from tests.control import DeadlockError
from tests.racing import NotLinearizableError, explore, run_round_robin
from tests.scenarios import EVENING, MUTANTS, TICKET, Shop, add, mutant, take
from tests.support import check_invariants

PAIRS = [*product(Shop().operations, repeat=2)]
PAIRS.remove(("deliver", "deliver"))  # a subscription has one thread


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_concurrent_pairs_are_linearizable(pair, pytestconfig):
    explore(Shop, *pair, preemptions=pytestconfig.getoption("preemptions"))


def test_restore_and_its_write_off_are_one_commit():
    explore(Shop, "movements_restored", "restore_expired", preemptions=2)


@pytest.mark.parametrize("name", MUTANTS)
def test_explorer_detects_seeded_bugs(name):
    (first, second, part, expected_evidence), *edits = MUTANTS[name]
    with pytest.raises(NotLinearizableError) as caught:
        explore(mutant(name, edits), first, second)

    assert re.search(expected_evidence, str(caught.value.run.outcome[part]))


def test_stale_read_is_detected_only_by_real_time_order():
    (first, second, *_), *edits = MUTANTS["stale_cache"]
    explore(mutant("stale_cache", edits), first, second, real_time=False)


def test_show_race_fits_a_screen(pytestconfig):
    command = [sys.executable, "-m", "tests.show_race"]
    lines = subprocess.check_output(command, cwd=pytestconfig.rootpath, text=True).splitlines()

    assert len(lines) <= 96
    assert max(map(len, lines)) <= 100
    assert "No serial order explains this run." in lines
    assert "This run is linearizable: A B explains it." in lines


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["sell_last"] * 12, {Product: 1, errors.InsufficientStockError: 11}),
        (["add_to_version_1"] * 12, {Product: 1, errors.ProductChangedError: 11}),
        (["create"] * 11 + ["restore"], {Product: 1, errors.DuplicateSkuError: 11}),
        (["batch", "batch_reversed"] * 6, {list: 1, errors.InsufficientStockError: 11}),
        (["sell_with_key"] * 12, {Response: 12}),
    ],
)
def test_twelve_contenders_have_one_effect(names, expected):
    shop = Shop()
    assert run_round_robin(shop, names) == expected
    check_invariants(shop.service, {row.current.id for row in shop.products.scan()})


def test_row_lock_blocks_no_reader_and_no_writer_of_another_product():
    shop = Shop()
    shop.service.add_stock(TICKET.id, 1, expires_at=EVENING)
    names = ["get_movements_get", "list_find_list", "sell_milk", "create", "restore_expired"]

    with shop.products.find_row(TICKET.id).lock:
        assert DeadlockError not in run_round_robin(shop, names)


def test_invariants_hold_under_random_concurrency():
    published = []
    service = InventoryService(InMemoryProductRepository(publish=published.append))
    ids = [service.create_product("Shelf", f"SHELF-{n}", stock=10).id for n in range(3)]

    def use(_):
        for _ in range(300):
            one, other = sample(ids, 2)
            batch = [take(2, one), add(1, other), add(1, sku="shelf-1")]
            calls = [
                partial(service.add_stock, one, 3),
                partial(service.reduce_stock, one, randint(1, 8)),
                partial(service.bulk_update, batch),
                partial(service.delete_product, ids[2]),
                partial(service.restore_product, ids[2]),
                partial(service.create_product, "Shelf", f"shelf-{randint(0, 3)}"),
            ]
            with suppress(errors.InventoryError):
                choice(calls)()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))

    check_invariants(service, {commit.versions[0].id for commit in published})
