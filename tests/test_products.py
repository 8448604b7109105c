"""The five endpoints: what clients get, to the byte."""

import json

import pytest

from inventory import create_app
from inventory.errors import InvalidValueError
from tests.support import MAX, refused


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


def test_a_location_is_below_where_the_app_is_mounted(client):
    """Under a prefix the location has it too."""
    body = {"name": "Laptop", "sku": "LTP-123"}
    created = client.post("/products", json=body, environ_overrides={"SCRIPT_NAME": "/inventory"})

    assert created.headers["Location"] == f"/inventory/products/{created.json['id']}"


def test_stock_and_reorder_level_may_be_left_out(client):
    """Name and SKU are enough to create a product."""
    product = client.post("/products", json={"name": "Laptop", "sku": "LTP-123"}).json

    assert (product["stock"], product["reorderLevel"]) == (0, 0)


def test_text_comes_back_as_it_was_sent(client):
    """Any script is stored and shown unchanged but for outer white space."""
    product = client.post("/products", json={"name": " Café 東京 🍵 ", "sku": "Ü-1"}).json

    assert (product["name"], product["sku"]) == ("Café 東京 🍵", "Ü-1")


@pytest.mark.parametrize(("change", "left"), [("add", 25), ("reduce", 15)])
def test_a_change_answers_with_the_new_stock(client, laptop, url, change, left):
    """Adding and reducing say what the stock is now, for which product and at which version."""
    response = client.put(f"{url}/{change}", json={"quantity": 5})

    assert response.status_code == 200
    answer = {"success": True, "productId": laptop["id"], "newStock": left}
    assert response.text == json.dumps(answer, separators=(",", ":")) + "\n"
    assert response.headers["ETag"] == '"2"'


def test_a_change_moves_updated_at(client, clock, laptop, url):
    """After a change the product has its new stock and time, and else is as it was."""
    clock.advance(0.5)
    client.put(f"{url}/reduce", json={"quantity": 12})

    assert client.get(url).json == {
        **laptop,
        "stock": 8,
        "updatedAt": "2026-11-22T06:26:00.623456Z",
    }


def test_a_refused_reduction_alters_nothing(client, laptop, url):
    """Stock that is not there cannot be taken; the product is as it was, to its last update."""
    response = client.put(f"{url}/reduce", json={"quantity": 21})

    assert refused(response, 400, "Not enough stock available")
    assert client.get(url).json == laptop


def test_status_answers_with_what_it_is_judged_by(client, url, laptop):
    """The status comes with the stock and the reorder level that it follows from."""
    client.put(f"{url}/reduce", json={"quantity": 15})

    assert client.get(f"{url}/status").text == (
        '{"sku":"LTP-123","stock":5,"reorderLevel":5,"status":"LOW_STOCK"}\n'
    )


def test_very_large_stock_is_exact(client):
    """Integers are exact up to the limit, in and out."""
    body = {"name": "Grain", "sku": "GRAIN", "stock": MAX - 1, "reorderLevel": MAX}
    product = client.post("/products", json=body).json
    response = client.put(f"/products/{product['id']}/add", json={"quantity": 1})

    assert f'"newStock":{MAX}' in response.text


def test_a_taken_sku_is_refused(client, laptop):
    """A SKU is taken in any letter case."""
    response = client.post("/products", json={"name": "Other", "sku": laptop["sku"].lower()})

    assert refused(response, 409, "SKU already exists")


def test_a_refused_product_claims_nothing(client, service):
    """After a creation that was refused its SKU is free."""
    with pytest.raises(InvalidValueError):
        service.create_product("Laptop", "LTP-123", stock=-1)

    assert client.post("/products", json={"name": "Laptop", "sku": "LTP-123"}).status_code == 201


@pytest.mark.parametrize(
    "product_id", ["not-a-uuid", "00000000-0000-4000-8000-000000000000", "%FF"]
)
def test_an_unknown_product_is_refused(client, product_id):
    """An id that no product has is not found, well-formed or not, whatever is expected of it."""
    url, quantity = f"/products/{product_id}", {"quantity": 1}

    for response in (
        client.get(url),
        client.get(f"{url}/status"),
        client.put(f"{url}/add", json=quantity),
        client.put(f"{url}/reduce", json=quantity, headers={"If-Match": '"1"'}),
    ):
        assert refused(response, 404, "Product not found")


def test_two_apps_share_nothing(client, laptop, url):
    """Each app has an inventory of its own."""
    other = create_app().test_client()

    assert other.get(url).status_code == 404
    assert other.post("/products", json={"name": "Laptop", "sku": laptop["sku"]}).status_code == 201


# Optimistic locking

MATCHING = ['"1"', "*", '"7", "1"', '"7","1",W/"1"', ' "1"\t', "* "]
OTHERS = ['"2"', 'W/"1"', '"01"', '"+1"', '"1 "', '"\u0661"', '""', '"", "2"', '"2", "x"', '"1,"']
NO_TAGS = ["", '"', "1", "x", "1, 2", '"1" "2"', '"1",', '*, "1"', "W/1", '"' + "9" * 5000]


@pytest.mark.parametrize("change", ["add", "reduce", "delete"])
def test_a_change_may_be_for_one_version(client, laptop, url, change):
    """A change is made where `If-Match` names the present version, or any, and no other way."""

    def conditional(tags):
        environ = {"HTTP_IF_MATCH": tags.encode().decode("latin-1")}
        if change == "delete":
            return client.delete(url, environ_overrides=environ)
        return client.put(f"{url}/{change}", json={"quantity": 1}, environ_overrides=environ)

    for tags in OTHERS:
        assert refused(conditional(tags), 412, "Product has changed"), tags
    for tags in NO_TAGS:
        message = 'If-Match must be * or a list of tags in quotes, such as "1"'
        assert refused(conditional(tags), 400, message), tags
    assert client.get(url).json == laptop
    assert conditional('"1"').status_code in (200, 204)


@pytest.mark.parametrize("tags", MATCHING)
def test_the_present_version_may_be_named_in_many_ways(client, url, tags):
    """Among others, as any, and with white space around the list."""
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

    assert refused(response, 400, "If-Match is for add, reduce and DELETE")
    assert client.get("/products").json["products"] == []


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', "*", '"7", "1"', "* "])
def test_an_unchanged_product_is_not_sent_again(client, url, tags):
    """A read of the version that the client has is answered with 304, its tag and no body."""
    response = client.get(url, environ_overrides={"HTTP_IF_NONE_MATCH": tags})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == '"1"'


@pytest.mark.parametrize("tags", ['"2"', '"01"', "", "x"])
def test_a_changed_product_is_sent(client, laptop, url, tags):
    """A read of another version than the client has is answered with the product."""
    response = client.get(url, headers={"If-None-Match": tags, "If-Match": '"9"'})

    assert (response.status_code, response.json) == (200, laptop)
