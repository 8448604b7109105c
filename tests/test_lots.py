"""Perishable units: the soonest to expire go first, and what has expired is no stock."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest

from inventory.errors import (
    DuplicateSkuError,
    InsufficientStockError,
    InvalidValueError,
    ProductChangedError,
)
from inventory.service import BatchItem, BySku
from tests.support import add, reduce


@pytest.fixture
def day(clock):
    """The instant a number of days from now."""
    start = clock.now
    return lambda number: start + timedelta(days=number)


@pytest.fixture
def milk(service, day):
    """Ten units: two expire after one day, three after two, and five never."""
    product = service.create_product("Milk", "MILK", stock=3, expires_at=day(2))
    service.add_stock(product.id, 5)
    return service.add_stock(product.id, 2, expires_at=day(1))


def quantities(product):
    """The units in each lot, soonest first, and those without one."""
    dated = [lot.quantity for lot in product.lots]
    return dated, product.stock - sum(dated)


def log(service, product):
    """What happened to a product after its first three versions."""
    return [(v.movement.value, v.change, v.stock) for v in service.list_movements(product.id)[3:]]


@pytest.mark.parametrize(
    ("quantity", "left"),
    [(1, ([1, 3], 5)), (2, ([3], 5)), (4, ([1], 5)), (5, ([], 5)), (7, ([], 3)), (10, ([], 0))],
)
def test_the_soonest_units_are_taken_first(service, milk, quantity, left):
    assert quantities(service.reduce_stock(milk.id, quantity)) == left


def test_equal_instants_are_one_lot(service, milk, day):
    east = day(1).astimezone(timezone(timedelta(hours=9)))

    product = service.add_stock(milk.id, 4, expires_at=east)

    assert quantities(product) == ([6, 3], 5)
    assert all(lot.expires_at.tzinfo is UTC for lot in product.lots)


def test_a_product_has_at_most_1000_lots(service, milk, day):
    """Units for one lot more are refused; units for a lot that is there are not."""
    items = [BatchItem(BySku("MILK"), add(1, day(number))) for number in range(3, 1001)]

    assert len(service.bulk_update(items)[-1].lots) == 1000
    with pytest.raises(InvalidValueError, match="^a product may have at most 1000 lots$"):
        service.add_stock(milk.id, 1, expires_at=day(1001))
    assert len(service.add_stock(milk.id, 1, expires_at=day(1000)).lots) == 1000


def test_a_lot_expires_at_its_very_instant(service, clock, milk, day):
    clock.now = day(1) - timedelta(microseconds=1)
    assert service.get_product(milk.id) == milk

    clock.now = day(1)
    assert quantities(service.get_product(milk.id)) == ([3], 5)


def test_a_write_off_is_a_change_that_nobody_made(service, clock, milk, day):
    """What has expired is written off once, with a version and a time of its own."""
    clock.now = day(2)

    product = service.get_product(milk.id)

    assert (product.stock, product.lots) == (5, ())
    assert (product.version, product.updated_at) == (milk.version + 1, day(2))
    assert (product.movement, product.change, product.actor) == ("EXPIRED", -5, None)
    assert service.get_product(milk.id) == product


ADD = BatchItem(BySku("MILK"), add(1))
ACCESSES = {
    "get": lambda service, milk: service.get_product(milk),
    "movements": lambda service, milk: service.list_movements(milk),
    "page": lambda service, milk: service.list_products(),
    "sku": lambda service, milk: service.list_products(sku="milk"),
    "report": lambda service, milk: list(service.iterate_products()),
    "add": lambda service, milk: service.add_stock(milk, 1),
    "reduce": lambda service, milk: service.reduce_stock(milk, 1),
    "delete": lambda service, milk: service.delete_product(milk),
    "batch": lambda service, milk: service.bulk_update([ADD]),
}


@pytest.mark.parametrize("access", ACCESSES)
def test_first_access_after_expiry_writes_off(service, clock, milk, day, access):
    clock.now = day(1)

    ACCESSES[access](service, milk.id)

    written_off, *others = log(service, milk)
    assert written_off == ("EXPIRED", -2, 8)
    assert "EXPIRED" not in [movement for movement, *_ in others]


def test_expired_units_are_never_sold(service, clock, milk, day):
    """A reduction that needs them, or saw them, is refused; they are written off all the same."""
    clock.now = day(1)

    with pytest.raises(ProductChangedError):
        service.reduce_stock(milk.id, 1, expected={milk.version})
    with pytest.raises(InsufficientStockError):
        service.reduce_stock(milk.id, 9)

    assert log(service, milk) == [("EXPIRED", -2, 8)]
    assert service.reduce_stock(milk.id, 8).stock == 0


def test_a_refused_batch_writes_off_all_the_same(service, clock, milk, day):
    clock.now = day(1)

    with pytest.raises(InsufficientStockError, match=r"^updates\[1\]"):
        service.bulk_update([ADD, BatchItem(BySku("MILK"), reduce(10))])

    assert log(service, milk) == [("EXPIRED", -2, 8)]


@pytest.mark.parametrize("change", ["reduce", "batch", "restore"])
def test_the_clock_is_read_under_the_row_lock(service, clock, milk, day, change):
    """A thread that waits for the lock past an expiry must not sell the expired units."""

    class LockReleasedAtTheExpiry:
        def __enter__(self):
            clock.now = day(1)

        def __exit__(self, *_):
            pass

    changes = {
        "reduce": lambda: service.reduce_stock(milk.id, 10),
        "batch": lambda: service.bulk_update([BatchItem(milk.id, reduce(10))]),
        "restore": lambda: service.restore_product(milk.id),
    }
    if change == "restore":
        service.delete_product(milk.id)
    service._products.find_row(milk.id).lock = LockReleasedAtTheExpiry()  # noqa: SLF001

    with suppress(InsufficientStockError):
        changes[change]()

    assert log(service, milk)[-1] == ("EXPIRED", -2, 8)


def test_a_batch_takes_and_brings_lots(service, milk, day):
    take = BatchItem(BySku("MILK"), reduce(3))
    bring = BatchItem(BySku("MILK"), add(4, day(1)))

    first, second, third = service.bulk_update([take, bring, take])

    assert quantities(first) == ([2], 5)
    assert quantities(second) == ([4, 2], 5)
    assert quantities(third) == ([1, 2], 5)


def test_what_expires_while_deleted_is_written_off_at_the_return(service, clock, milk, day):
    service.delete_product(milk.id)
    clock.now = day(1)
    assert log(service, milk) == [("DELETED", 0, 10)]

    assert quantities(service.restore_product(milk.id)) == ([3], 5)
    assert log(service, milk)[1:] == [("RESTORED", 0, 10), ("EXPIRED", -2, 8)]


def test_a_refused_return_changes_and_publishes_nothing(service, clock, milk, day, published):
    """A product that cannot come back is as it was, and nobody hears of it."""
    service.delete_product(milk.id)
    service.create_product("Milk", "milk")
    clock.now = day(1)

    with pytest.raises(DuplicateSkuError):
        service.restore_product(milk.id)

    assert log(service, milk) == [("DELETED", 0, 10)]
    assert published[-1].versions[-1].movement == "CREATED"


def test_an_expiry_is_in_the_future_and_of_units(service, clock, milk, day):
    """Units that have expired cannot come in, nor a time that is no instant, nor no units."""
    add_one = partial(service.add_stock, milk.id, 1)
    create = partial(service.create_product, "Cheese", "CHEESE")
    for refuse, rule in [
        (partial(add_one, expires_at=clock.now), "must be in the future"),
        (partial(create, stock=1, expires_at=day(-1)), "must be in the future"),
        (partial(create, stock=0, expires_at=day(1)), "requires a stock of at least 1"),
    ]:
        with pytest.raises(InvalidValueError, match=f"^expiresAt {rule}"):
            refuse()


def test_without_lots_no_clock_is_read(service, monkeypatch):
    """Reading a product without lots costs nothing for those that have them."""
    bread = service.create_product("Bread", "BREAD", stock=5)
    monkeypatch.setattr(service, "_clock", None)

    assert service.get_product(bread.id) == service.list_products()[0][0] == bread


def test_the_history_keeps_no_lots(service, milk):
    assert [version.lots for version in service.list_movements(milk.id)] == [()] * 3
    assert len(service.get_product(milk.id).lots) == 2


EXPIRY = "2026-12-01T00:00:00.000000Z"


def test_lots_are_shown_where_there_are_some(client, clock):
    """A product with dated units has one more key, the last, until none is left."""
    body = {"name": "Milk", "sku": "MILK", "stock": 3, "expiresAt": "2026-12-02T02:00:00+02:00"}
    created = client.post("/products", json=body)
    url = f"/products/{created.json['id']}"
    client.put(f"{url}/add", json={"quantity": 2, "expiresAt": "2026-12-01T00:00:00Z"})
    item = {"sku": "MILK", "operation": "add", "quantity": 1, "expiresAt": EXPIRY}
    client.post("/products/bulk-update", json={"updates": [item]})

    product = client.get(url).json
    assert list(product)[-1] == "lots"
    assert [list(lot.items()) for lot in product["lots"]] == [
        [("quantity", 3), ("expiresAt", EXPIRY)],
        [("quantity", 3), ("expiresAt", "2026-12-02T00:00:00.000000Z")],
    ]
    assert created.json["lots"] == product["lots"][1:]

    assert ",MILK,6,0," in client.get("/reports/inventory.csv").text
    clock.now = datetime(2026, 12, 2, tzinfo=UTC)
    assert "lots" not in client.get(url).json
    assert client.get(f"{url}/status").json["stock"] == 0
    assert ",MILK,0,0," in client.get("/reports/inventory.csv?status=LOW_STOCK").text


FORMAT = "expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z"
NO_EXPIRIES = [
    "2099-12-01",
    "2099-12-01T00:00:00",
    "2099-12-01 00:00:00Z",
    "2099-12-01t00:00:00Z",
    "20991201T000000Z",
    "2099-W10-1T00:00:00Z",
    "2099-13-01T00:00:00Z",
    "2099-02-30T00:00:00Z",
    "2099-12-01T24:00:00Z",
    "2099-12-01T00:60:00Z",
    "2099-12-01T00:00:60Z",
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+01:00",
    *(f"2099-12-01T10:{end}" for end in ["20:305Z", "203Z", "+20", "20:30xZ", "20:30,5Z"]),
    *(f"2099-12-01T10:20:30{end}" for end in ["+01.00", "Z\0", "+01", "+0100", "+01:60", "-24:00"]),
    *(f"2099-12-01T10:20:30{end}" for end in ["z", ".Z", ".1234567890Z", "Z ", "\u0660Z"]),
    "\ud800",
    "",
    "tomorrow",
    None,
    1796083200,
    ["T"],
]


@pytest.mark.parametrize("text", NO_EXPIRIES)
def test_a_malformed_expiry_is_refused(client, laptop, url, text):
    item = {"sku": "LTP-123", "operation": "add", "quantity": 1, "expiresAt": text}

    added = client.put(f"{url}/add", json={"quantity": 1, "expiresAt": text})
    batch = client.post("/products/bulk-update", json={"updates": [item]})

    assert (added.status_code, added.json["message"]) == (400, FORMAT)
    assert batch.json["message"] == f"updates[0]: {FORMAT}"
    assert client.get(url).json == laptop


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T00:00:00Z",
        "2026-12-01T09:00:00+09:00",
        "2026-11-30T23:00:00.000-01:00",
        "2026-12-01T00:00:00.000000999-00:00",
    ],
)
def test_an_expiry_may_be_written_with_any_offset(client, text):
    body = {"name": "Milk", "sku": "MILK", "stock": 1, "expiresAt": text}

    assert client.post("/products", json=body).json["lots"] == [
        {"quantity": 1, "expiresAt": EXPIRY}
    ]
