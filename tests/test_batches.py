"""Batches: all of it or none of it."""

import pytest

from inventory.batches import Operation, StockUpdate
from inventory.errors import InsufficientStockError, InvalidValueError
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService


@pytest.fixture
def phone(client):
    """The JSON of a second product, with 10 in stock."""
    return client.post("/products", json={"name": "Phone", "sku": "PHN-7", "stock": 10}).json


def stocks(client, *products):
    """The present stock of each product."""
    return [client.get(f"/products/{product['id']}").json["stock"] for product in products]


def test_a_batch_changes_all_its_products(client, laptop, phone):
    """Products are named by id or by SKU in any letter case; each result is the stock then."""
    updates = [
        {"productId": laptop["id"], "operation": "reduce", "quantity": 5},
        {"sku": "phn-7", "operation": "add", "quantity": 3},
        {"sku": "LTP-123", "operation": "add", "quantity": 1},
    ]

    response = client.post("/products/bulk-update", json={"updates": updates})

    assert response.status_code == 200
    assert response.json == {
        "success": True,
        "results": [
            {"productId": laptop["id"], "newStock": 15},
            {"productId": phone["id"], "newStock": 13},
            {"productId": laptop["id"], "newStock": 16},
        ],
    }
    assert stocks(client, laptop, phone) == [16, 13]


def test_each_item_is_a_movement(client, laptop):
    """A product that a batch names twice has two movements and two versions more."""
    updates = [{"sku": "LTP-123", "operation": "reduce", "quantity": n} for n in (5, 7)]
    client.post("/products/bulk-update", json={"updates": updates})

    movements = client.get(f"/products/{laptop['id']}/movements?after=1").json["movements"]

    assert [(m["version"], m["change"], m["stock"]) for m in movements] == [(2, -5, 15), (3, -7, 8)]


def test_items_are_judged_against_what_those_before_them_left(client, phone):
    """Two items of 6 against a stock of 10 are refused, though each alone would not be."""
    updates = [{"sku": "PHN-7", "operation": "reduce", "quantity": 6}] * 2

    response = client.post("/products/bulk-update", json={"updates": updates})

    assert response.status_code == 400
    assert response.json["message"] == "updates[1]: Not enough stock available"
    assert stocks(client, phone) == [10]


def test_an_earlier_item_may_make_a_later_one_possible(client, phone):
    """What an item adds, a later one may take."""
    updates = [
        {"sku": "PHN-7", "operation": "add", "quantity": 5},
        {"sku": "PHN-7", "operation": "reduce", "quantity": 15},
    ]

    assert client.post("/products/bulk-update", json={"updates": updates}).status_code == 200
    assert stocks(client, phone) == [0]


GOOD = {"sku": "LTP-123", "operation": "add", "quantity": 1}
EITHER = "updates[1]: either productId or sku is required, and not both"
OPERATION = "updates[1]: operation must be add or reduce"
QUANTITY = "updates[1]: quantity must be an integer of at least 1"


@pytest.mark.parametrize(
    ("item", "status", "message"),
    [
        ({**GOOD, "sku": "unknown"}, 404, "updates[1]: Product not found"),
        ({**GOOD, "sku": " "}, 400, "updates[1]: sku must be a string of 1 to 64 characters"),
        ({**GOOD, "sku": None}, 400, "updates[1]: sku must be a string"),
        (
            {"productId": "x", "operation": "add", "quantity": 1},
            404,
            "updates[1]: Product not found",
        ),
        (
            {"productId": [], "operation": "add", "quantity": 1},
            400,
            "updates[1]: productId must be a string",
        ),
        ({"operation": "add", "quantity": 1}, 400, EITHER),
        ({**GOOD, "productId": "x"}, 400, EITHER),
        ({**GOOD, "operation": "ADD"}, 400, OPERATION),
        ({**GOOD, "operation": ["add"]}, 400, OPERATION),
        ({"sku": "LTP-123", "quantity": 1}, 400, "updates[1]: operation is required"),
        ({"sku": "LTP-123", "operation": "add"}, 400, "updates[1]: quantity is required"),
        ({**GOOD, "quantity": 0}, 400, QUANTITY),
        ({**GOOD, "quantity": True}, 400, QUANTITY),
        ({**GOOD, "quantity": 1.5}, 400, QUANTITY),
        ({**GOOD, "note": ""}, 400, "updates[1]: unknown field 'note'"),
        (
            {**GOOD, "operation": "reduce", "quantity": 22},
            400,
            "updates[1]: Not enough stock available",
        ),
        ("add", 400, "updates[1]: must be a JSON object"),
    ],
)
def test_a_refused_item_is_named_and_nothing_changes(client, laptop, item, status, message):
    """A refusal has the status of the single call, names the item, and undoes those before it."""
    response = client.post("/products/bulk-update", json={"updates": [GOOD, item]})

    assert (response.status_code, response.json) == (status, {"error": True, "message": message})
    assert client.get(f"/products/{laptop['id']}").json == laptop


