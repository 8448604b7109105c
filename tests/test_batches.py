"""bulk-update: all items or none."""

import pytest

from tests.support import is_error


@pytest.fixture
def phone(client):
    """The JSON of a second product, with 10 in stock."""
    return client.post("/products", json={"name": "Phone", "sku": "PHN-7", "stock": 10}).json


@pytest.fixture
def send(client):
    """Send a batch of these items."""
    return lambda *items: client.post("/products/bulk-update", json={"updates": items})


def item(operation, quantity, **target):
    """Return the JSON of an item."""
    return {"operation": operation, "quantity": quantity, **target}


def test_a_batch_changes_products_by_id_and_by_sku_in_order(send, laptop, phone):
    response = send(
        item("reduce", 5, productId=laptop["id"].upper()),
        item("add", 3, sku=" phn-7 "),
        item("add", 1, sku="LTP-123"),
    )

    assert response.status_code == 200
    assert response.json == {
        "success": True,
        "results": [
            {"productId": laptop["id"], "newStock": 15},
            {"productId": phone["id"], "newStock": 13},
            {"productId": laptop["id"], "newStock": 16},
        ],
    }


def test_an_item_sees_the_stock_that_earlier_items_left(client, send, phone):
    taken_twice = [item("reduce", 6, sku="PHN-7")] * 2

    assert is_error(send(*taken_twice), 400, "updates[1]: Not enough stock available")
    assert client.get(f"/products/{phone['id']}").json == phone
    assert send(item("add", 5, sku="PHN-7"), item("reduce", 15, sku="PHN-7")).status_code == 200


GOOD = item("add", 1, sku="LTP-123")
ONE_TARGET = "exactly one of productId and sku is required"
QUANTITY = "quantity must be an integer of at least 1"


@pytest.mark.parametrize(
    ("bad", "status", "message"),
    [
        (item("add", 1, sku="unknown"), 404, "Product not found"),
        (item("add", 1, sku=None), 400, "sku must be a string of 1 to 64 characters"),
        (item("add", 1, productId=None), 400, "productId must be a string"),
        (item("add", 1), 400, ONE_TARGET),
        (item("add", 1, sku="LTP-123", productId="x"), 400, ONE_TARGET),
        (item(["add"], 1, sku="LTP-123"), 400, "operation must be add or reduce"),
        ({"sku": "LTP-123", "quantity": 1}, 400, "operation is required"),
        (item("add", 0, sku="LTP-123"), 400, QUANTITY),
        (item("add", 1, sku="LTP-123", note=""), 400, "unknown field 'note'"),
        ("add", 400, "must be a JSON object"),
        (
            item("reduce", 1, sku="LTP-123", expiresAt="2099-12-01T00:00:00Z"),
            400,
            "expiresAt is only allowed with operation add",
        ),
    ],
)
def test_a_rejected_item_is_named_and_nothing_changes(
    client, send, laptop, url, bad, status, message
):
    assert is_error(send(GOOD, bad), status, f"updates[1]: {message}")
    assert client.get(url).json == laptop


def test_fields_of_all_items_are_validated_before_an_item_is_applied(send, laptop):
    response = send(item("add", 1, sku="unknown"), item("add", 0, sku="LTP-123"))

    assert is_error(response, 400, f"updates[1]: {QUANTITY}")


@pytest.mark.parametrize("updates", [[], [GOOD] * 1001, {}])
def test_a_batch_has_1_to_1000_items(client, laptop, updates):
    response = client.post("/products/bulk-update", json={"updates": updates})

    assert is_error(response, 400, "updates must be a list of 1 to 1000 items")
    largest = client.post("/products/bulk-update", json={"updates": [GOOD] * 1000})
    assert largest.json["results"][-1]["newStock"] == 1020
