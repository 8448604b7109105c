"""Perishable units: the earliest expiry is taken first, and expired units are not stock."""

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest

from inventory.errors import InsufficientStockError, InvalidValueError, ProductChangedError
from inventory.service import BatchItem, InventoryService
from tests.support import add, is_error, reduce


@pytest.fixture
def day(clock):
    """Return the time a number of days from now."""
    start = clock.now
    return lambda number: start + timedelta(days=number)


@pytest.fixture
def milk(service, day):
    """Ten units: two expire after one day, three after two days, five never."""
    product = service.create_product("Milk", "MILK", stock=3, expires_at=day(2))
    service.add_stock(product.id, 5)
    return service.add_stock(product.id, 2, expires_at=day(1))


def quantities(product):
    """Return the units of each lot, earliest expiry first, and the units without an expiry."""
    dated = [lot.quantity for lot in product.lots]
    return dated, product.stock - sum(dated)


def log(service, product):
    """Return the changes of a product after its first three versions."""
    return [(v.movement.value, v.change, v.stock) for v in service.list_movements(product.id)[3:]]


@pytest.mark.parametrize(
    ("quantity", "left"),
    [(1, ([1, 3], 5)), (2, ([3], 5)), (4, ([1], 5)), (7, ([], 3))],
)
def test_reduce_takes_the_earliest_expiry_first(service, milk, quantity, left):
    assert quantities(service.reduce_stock(milk.id, quantity)) == left


def test_units_with_the_same_expiry_form_one_lot(service, milk, day):
    """The same instant in another time zone, behind an earlier lot."""
    east = day(2).astimezone(timezone(timedelta(hours=9)))

    product = service.add_stock(milk.id, 4, expires_at=east)

    assert quantities(product) == ([2, 7], 5)
    assert all(lot.expires_at.tzinfo is UTC for lot in product.lots)


def test_a_product_has_at_most_1000_lots(service, milk, day):
    items = [BatchItem(milk.id, add(1, day(number))) for number in range(3, 1001)]

    assert len(service.bulk_update(items)[-1].lots) == 1000
    with pytest.raises(InvalidValueError, match="^a product may have at most 1000 lots$"):
        service.add_stock(milk.id, 1, expires_at=day(1001))
    assert len(service.add_stock(milk.id, 1, expires_at=day(1000)).lots) == 1000


def test_a_lot_stops_being_stock_at_the_exact_instant_of_its_expiry(service, clock, milk, day):
    clock.now = day(1) - timedelta(microseconds=1)
    assert service.get_product(milk.id) == milk

    clock.now = day(1)
    written_off = service.get_product(milk.id)
    assert quantities(written_off) == ([3], 5)
    assert (written_off.version, written_off.updated_at) == (milk.version + 1, day(1))


ADD = BatchItem("MILK", add(1), by_sku=True)
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


def test_expired_units_are_written_off_even_if_the_change_is_rejected(service, clock, milk, day):
    clock.now = day(1)

    with pytest.raises(ProductChangedError):
        service.reduce_stock(milk.id, 1, expected={milk.version})
    with pytest.raises(InsufficientStockError, match=r"^updates\[1\]"):
        service.bulk_update([ADD, BatchItem(milk.id, reduce(10))])

    assert log(service, milk) == [("EXPIRED", -2, 8)]
    assert service.reduce_stock(milk.id, 8).stock == 0


@pytest.mark.parametrize("access", ["reduce", "batch", "restore"])
def test_the_clock_is_read_under_the_row_lock(service, clock, milk, day, published, access):
    """A thread that waits for the lock past an expiry must not sell the expired units."""

    class LockReleasedAtTheExpiry:
        def __enter__(self):
            clock.now = day(1)

        def __exit__(self, *_):
            pass

    if access == "restore":
        service.delete_product(milk.id)
    service._products.find_row(milk.id).lock = LockReleasedAtTheExpiry()  # noqa: SLF001
    published.clear()

    {**ACCESSES, "restore": InventoryService.restore_product}[access](service, milk.id)

    movements = [version.movement for commit in published for version in commit.versions]
    assert "EXPIRED" in movements