def test_a_repeated_key_in_an_item_is_refused(client, laptop):
    """A key that an item has twice is refused with the item's place."""
    body = '{"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 1, "quantity": 2}]}'

    response = client.post("/products/bulk-update", data=body)

    assert response.json["message"] == "updates[0]: quantity must be given only once"


def test_the_first_refused_item_is_named(client, laptop):
    """Items that are well-formed are judged in order, products that are not there included."""
    updates = [
        {"sku": "LTP-123", "operation": "reduce", "quantity": 999},
        {"sku": "unknown", "operation": "add", "quantity": 1},
    ]

    response = client.post("/products/bulk-update", json={"updates": updates})

    assert response.status_code == 400
    assert response.json["message"] == "updates[0]: Not enough stock available"


@pytest.mark.parametrize("updates", [[], [GOOD] * 1001, {}, None, "add"])
def test_a_batch_has_1_to_1000_items(client, laptop, updates):
    """A batch that is empty, too large or no list is refused."""
    response = client.post("/products/bulk-update", json={"updates": updates})

    assert response.status_code == 400
    assert response.json["message"] == "updates must be a list of 1 to 1000 items"
    assert stocks(client, laptop) == [20]


def test_a_batch_of_1000_items_is_done(client, laptop):
    """The largest batch is one change of everything it names."""
    response = client.post("/products/bulk-update", json={"updates": [GOOD] * 1000})

    assert response.json["results"][-1]["newStock"] == 1020
    assert stocks(client, laptop) == [1020]


class Interrupted(InMemoryProductRepository):
    """Lets something happen between a look-up and the lock that it leads to, once."""

    happening = None
    locked = None

    def insert(self, row, product):
        row.lock = InterruptedLock(self, product.id, row.lock)
        super().insert(row, product)


class InterruptedLock:
    def __init__(self, products, product_id, lock):
        self.products, self.product_id, self.lock = products, product_id, lock

    def __enter__(self):
        self.products.locked = self.product_id
        happening, self.products.happening = self.products.happening, None
        if happening:
            happening()
        self.lock.acquire()

    def __exit__(self, *_):
        self.lock.release()


@pytest.fixture
def interrupted():
    """A repository and its service."""
    products = Interrupted()
    return products, InventoryService(products)


ADD_TICKET = StockUpdate(sku="TICKET", operation=Operation.ADD, quantity=1)


def test_a_sku_that_moves_on_before_the_lock_is_followed(interrupted):
    """A batch changes the product that has the SKU when the batch takes effect."""
    products, service = interrupted
    old = service.create_product("Old", "TICKET")
    heirs = []

    def replace():
        service.delete_product(old.id)
        heirs.append(service.create_product("New", "ticket"))

    products.happening = replace
    [changed] = service.bulk_update([ADD_TICKET])

    assert (changed.id, changed.stock) == (heirs[0].id, 1)
    assert products.locked == changed.id
    assert [m.movement for m in service.list_movements(old.id)] == ["CREATED", "DELETED"]


@pytest.mark.parametrize("by_id", [False, True])
def test_a_product_that_is_deleted_before_the_lock_is_not_found(interrupted, by_id):
    """A batch never changes a deleted product."""
    products, service = interrupted
    ticket = service.create_product("Ticket", "TICKET")
    products.happening = lambda: service.delete_product(ticket.id)
    update = StockUpdate(product_id=ticket.id, operation=Operation.ADD, quantity=1)

    with pytest.raises(Exception, match=r"^updates\[0\]: Product not found$"):
        service.bulk_update([update if by_id else ADD_TICKET])

    assert [m.movement for m in service.list_movements(ticket.id)] == ["CREATED", "DELETED"]


def test_the_service_refuses_bad_updates_by_itself(service):
    """Without HTTP too, a bad update is refused and changes nothing."""
    ticket = service.create_product("Ticket", "TICKET", stock=5)

    with pytest.raises(InvalidValueError, match="^either productId or sku"):
        StockUpdate(operation=Operation.ADD, quantity=1)
    with pytest.raises(InvalidValueError, match=r"^updates\[0\]: quantity"):
        service.bulk_update([StockUpdate(sku="TICKET", operation=Operation.ADD, quantity=-1)])
    with pytest.raises(InsufficientStockError, match=r"^updates\[1\]: Not enough"):
        service.bulk_update(
            [ADD_TICKET, StockUpdate(sku="TICKET", operation=Operation.REDUCE, quantity=7)]
        )

    assert service.get_product(ticket.id) == ticket
