"""The five core endpoints, and optimistic concurrency control."""

import pytest

from inventory import create_app
from tests.support import is_error


def test_create_returns_the_product_with_location_and_etag(client):
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 20, "reorderLevel": 5}

    response = client.post("/products", json=body)

    assert response.status_code == 201
    product_id = response.json["id"]
    assert response.text == (
        f'{{"id":"{product_id}","name":"Laptop","sku":"LTP-123","stock":20,"reorderLevel":5,'
        '"createdAt":"2026-11-22T06:26:00.123456Z","updatedAt":"2026-11-22T06:26:00.123456Z"}\n'
    )
    assert response.headers["Location"] == f"/products/{product_id}"
    assert response.headers["ETag"] == '"1"'
    assert client.get(response.headers["Location"]).text == response.text


def test_create_requires_only_name_and_sku(client):
    body = {"name": " Café 東京 🍵 ", "sku": "Ü-1"}

    response = client.post("/products", json=body, environ_overrides={"SCRIPT_NAME": "/api"})

    assert (response.json["name"], response.json["sku"]) == ("Café 東京 🍵", "Ü-1")
    assert (response.json["stock"], response.json["reorderLevel"]) == (0, 0)
    assert response.headers["Location"] == f"/api/products/{response.json['id']}"


@pytest.mark.parametrize(("change", "new_stock"), [("add", 25), ("reduce", 15)])
def test_add_and_reduce_return_the_new_stock(client, laptop, url, change, new_stock):
    response = client.put(f"{url}/{change}", json={"quantity": 5})

    assert response.status_code == 200
    assert response.text == (
        f'{{"success":true,"productId":"{laptop["id"]}","newStock":{new_stock}}}\n'
    )
    assert response.headers["ETag"] == '"2"'


def test_reduce_is_rejected_when_stock_is_short(client, laptop, url):
    response = client.put(f"{url}/reduce", json={"quantity": 21})

    assert is_error(response, 400, "Not enough stock available")
    assert client.get(url).json == laptop


def test_status_is_low_stock_at_the_reorder_level(client, url):
    client.put(f"{url}/reduce", json={"quantity": 15})

    assert client.get(f"{url}/status").text == (
        '{"sku":"LTP-123","stock":5,"reorderLevel":5,"status":"LOW_STOCK"}\n'
    )


def test_only_a_successful_creation_takes_the_sku(client):
    laptop = {"name": "Laptop", "sku": "LTP-123"}

    assert client.post("/products", json={**laptop, "stock": -1}).status_code == 400
    assert client.post("/products", json=laptop).status_code == 201
    taken = client.post("/products", json={"name": "Other", "sku": "ltp-123"})
    assert is_error(taken, 409, "SKU already exists")


@pytest.mark.parametrize("product_id", ["no-uuid", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_product_is_not_found(client, product_id):
    url = f"/products/{product_id}"

    for path in (url, f"{url}/status", f"{url}/movements"):
        assert is_error(client.get(path), 404, "Product not found")
    added = client.put(f"{url}/add", json={"quantity": 1})
    assert is_error(added, 404, "Product not found")


def test_an_id_is_accepted_in_any_letter_case(client, laptop):
    """Swift and .NET format UUIDs in upper case."""
    product_id = laptop["id"].upper()

    assert client.get(f"/products/{product_id}").json == laptop
    assert client.get(f"/products?cursor={product_id}").json["products"] == [laptop]


def test_two_apps_share_no_data(url):
    assert create_app().test_client().get(url).status_code == 404


MATCHING = ['"1"', "*", '"7","1",W/"1"', ' "1"\t']
OTHERS = ['"2"', 'W/"1"', '"01"', '"\u0661"', '""', '"1,"']
MALFORMED = ["", '"', "1", '"1" "2"', '"1",', '*, "1"']
MESSAGE = 'If-Match must be * or a list of tags in quotes, such as "1"'


@pytest.mark.parametrize("change", ["add", "reduce", "delete"])
def test_a_change_requires_a_version_that_if_match_names(client, laptop, url, change):
    def conditional(tags):
        environ = {"HTTP_IF_MATCH": tags.encode().decode("latin-1")}
        if change == "delete":
            return client.delete(url, environ_overrides=environ)
        return client.put(f"{url}/{change}", json={"quantity": 1}, environ_overrides=environ)

    for tags in OTHERS:
        assert is_error(conditional(tags), 412, "Product has changed"), tags
    for tags in MALFORMED:
        assert is_error(conditional(tags), 400, MESSAGE), tags
    assert client.get(url).json == laptop
    assert conditional('"1"').status_code in (200, 204)


@pytest.mark.parametrize("tags", MATCHING)
def test_if_match_accepts_a_list_of_tags_or_any(client, url, tags):
    assert client.delete(url, environ_overrides={"HTTP_IF_MATCH": tags}).status_code == 204


@pytest.mark.parametrize("path", ["/products", "/products/bulk-update", "/products/x/restore"])
def test_if_match_is_rejected_on_changes_that_would_ignore_it(client, path):
    response = client.post(path, data="{}", headers={"If-Match": "*"})

    assert is_error(response, 400, "If-Match is only supported on add, reduce and DELETE")


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', "*", '"7", "1"'])
def test_if_none_match_returns_304_for_the_current_version(client, url, tags):
    response = client.get(url, headers={"If-None-Match": tags})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == '"1"'


@pytest.mark.parametrize("tags", ['"2"', "", '"1', '"1" "2"'])
def test_if_none_match_is_ignored_when_malformed_or_outdated(client, url, tags):
    assert client.get(url, headers={"If-None-Match": tags}).status_code == 200