def test_lots_that_expire_while_deleted_are_written_off_by_the_restore(service, clock, milk, day):
    service.delete_product(milk.id)
    clock.now = day(1)
    assert log(service, milk) == [("DELETED", 0, 10)]

    assert quantities(service.restore_product(milk.id)) == ([3], 5)
    assert log(service, milk)[1:] == [("RESTORED", 0, 10), ("EXPIRED", -2, 8)]


def test_an_expiry_must_be_in_the_future_and_requires_units(service, clock, milk, day):
    add_one = partial(service.add_stock, milk.id, 1)
    create = partial(service.create_product, "Cheese", "CHEESE")
    for change, rule in [
        (partial(add_one, expires_at=clock.now), "must be in the future"),
        (partial(create, stock=1, expires_at=day(-1)), "must be in the future"),
        (partial(create, stock=0, expires_at=day(1)), "requires a stock of at least 1"),
    ]:
        with pytest.raises(InvalidValueError, match=f"^expiresAt {rule}"):
            change()


def test_the_history_stores_no_lots(service, milk):
    """With 1,000 lots each, 20,000 versions would keep 160 MB."""
    assert [version.lots for version in service.list_movements(milk.id)] == [()] * 3


def test_lots_are_the_last_key_of_a_product(client, clock):
    one, two = ({"quantity": 2, "expiresAt": f"2026-12-0{day}T00:00:00.000000Z"} for day in (1, 2))
    body = {"name": "Milk", "sku": "MILK", "stock": 2, "expiresAt": two["expiresAt"]}
    created = client.post("/products", json=body)
    url = f"/products/{created.json['id']}"
    item = {"sku": "MILK", "operation": "add", **one}
    client.post("/products/bulk-update", json={"updates": [item]})

    product = client.get(url).json
    assert list(product)[-1] == "lots"
    assert json.dumps(product["lots"]) == json.dumps([one, two])
    assert created.json["lots"] == [two]
    assert ",MILK,4,0," in client.get("/reports/inventory.csv").text

    clock.now = datetime(2026, 12, 2, tzinfo=UTC)
    assert "lots" not in client.get(url).json
    assert ",MILK,0,0," in client.get("/reports/inventory.csv?status=LOW_STOCK").text


MALFORMED = {
    "no offset": "2099-12-01T00:00:00",
    "a space instead of T": "2099-12-01 00:00:00Z",
    "a lower-case t": "2099-12-01t00:00:00Z",
    "a lower-case z": "2099-12-01T00:00:00z",
    "no such day": "2099-02-30T00:00:00Z",
    "hour 24": "2099-12-01T24:00:00Z",
    "second 60": "2099-12-01T00:00:60Z",
    "before the year 1 in UTC": "0001-01-01T00:00:00+01:00",
    "a comma": "2099-12-01T10:20:30,5Z",
    "ten fractional digits": "2099-12-01T10:20:30.1234567890Z",
    "an offset without a colon": "2099-12-01T10:20:30+0100",
    "an offset of 60 minutes": "2099-12-01T10:20:30+01:60",
    "an Arabic digit": "2099-12-01T10:20:3\u0660Z",
    "a number": 1796083200,
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_an_expiry_that_is_not_rfc_3339_is_rejected(client, url, text):
    response = client.put(f"{url}/add", json={"quantity": 1, "expiresAt": text})

    assert is_error(
        response, 400, "expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T00:00:00Z",
        "2026-12-01T09:00:00+09:00",
        "2026-11-30T23:00:00.000-01:00",
        "2026-12-01T00:00:00.000000999-00:00",
    ],
)
def test_an_expiry_has_any_offset_and_up_to_nine_fractional_digits(client, text):
    body = {"name": "Milk", "sku": "MILK", "stock": 1, "expiresAt": text}

    assert client.post("/products", json=body).json["lots"] == [
        {"quantity": 1, "expiresAt": "2026-12-01T00:00:00.000000Z"}
    ]
