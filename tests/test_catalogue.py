"""The catalogue, page by page."""

from datetime import timedelta

import pytest

from inventory.service import BatchItem
from tests.support import add


@pytest.fixture
def catalogue(client):
    """Five products named A to E; B and D are low on stock."""
    stocks = {"A": 1, "B": 0, "C": 1, "D": 0, "E": 1}
    return [
        client.post("/products", json={"name": name, "sku": f"sku-{name}", "stock": stock}).json
        for name, stock in stocks.items()
    ]


def names(response):
    """Return the names of the products on a page."""
    assert response.status_code == 200
    return "".join(product["name"] for product in response.json["products"])


def test_pages_follow_each_other_in_order_of_creation(client, catalogue):
    first = client.get("/products?limit=2")
    second = client.get(f"/products?limit=2&cursor={first.json['next']}")
    third = client.get(f"/products?limit=1&cursor={second.json['next']}")

    assert [names(page) for page in (first, second, third)] == ["AB", "CD", "E"]
    assert first.json["products"] == catalogue[:2]
    assert third.json["next"] is None


def test_a_cursor_stays_valid_while_products_come_and_go(client, catalogue):
    """A product that exists throughout appears on exactly one page."""
    cursor = client.get("/products?limit=2").json["next"]
    for product in (catalogue[0], catalogue[2], catalogue[3]):
        client.delete(f"/products/{product['id']}")
    client.post("/products", json={"name": "F", "sku": "sku-F"})
    client.post(f"/products/{catalogue[0]['id']}/restore")

    assert names(client.get(f"/products?cursor={cursor}")) == "EF"
    assert names(client.get("/products")) == "ABEF"


def test_a_page_can_be_filtered_by_status(client, catalogue):
    assert names(client.get("/products?status=IN_STOCK")) == "ACE"
    first = client.get("/products?status=LOW_STOCK&limit=1")
    second = client.get(f"/products?status=LOW_STOCK&limit=1&cursor={first.json['next']}")
    assert [names(first), names(second), second.json["next"]] == ["B", "D", None]


def test_a_product_is_found_by_its_sku_in_any_letter_case(client, catalogue):
    assert names(client.get("/products?sku=%20SKU-c%20")) == "C"
    assert names(client.get("/products?sku=sku-c&status=IN_STOCK")) == "C"
    assert names(client.get("/products?sku=sku-c&status=LOW_STOCK")) == ""
    assert names(client.get("/products?sku=unknown")) == ""
    client.delete(f"/products/{catalogue[2]['id']}")
    assert names(client.get("/products?sku=sku-c")) == ""


def test_a_page_has_100_products_by_default(client, service):
    for number in range(101):
        service.create_product("P", f"P-{number}")

    assert len(client.get("/products").json["products"]) == 100
    assert len(client.get("/products?limit=1000").json["products"]) == 101


def test_a_page_ends_after_scanning_10000_products(service):
    """Deleted products count, so a page may be empty and still have a next one."""
    for number in range(10_001):
        product = service.create_product("P", f"P-{number}", stock=number // 10_000)
    service.delete_product(service.list_products(limit=1)[0][0].id)

    page, cursor = service.list_products(status="IN_STOCK")

    assert (page, cursor) == ([], product.id)
    assert service.list_products(status="IN_STOCK", cursor=cursor) == ([product], None)


def test_a_page_ends_after_10000_lots(service, clock):
    expiries = [clock.now + timedelta(days=day) for day in range(1, 1001)]
    for sku in "ABCDEFGHIJKL":
        service.create_product("Milk", sku)
        service.bulk_update([BatchItem(sku, add(1, expiry), by_sku=True) for expiry in expiries])

    first, cursor = service.list_products()
    second, end = service.list_products(cursor=cursor)

    assert [len(first), len(second), end] == [10, 2, None]
