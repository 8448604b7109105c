"""The audit log of a product; deleting and restoring it."""

from tests.support import is_error

NOT_FOUND = "Product not found"
NOT_DELETED = "No deleted product has this id"


def versions(client, url, query=""):
    """Return the versions of a page of movements."""
    return [m["version"] for m in client.get(f"{url}/movements{query}").json["movements"]]


def test_each_change_adds_one_movement(client, clock, url):
    clock.advance(1)
    client.put(f"{url}/reduce", json={"quantity": 12})

    assert client.get(f"{url}/movements").text == (
        '{"movements":['
        '{"version":1,"type":"CREATED","change":20,"stock":20,'
        '"at":"2026-11-22T06:26:00.123456Z","actor":null},'
        '{"version":2,"type":"REDUCED","change":-12,"stock":8,'
        '"at":"2026-11-22T06:26:01.123456Z","actor":null}]}\n'
    )


def test_movements_are_paged_by_version(client, service, laptop, url):
    for _ in range(101):
        service.add_stock(laptop["id"], 1)

    assert versions(client, url) == list(range(1, 101))
    assert versions(client, url, "?limit=1") == [1]
    assert versions(client, url, "?after=2&limit=2") == [3, 4]
    assert versions(client, url, "?after=100&limit=1000") == [101, 102]
    assert versions(client, url, "?after=102") == versions(client, url, "?after=999999999") == []


def test_a_deleted_product_is_not_found_but_keeps_its_movements(client, url):
    response = client.delete(url)

    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert is_error(client.get(url), 404, NOT_FOUND)
    assert is_error(client.put(f"{url}/add", json={"quantity": 1}), 404, NOT_FOUND)
    assert is_error(client.delete(url), 404, NOT_FOUND)
    item = {"productId": url.removeprefix("/products/"), "operation": "add", "quantity": 1}
    batch = client.post("/products/bulk-update", json={"updates": [item]})
    assert is_error(batch, 404, f"updates[0]: {NOT_FOUND}")
    assert client.get("/products").json["products"] == []
    assert client.get("/reports/inventory.csv").text.count("\r\n") == 1
    assert versions(client, url) == [1, 2]


def test_a_restored_product_differs_only_in_updated_at(client, clock, laptop, url):
    client.delete(url)
    clock.advance(60)

    response = client.post(f"{url}/restore")

    assert response.status_code == 200
    assert response.json == {**laptop, "updatedAt": "2026-11-22T06:27:00.123456Z"}
    assert response.headers["ETag"] == '"3"'
    assert client.get(url).json == response.json


def test_only_a_deleted_product_can_be_restored(client, laptop, url):
    assert is_error(client.post(f"{url}/restore"), 404, NOT_DELETED)
    assert is_error(client.post("/products/unknown/restore"), 404, NOT_DELETED)
    assert client.get(url).json == laptop


def test_the_sku_of_a_deleted_product_can_be_reused(client, url, published):
    client.delete(url)
    heir = client.post("/products", json={"name": "Heir", "sku": "ltp-123"}).json

    assert is_error(client.post(f"{url}/restore"), 409, "SKU already exists")
    assert is_error(client.get(url), 404, NOT_FOUND)
    assert published[-1].versions[-1].id == heir["id"]

    client.delete(f"/products/{heir['id']}")
    assert client.post(f"{url}/restore").status_code == 200


def test_delete_and_restore_accept_no_fields(client, url):
    unknown = {"data": b'{"foo": 1}'}

    assert is_error(client.delete(url, **unknown), 400, "unknown field 'foo'")
    assert client.delete(url, data=b"{}").status_code == 204
    assert is_error(client.post(f"{url}/restore", **unknown), 400, "unknown field 'foo'")
    assert client.post(f"{url}/restore", data=b"{}").status_code == 200
