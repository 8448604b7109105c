"""Deleting is soft: what is gone can come back."""

import pytest


def test_a_deleted_product_is_gone(client, laptop):
    """A deleted product is not found by any call, and cannot be deleted again."""
    url = f"/products/{laptop['id']}"

    response = client.delete(url)

    assert (response.status_code, response.data) == (204, b"")
    quantity = {"quantity": 1}
    for refused in (
        client.get(url),
        client.get(f"{url}/status"),
        client.put(f"{url}/add", json=quantity),
        client.put(f"{url}/reduce", json=quantity),
        client.delete(url),
    ):
        assert (refused.status_code, refused.json["message"]) == (404, "Product not found")
    assert client.get("/products").json["products"] == []
    assert client.get("/reports/inventory.csv").text.count("\r\n") == 1


def test_a_restored_product_is_as_it_was(client, clock, laptop):
    """Restoring brings back everything but the time of the last update."""
    url = f"/products/{laptop['id']}"
    client.delete(url)
    clock.advance(60)

    response = client.post(f"{url}/restore")

    assert response.status_code == 200
    assert response.json == {**laptop, "updatedAt": "2026-11-22T06:27:00.123456Z"}
    assert client.get(url).json == response.json


@pytest.mark.parametrize("product_id", [None, "unknown"])
def test_only_what_is_deleted_can_be_restored(client, laptop, product_id):
    """There is nothing to restore under the id of a live product or of none."""
    response = client.post(f"/products/{product_id or laptop['id']}/restore")

    assert (response.status_code, response.json["message"]) == (
        404,
        "No deleted product has this id",
    )
    assert client.get(f"/products/{laptop['id']}").json == laptop


def test_a_deleted_products_sku_is_free(client, laptop):
    """Another product may take the SKU, and the first cannot come back as long as it has it."""
    url = f"/products/{laptop['id']}"
    client.delete(url)
    heir = client.post("/products", json={"name": "Heir", "sku": "ltp-123"}).json

    refused = client.post(f"{url}/restore")
    assert (refused.status_code, refused.json["message"]) == (409, "SKU already exists")
    assert client.get(url).status_code == 404
    assert len(client.get(f"{url}/movements").json["movements"]) == 2

    client.delete(f"/products/{heir['id']}")
    assert client.post(f"{url}/restore").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"foo": 1}', 400, "unknown field 'foo'"),
        (b"[]", 400, "body must be a JSON object"),
        (b"{", 400, "body is no JSON: "),
        (b" " * 2**21, 413, "body must be at most 1 MiB"),
    ],
)
def test_deleting_and_restoring_take_no_fields(client, laptop, body, status, message):
    """A body other than an empty one or `{}` is refused as any body would be."""
    url = f"/products/{laptop['id']}"

    refused = client.delete(url, data=body)
    assert refused.status_code == status
    assert refused.json["message"].startswith(message)
    assert client.delete(url, data=b"{}").status_code == 204
    assert client.post(f"{url}/restore", data=body).status_code == status
    assert client.get(url).status_code == 404
    assert client.post(f"{url}/restore", data=b"{}").status_code == 200
