"""Batches: all of it or none of it."""

import pytest

from inventory.batches import Operation, StockUpdate
from inventory.errors import InsufficientStockError, InvalidValueError
from tests.support import refused


@pytest.fixture
def phone(client):
    """The JSON of a second product, with 10 in stock."""
    return client.post("/products", json={"name": "Phone", "sku": "PHN-7", "stock": 10}).json


@pytest.fixture
def send(client):
    """Send the items of a batch, and return the answer."""
    return lambda *items: client.post("/products/bulk-update", json={"updates": items})


def item(operation, quantity, **target):
    """An item as it is in a body."""
    return {"operation": operation, "quantity": quantity, **target}


def test_a_batch_changes_all_its_products(client, send, laptop, phone):
    """Products are named by id or by SKU in any letter case; each result is the stock then."""
    response = send(
        item("reduce", 5, productId=laptop["id"]),
        item("add", 3, sku=" phn-7 "),
        item("add", 1, sku="LTP-123"),
    )

    assert response.status_code == 200
    results = [(laptop["id"], 15), (phone["id"], 13), (laptop["id"], 16)]
    assert response.json == {
        "success": True,
        "results": [{"productId": id_, "newStock": stock} for id_, stock in results],
    }
    movements = client.get(f"/products/{laptop['id']}/movements?after=1").json["movements"]
    assert [(m["version"], m["change"], m["stock"]) for m in movements] == [(2, -5, 15), (3, 1, 16)]


def test_items_are_judged_against_what_those_before_them_left(client, send, phone):
    """Two items of 6 against a stock of 10 are refused; what one adds, a later one may take."""
    taken_twice = [item("reduce", 6, sku="PHN-7")] * 2

    assert refused(send(*taken_twice), 400, "updates[1]: Not enough stock available")
    assert client.get(f"/products/{phone['id']}").json == phone
    assert send(item("add", 5, sku="PHN-7"), item("reduce", 15, sku="PHN-7")).status_code == 200


GOOD = item("add", 1, sku="LTP-123")
EITHER = "either productId or sku is required, and not both"
OPERATION = "operation must be add or reduce"
QUANTITY = "quantity must be an integer of at least 1"


@pytest.mark.parametrize(
    ("bad", "status", "message"),
    [
        (item("add", 1, sku="unknown"), 404, "Product not found"),
        (item("add", 1, productId="x"), 404, "Product not found"),
        (item("add", 1, sku=" "), 400, "sku must be a string of 1 to 64 characters"),
        (item("add", 1, sku=None), 400, "sku must be a string"),
        (item("add", 1, productId=[]), 400, "productId must be a string"),
        (item("add", 1), 400, EITHER),
        (item("add", 1, sku="LTP-123", productId="x"), 400, EITHER),
        (item("ADD", 1, sku="LTP-123"), 400, OPERATION),
        (item(["add"], 1, sku="LTP-123"), 400, OPERATION),
        ({"sku": "LTP-123", "quantity": 1}, 400, "operation is required"),
        ({"sku": "LTP-123", "operation": "add"}, 400, "quantity is required"),
        (item("add", 0, sku="LTP-123"), 400, QUANTITY),
        (item("add", 1.5, sku="LTP-123"), 400, QUANTITY),
        (item("add", 1, sku="LTP-123", note=""), 400, "unknown field 'note'"),
        (item("reduce", 22, sku="LTP-123"), 400, "Not enough stock available"),
        ("add", 400, "must be a JSON object"),
        (
            item("reduce", 1, sku="LTP-123", expiresAt="2099-12-01T00:00:00Z"),
            400,
            "expiresAt is for units that are added",
        ),
    ],
)
def test_a_refused_item_is_named_and_nothing_changes(
    client, send, laptop, url, bad, status, message
):
    """A refusal has the status of the single call, names the item, and undoes those before it."""
    assert refused(send(GOOD, bad), status, f"updates[1]: {message}")
    assert client.get(url).json == laptop


def test_a_repeated_key_in_an_item_is_refused(client, laptop):
    body = '{"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 1, "quantity": 2}]}'
    response = client.post("/products/bulk-update", data=body)

    assert refused(response, 400, "updates[0]: quantity must be given only once")


def test_the_first_refused_item_is_named(send, laptop):
    """Items that are well-formed are judged in order, products that are not there included."""
    response = send(item("reduce", 999, sku="LTP-123"), item("add", 1, sku="unknown"))

    assert refused(response, 400, "updates[0]: Not enough stock available")


@pytest.mark.parametrize("updates", [[], [GOOD] * 1001, {}, None, "add"])
def test_a_batch_has_1_to_1000_items(client, laptop, updates):
    """A batch that is empty, too large or no list is refused; one of 1,000 items is done."""
    response = client.post("/products/bulk-update", json={"updates": updates})

    assert refused(response, 400, "updates must be a list of 1 to 1000 items")
    largest = client.post("/products/bulk-update", json={"updates": [GOOD] * 1000})
    assert largest.json["results"][-1]["newStock"] == 1020


def test_the_service_refuses_bad_updates_by_itself(service):
    ticket = service.create_product("Ticket", "TICKET", stock=5)
    add = StockUpdate(Operation.ADD, 1, sku="TICKET")

    with pytest.raises(InvalidValueError, match="^either productId or sku"):
        StockUpdate(Operation.ADD, 1)
    with pytest.raises(InvalidValueError, match=r"^updates\[0\]: quantity"):
        service.bulk_update([StockUpdate(Operation.ADD, -1, sku="TICKET")])
    with pytest.raises(InsufficientStockError, match=r"^updates\[1\]: Not enough"):
        service.bulk_update([add, StockUpdate(Operation.REDUCE, 7, sku="TICKET")])

    assert service.get_product(ticket.id) == ticket
