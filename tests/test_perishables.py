"""Perishable units: the soonest to expire go first, and what has expired is no stock."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from random import Random

import pytest
from racing import WithoutProductLocks, race

from inventory.alerts import is_low_stock_alert
from inventory.batches import Operation, StockUpdate
from inventory.errors import (
    DuplicateSkuError,
    InsufficientStockError,
    InvalidValueError,
    ProductChangedError,
)
from inventory.lots import Lot
from inventory.models import MovementType
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService


@pytest.fixture
def day(clock):
    """The instant a number of days from now."""
    return lambda number: clock.now + timedelta(days=number)


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
    """What happened to a product."""
    return [(m.movement.value, m.change, m.stock) for m in service.list_movements(product.id)]


def test_the_soonest_lot_comes_first(milk, day):
    """Lots are in the order of their expiry, whenever they came."""
    assert milk.lots == (Lot(day(1), 2), Lot(day(2), 3))
    assert quantities(milk) == ([2, 3], 5)


@pytest.mark.parametrize(
    ("quantity", "left"),
    [(1, ([1, 3], 5)), (2, ([3], 5)), (4, ([1], 5)), (5, ([], 5)), (7, ([], 3)), (10, ([], 0))],
)
def test_the_soonest_units_are_taken_first(service, milk, quantity, left):
    """A reduction takes as many lots as it needs, soonest first, and undated units last."""
    assert quantities(service.reduce_stock(milk.id, quantity)) == left


def test_equal_instants_are_one_lot(service, milk, day):
    """Units that expire at the same instant are one lot, whatever offset it is written with."""
    east = day(1).astimezone(timezone(timedelta(hours=9)))

    product = service.add_stock(milk.id, 4, expires_at=east)

    assert quantities(product) == ([6, 3], 5)
    assert all(lot.expires_at.tzinfo is UTC for lot in product.lots)


def test_a_lot_expires_at_its_very_instant(service, clock, milk, day):
    """A microsecond before its expiry a lot is stock, and at the instant it is none."""
    clock.now = day(1) - timedelta(microseconds=1)
    assert service.get_product(milk.id) == milk

    clock.advance(0.000001)
    assert quantities(service.get_product(milk.id)) == ([3], 5)


def test_a_write_off_is_a_change(service, clock, milk):
    """What has expired is written off by one movement, with a version and a time of its own."""
    clock.advance(2 * 86400)

    product = service.get_product(milk.id)

    assert (product.stock, product.lots) == (5, ())
    assert (product.version, product.updated_at) == (milk.version + 1, clock.now)
    assert log(service, milk)[3:] == [("EXPIRED", -5, 5)]
    assert service.list_movements(milk.id)[3].actor is None
    assert service.get_product(milk.id) == product


def test_a_write_off_raises_an_alert(clock, day):
    """A product that becomes low on stock because units expire raises an alert."""
    alerts = []

    def publish(product):
        if is_low_stock_alert(product):
            alerts.append((product.movement, product.stock))

    service = InventoryService(InMemoryProductRepository(), clock=clock, publish=publish)
    milk = service.create_product("Milk", "MILK", 9, 5, expires_at=day(1))
    service.add_stock(milk.id, 2)
    service.delete_product(milk.id)
    clock.advance(86400)
    service.restore_product(milk.id)

    assert alerts == [(MovementType.EXPIRED, 2)]


def test_expired_units_are_never_sold(service, clock, milk):
    """A reduction that needs expired units is refused, and they are written off all the same."""
    clock.advance(86400)

    with pytest.raises(InsufficientStockError):
        service.reduce_stock(milk.id, 9)

    assert log(service, milk)[3:] == [("EXPIRED", -2, 8)]
    assert service.reduce_stock(milk.id, 8).stock == 0


@pytest.mark.parametrize(
    "touch",
    [
        lambda service, milk: service.get_product(milk),
        lambda service, milk: service.list_movements(milk),
        lambda service, milk: service.list_products(),
        lambda service, milk: service.list_products(sku="milk"),
        lambda service, milk: list(service.iterate_products()),
        lambda service, milk: service.add_stock(milk, 1),
        lambda service, milk: service.reduce_stock(milk, 1),
        lambda service, milk: service.delete_product(milk),
        lambda service, milk: service.bulk_update(
            [StockUpdate(product_id=milk, operation=Operation.ADD, quantity=1)]
        ),
    ],
)
def test_whoever_comes_first_writes_off(service, clock, milk, touch):
    """Every path writes off what has expired, before it does anything else."""
    clock.advance(86400)

    touch(service, milk.id)

    assert log(service, milk)[3] == ("EXPIRED", -2, 8)
    touched_twice = Counter(kind for kind, *_ in log(service, milk))
    assert touched_twice["EXPIRED"] == 1


def test_lists_go_by_what_is_left(service, clock, milk, day):
    """A status filter sees a product as it is without expired units."""
    cheese = service.create_product("Cheese", "CHEESE", 4, 3, expires_at=day(1))
    assert len(service.list_products(status=cheese.status)[0]) == 2

    clock.advance(86400)

    [low] = service.list_products(status="LOW_STOCK")[0]
    assert (low.id, low.stock) == (cheese.id, 0)


def test_a_refused_batch_writes_off_all_the_same(service, clock, milk):
    """That a batch is refused does not make expired units fresh."""
    clock.advance(86400)
    updates = [
        StockUpdate(sku="MILK", operation=Operation.ADD, quantity=1),
        StockUpdate(sku="MILK", operation=Operation.REDUCE, quantity=10),
    ]

    with pytest.raises(InsufficientStockError, match=r"^updates\[1\]"):
        service.bulk_update(updates)

    assert log(service, milk)[3:] == [("EXPIRED", -2, 8)]


def test_a_batch_takes_and_brings_lots(service, milk, day):
    """The items of a batch consume and form lots as the single calls do."""
    take = StockUpdate(sku="MILK", operation=Operation.REDUCE, quantity=3)
    bring = StockUpdate(sku="MILK", operation=Operation.ADD, quantity=4, expires_at=day(1))

    first, second, third = service.bulk_update([take, bring, take])

    assert quantities(first) == ([2], 5)
    assert quantities(second) == ([4, 2], 5)
    assert quantities(third) == ([1, 2], 5)


def test_units_that_are_taken_have_no_expiry(day):
    """An item that takes units cannot say when they expire."""
    with pytest.raises(InvalidValueError, match="^expiresAt is for units"):
        StockUpdate(sku="MILK", operation=Operation.REDUCE, quantity=1, expires_at=day(1))


def test_a_write_off_makes_a_version_stale(service, clock, milk):
    """Who expects the version before a write-off has not seen the present stock."""
    clock.advance(86400)

    with pytest.raises(ProductChangedError):
        service.reduce_stock(milk.id, 1, expected={milk.version})


def test_what_expires_while_deleted_is_written_off_at_the_return(service, clock, milk):
    """A deleted product keeps its lots, and comes back without those that have expired since."""
    service.delete_product(milk.id)
    clock.advance(86400)
    assert log(service, milk)[3:] == [("DELETED", 0, 10)]

    restored = service.restore_product(milk.id)

    assert quantities(restored) == ([3], 5)
    assert log(service, milk)[4:] == [("RESTORED", 0, 10), ("EXPIRED", -2, 8)]


def test_a_refused_return_writes_nothing_off(service, clock, milk):
    """A product that cannot come back is as it was."""
    service.delete_product(milk.id)
    service.create_product("Milk", "milk")
    clock.advance(86400)

    with pytest.raises(DuplicateSkuError):
        service.restore_product(milk.id)

    assert log(service, milk)[4:] == []


def test_a_refused_return_is_not_published(clock):
    """Subscribers hear of what has happened, and of nothing that was refused."""
    published = []
    service = InventoryService(
        InMemoryProductRepository(), clock=clock, publish=lambda m: published.append(m.movement)
    )
    milk = service.create_product("Milk", "MILK")
    service.delete_product(milk.id)
    service.create_product("Milk", "milk")

    with pytest.raises(DuplicateSkuError):
        service.restore_product(milk.id)

    assert published == ["CREATED", "DELETED", "CREATED"]


def test_an_expiry_needs_units(service, day):
    """A product that is created empty has nothing that could expire."""
    with pytest.raises(InvalidValueError, match="^expiresAt is for units, and there is no stock$"):
        service.create_product("Milk", "MILK", expires_at=day(1))


def test_a_product_has_at_most_1000_lots(service, milk, day):
    """Units for one lot more are refused; units for a lot that is there are not."""
    updates = [
        StockUpdate(Operation.ADD, 1, sku="MILK", expires_at=day(number))
        for number in range(3, 1001)
    ]
    full = service.bulk_update(updates)[-1]

    assert len(full.lots) == 1000
    with pytest.raises(InvalidValueError, match="^a product may have at most 1000 lots$"):
        service.add_stock(milk.id, 1, expires_at=day(1001))
    assert len(service.add_stock(milk.id, 1, expires_at=day(1000)).lots) == 1000
    service.reduce_stock(milk.id, 2)
    assert service.add_stock(milk.id, 1, expires_at=day(1001)).lots[-1].expires_at == day(1001)


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_expiry_is_in_the_future(service, clock, milk, seconds):
    """Units that have expired already cannot come in."""
    past = clock.now + timedelta(seconds=seconds)

    with pytest.raises(InvalidValueError, match="^expiresAt must be in the future$"):
        service.add_stock(milk.id, 1, expires_at=past)
    with pytest.raises(InvalidValueError, match="^expiresAt must be in the future$"):
        service.create_product("Cheese", "CHEESE", stock=1, expires_at=past)


def test_an_expiry_has_an_offset(service, milk):
    """A time that does not say where is no instant."""
    with pytest.raises(InvalidValueError, match="^expiresAt must have an offset"):
        service.add_stock(milk.id, 1, expires_at=datetime(2099, 1, 1))  # noqa: DTZ001


def test_without_lots_no_clock_is_read(clock):
    """Reading a product without lots costs nothing for those that have them."""
    now = []
    service = InventoryService(
        InMemoryProductRepository(), clock=lambda: now.append(1) or clock.now
    )
    bread = service.create_product("Bread", "BREAD", stock=5)

    service.get_product(bread.id)
    service.list_products()

    assert len(now) == 1


def test_a_read_of_fresh_units_takes_no_lock(service, milk):
    """As long as nothing has expired, a perishable product is read while it is being changed."""
    with service._products.get_row(milk.id).lock:  # noqa: SLF001
        [read] = race(partial(service.get_product, milk.id), time_limit=5)

    assert read == milk


def eight_readers_find_an_expired_lot(products, clock, seed):
    """Concurrent reads of an expired lot make one write-off, and all see the stock after it."""
    published = []
    service = InventoryService(products, clock=clock, publish=published.append)
    expiry = clock.now + timedelta(days=1)
    milk = service.create_product("Milk", "MILK", stock=5, expires_at=expiry)
    service.add_stock(milk.id, 2)
    clock.now = expiry

    read = race(*[partial(service.get_product, milk.id)] * 8, seed=seed)

    assert {product.stock for product in read} == {2}
    assert [(m.movement, m.change, m.stock) for m in published[2:]] == [
        (MovementType.EXPIRED, -5, 2)
    ]


@pytest.mark.parametrize("seed", [None, *range(4)])
def test_concurrent_reads_make_one_write_off(patient_locks, clock, seed):
    """The write-off is made once, whichever read comes first."""
    eight_readers_find_an_expired_lot(InMemoryProductRepository(), clock, seed)


def test_one_write_off_relies_on_the_lock(clock):
    """With a lock that does nothing, readers write off more than once."""
    with pytest.raises(AssertionError):
        eight_readers_find_an_expired_lot(WithoutProductLocks(), clock, None)


def test_a_product_that_is_deleted_while_it_is_read_is_not_found(patient_locks, clock, day):
    """A list passes over what is deleted between the look and the write-off."""
    for line in range(150):
        service = InventoryService(InMemoryProductRepository(), clock=clock)
        milk = service.create_product("Milk", "MILK", stock=5, expires_at=day(1))
        clock.advance(86400)

        listed, deleted = race(
            lambda: list(service.iterate_products()),
            partial(service.delete_product, milk.id),
            switch=line,
        )

        assert deleted.movement == "DELETED"
        assert all((product.stock, product.movement) == (0, "EXPIRED") for product in listed)


def test_movements_outlive_a_product_that_is_deleted_meanwhile(patient_locks, clock, day):
    """Whoever asks for the movements of a product while it is deleted gets them."""
    for line in range(150):
        service = InventoryService(InMemoryProductRepository(), clock=clock)
        milk = service.create_product("Milk", "MILK", stock=5, expires_at=day(1))
        clock.advance(86400)

        movements, _ = race(
            partial(service.list_movements, milk.id),
            partial(service.delete_product, milk.id),
            switch=line,
        )

        assert movements[0].movement == MovementType.CREATED


@pytest.mark.parametrize("seed", range(4))
def test_units_are_conserved(patient_locks, clock, day, seed):
    """Received = sold + written off + on hand, whatever happens at once."""
    service = InventoryService(InMemoryProductRepository(), clock=clock)
    milk = service.create_product("Milk", "MILK", stock=5, expires_at=day(1))
    random = Random(seed)

    for _ in range(8):
        race(
            *[
                partial(service.add_stock, milk.id, 4, expires_at=day(random.randint(1, 4)))
                for _ in range(3)
            ],
            *[partial(service.reduce_stock, milk.id, random.randint(1, 2)) for _ in range(3)],
            partial(service.get_product, milk.id),
            seed=seed,
        )
        clock.advance(86400 / 2)

    on_hand = service.get_product(milk.id)
    movements = service.list_movements(milk.id)
    moved = Counter()
    for movement in movements:
        moved[movement.movement] += movement.change
    received = moved[MovementType.CREATED] + moved[MovementType.ADDED]
    assert received + moved[MovementType.REDUCED] + moved[MovementType.EXPIRED] == on_hand.stock
    assert moved[MovementType.EXPIRED] < 0
    assert sum(lot.quantity for lot in on_hand.lots) == on_hand.stock


# Over HTTP

EXPIRY = "2026-12-01T00:00:00.000000Z"


def test_lots_are_shown_where_there_are_some(client, clock):
    """A product with dated units has one more key, the last, until none is left."""
    body = {"name": "Milk", "sku": "MILK", "stock": 3, "expiresAt": "2026-12-02T02:00:00+02:00"}
    created = client.post("/products", json=body)
    url = f"/products/{created.json['id']}"
    added = {"quantity": 2, "expiresAt": "2026-12-01T00:00:00Z"}
    client.put(f"{url}/add", json=added)

    product = client.get(url).json
    assert list(product)[-1] == "lots"
    assert [list(lot.items()) for lot in product["lots"]] == [
        [("quantity", 2), ("expiresAt", EXPIRY)],
        [("quantity", 3), ("expiresAt", "2026-12-02T00:00:00.000000Z")],
    ]
    assert created.json["lots"] == product["lots"][1:]

    clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    expired = client.get(url)
    assert expired.json["stock"] == 3
    assert expired.json["lots"] == product["lots"][1:]
    assert expired.headers["ETag"] == '"3"'

    client.put(f"{url}/reduce", json={"quantity": 3})
    assert "lots" not in client.get(url).json


def test_a_batch_brings_lots_over_http(client, laptop):
    """An item that adds units may say when they expire."""
    item = {"sku": "LTP-123", "operation": "add", "quantity": 2, "expiresAt": EXPIRY}

    assert client.post("/products/bulk-update", json={"updates": [item]}).status_code == 200

    product = client.get(f"/products/{laptop['id']}").json
    assert product["lots"] == [{"quantity": 2, "expiresAt": EXPIRY}]
    refused = client.post(
        "/products/bulk-update", json={"updates": [{**item, "operation": "reduce"}]}
    )
    assert refused.json["message"] == "updates[0]: expiresAt is for units that are added"


def test_status_and_report_leave_out_what_has_expired(client, clock):
    """No view of a product counts expired units."""
    body = {"name": "Milk", "sku": "MILK", "stock": 3, "expiresAt": EXPIRY}
    url = client.post("/products", json=body).headers["Location"]
    clock.now = datetime(2026, 12, 1, tzinfo=UTC)

    assert ",MILK,0,0,LOW_STOCK," in client.get("/reports/inventory.csv").text
    assert client.get(f"{url}/status").json["stock"] == 0


FORMAT = "expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z"
FUTURE = "expiresAt must be in the future"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-12-01", FORMAT),
        *[
            (f"2099-12-01T10:{rest}", FORMAT)
            for rest in ["20:305Z", "203Z", "+20", "20:30xZ", "20:30+01.00", "20:30Z\0", "20:30,5Z"]
        ],
        *[
            (f"2099-12-01T10:20:30{rest}", FORMAT)
            for rest in [
                "+01",
                "+0100",
                "+01:60",
                "-24:00",
                "z",
                ".Z",
                ".1234567890Z",
                "Z ",
                "\u0660Z",
            ]
        ],
        ("20991201T000000Z", FORMAT),
        ("2099-W10-1T00:00:00Z", FORMAT),
        ("2099-12-01t00:00:00Z", FORMAT),
        ("2099-12-01T24:00:00Z", FORMAT),
        ("2099-12-01T00:60:00Z", FORMAT),
        ("2099-12-01T00:00:60Z", FORMAT),
        ("2099-02-30T00:00:00Z", FORMAT),
        ("2026-12-01T00:00:00", FORMAT),
        ("2026-12-01 00:00:00Z", FORMAT),
        ("2026-13-01T00:00:00Z", FORMAT),
        ("2026-12-01T00:00:00+25:00", FORMAT),
        ("9999-12-31T23:59:59-01:00", FORMAT),
        ("0001-01-01T00:00:00+01:00", FORMAT),
        ("\ud800", FORMAT),
        ("", FORMAT),
        ("tomorrow", FORMAT),
        (None, FORMAT),
        (1796083200, FORMAT),
        (["T"], FORMAT),
        ("2026-11-22T06:26:00.123456Z", FUTURE),
        ("2026-11-22T07:26:00+01:00", FUTURE),
        ("1999-01-01T00:00:00Z", FUTURE),
    ],
)
def test_a_malformed_expiry_is_refused(client, laptop, text, message):
    """An expiry is a date-time with an offset, in the future, or the request is refused."""
    url = f"/products/{laptop['id']}"
    product = {"name": "Milk", "sku": "MILK", "stock": 1, "expiresAt": text}

    for response in (
        client.put(f"{url}/add", json={"quantity": 1, "expiresAt": text}),
        client.post("/products", json=product),
    ):
        assert (response.status_code, response.json["message"]) == (400, message)
    assert client.get("/products").json["products"] == [laptop]
    assert client.put(f"{url}/reduce", json={"quantity": 1, "expiresAt": EXPIRY}).status_code == 400


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
    """The same instant is shown in the same way, however it was written."""
    body = {"name": "Milk", "sku": "MILK", "stock": 1, "expiresAt": text}

    assert client.post("/products", json=body).json["lots"] == [
        {"quantity": 1, "expiresAt": EXPIRY}
    ]
