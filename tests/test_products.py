"""The five endpoints: what clients get, to the byte."""

import json

import pytest

from inventory import create_app
from tests.support import MAX, is_error


def test_create_answers_with_the_product(client):
    """A created product is shown whole, in a fixed order of keys, with its location and version."""
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 20, "reorderLevel": 5}

    response = client.post("/products", json=body)

    assert response.status_code == 201
    product = json.loads(response.text)
    assert list(product.items()) == [
        ("id", product["id"]),
        ("name", "Laptop"),
        ("sku", "LTP-123"),
        ("stock", 20),
        ("reorderLevel", 5),
        ("createdAt", "2026-11-22T06:26:00.123456Z"),
        ("updatedAt", "2026-11-22T06:26:00.123456Z"),
    ]
    assert response.headers["Location"] == f"/products/{product['id']}"
    assert response.headers["ETag"] == '"1"'
    assert client.get(response.headers["Location"]).json == product


def test_name_and_sku_are_enough(client):
    """Any script is shown as it was sent, stock and level are 0, and the location has a prefix."""
    body = {"name": " Café 東京 🍵 ", "sku": "Ü-1"}
    created = client.post("/products", json=body, environ_overrides={"SCRIPT_NAME": "/inventory"})

    assert (created.json["name"], created.json["sku"]) == ("Café 東京 🍵", "Ü-1")
    assert (created.json["stock"], created.json["reorderLevel"]) == (0, 0)
    assert created.headers["Location"] == f"/inventory/products/{created.json['id']}"


@pytest.mark.parametrize(
    ("change", "quantity", "left"), [("add", 5, 25), ("reduce", 5, 15), ("add", MAX - 20, MAX)]
)
def test_a_change_answers_with_the_new_stock(client, laptop, url, change, quantity, left):
    """Adding and reducing say what the stock is now, exactly, for which product and version."""
    response = client.put(f"{url}/{change}", json={"quantity": quantity})

    assert response.status_code == 200
    answer = {"success": True, "productId": laptop["id"], "newStock": left}
    assert response.text == json.dumps(answer, separators=(",", ":")) + "\n"
    assert response.headers["ETag"] == '"2"'


def test_a_refused_reduction_alters_nothing(client, laptop, url):
    response = client.put(f"{url}/reduce", json={"quantity": 21})

    assert is_error(response, 400, "Not enough stock available")
    assert client.get(url).json == laptop


def test_status_answers_with_what_it_is_judged_by(client, url, laptop):
    client.put(f"{url}/reduce", json={"quantity": 15})

    assert client.get(f"{url}/status").text == (
        '{"sku":"LTP-123","stock":5,"reorderLevel":5,"status":"LOW_STOCK"}\n'
    )


def test_only_a_creation_that_succeeds_takes_a_sku(client):
    """It is taken in any letter case, and free after a creation that was refused."""
    laptop = {"name": "Laptop", "sku": "LTP-123"}

    assert client.post("/products", json={**laptop, "stock": -1}).status_code == 400
    assert client.post("/products", json=laptop).status_code == 201
    taken = client.post("/products", json={"name": "Other", "sku": "ltp-123"})
    assert is_error(taken, 409, "SKU already exists")


@pytest.mark.parametrize(
    "product_id", ["not-a-uuid", "00000000-0000-4000-8000-000000000000", "%FF"]
)
def test_an_unknown_product_is_refused(client, product_id):
    url, quantity = f"/products/{product_id}", {"quantity": 1}

    for response in (
        client.get(url),
        client.get(f"{url}/status"),
        client.put(f"{url}/add", json=quantity),
        client.put(f"{url}/reduce", json=quantity, headers={"If-Match": '"1"'}),
    ):
        assert is_error(response, 404, "Product not found")


def test_two_apps_share_nothing(client, laptop, url):
    other = create_app().test_client()

    assert other.get(url).status_code == 404
    assert other.post("/products", json={"name": "Laptop", "sku": laptop["sku"]}).status_code == 201


def test_an_id_is_accepted_in_any_letter_case(client, laptop):
    """Swift and .NET format UUIDs in upper case."""
    product_id = laptop["id"].upper()

    assert client.get(f"/products/{product_id}").json == laptop
    assert client.get(f"/products?cursor={product_id}").json["products"] == [laptop]


# Optimistic concurrency control

MATCHING = ['"1"', "*", '"7", "1"', '"7","1",W/"1"', ' "1"\t', "* "]
OTHERS = ['"2"', 'W/"1"', '"01"', '"+1"', '"\u0661"', '""', '"", "2"', '"2", "x"', '"1,"']
MALFORMED_TAGS = [
    '"1 "',
    "",
    '"',
    "1",
    "x",
    "1, 2",
    '"1" "2"',
    '"1",',
    '*, "1"',
    "W/1",
    '"' + "9" * 5000,
]


@pytest.mark.parametrize("change", ["add", "reduce", "delete"])
def test_a_change_may_be_for_one_version(client, laptop, url, change):
    """A change is made where `If-Match` names the present version, or any, and no other way."""

    def conditional(tags):
        environ = {"HTTP_IF_MATCH": tags.encode().decode("latin-1")}
        if change == "delete":
            return client.delete(url, environ_overrides=environ)
        return client.put(f"{url}/{change}", json={"quantity": 1}, environ_overrides=environ)

    for tags in OTHERS:
        assert is_error(conditional(tags), 412, "Product has changed"), tags
    for tags in MALFORMED_TAGS:
        message = 'If-Match must be * or a list of tags in quotes, such as "1"'
        assert is_error(conditional(tags), 400, message), tags
    assert client.get(url).json == laptop
    assert conditional('"1"').status_code in (200, 204)


@pytest.mark.parametrize("tags", MATCHING)
def test_the_present_version_may_be_named_in_many_ways(client, url, tags):
    environ = {"HTTP_IF_MATCH": tags}

    assert client.delete(url, environ_overrides=environ).status_code == 204


@pytest.mark.parametrize("path", ["", "/bulk-update", "/{id}/restore"])
def test_a_condition_on_another_change_is_refused(client, laptop, url, path):
    """What cannot be conditional is refused with a condition, and never done without it."""
    client.delete(url)
    bodies = {
        "": {"name": "Phone", "sku": "PHN-7"},
        "/bulk-update": {"updates": [{"productId": "x", "operation": "add", "quantity": 1}]},
        "/{id}/restore": {},
    }
    path_of_this = f"/products{path}".format(id=laptop["id"])

    response = client.post(path_of_this, json=bodies[path], headers={"If-Match": "*"})

    assert is_error(response, 400, "If-Match is only supported on add, reduce and DELETE")
    assert client.get("/products").json["products"] == []


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', "*", '"7", "1"', "* "])
def test_an_unchanged_product_is_not_sent_again(client, url, tags):
    """A read of the version that the client has is answered with 304, its tag and no body."""
    response = client.get(url, environ_overrides={"HTTP_IF_NONE_MATCH": tags})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == '"1"'


def test_a_changed_product_is_sent(client, laptop, url):
    """A read of another version is answered with the product; `If-Match` is for changes."""
    for tags in ('"2"', '"01"', "", "x"):
        response = client.get(url, headers={"If-None-Match": tags, "If-Match": '"9"'})
        assert (response.status_code, response.json) == (200, laptop)
