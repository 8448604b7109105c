"""The catalogue, page by page."""

from datetime import timedelta

import pytest

from inventory.service import BatchItem, BySku
from tests.support import add


@pytest.fixture
def catalogue(client):
    """Five products named A to E; B and D are low on stock."""
    return [
        client.post(
            "/products",
            json={"name": name, "sku": f"sku-{name}", "stock": 10, "reorderLevel": level},
        ).json
        for name, level in [("A", 0), ("B", 10), ("C", 0), ("D", 10), ("E", 0)]
    ]


def names(response):
    """The names of the products on a page."""
    assert response.status_code == 200
    return "".join(product["name"] for product in response.json["products"])


def test_products_are_listed_in_order_of_creation(client, catalogue):
    assert client.get("/products").json == {"products": catalogue, "next": None}


def test_pages_follow_each_other(client, catalogue):
    """Each page says where the next one starts, and the last one, even if full, that none does."""
    first = client.get("/products?limit=2")
    second = client.get(f"/products?limit=2&cursor={first.json['next']}")
    third = client.get(f"/products?limit=1&cursor={second.json['next']}")

    assert [names(page) for page in (first, second, third)] == ["AB", "CD", "E"]
    assert third.json["next"] is None


def test_a_cursor_stays_valid_while_products_come_and_go(client, catalogue):
    """What exists throughout is on one page each, whatever is created and deleted meanwhile."""
    cursor = client.get("/products?limit=2").json["next"]
    for name in "ACD":
        client.delete(f"/products/{catalogue['ABCDE'.index(name)]['id']}")
    client.post("/products", json={"name": "F", "sku": "sku-F"})

    assert names(client.get(f"/products?cursor={cursor}")) == "EF"


def test_a_restored_product_is_where_it_was(client, catalogue):
    url = f"/products/{catalogue[1]['id']}"
    client.delete(url)
    client.post(f"{url}/restore")

    assert names(client.get("/products")) == "ABCDE"


def test_products_can_be_asked_for_by_status(client, catalogue):
    assert names(client.get("/products?status=IN_STOCK")) == "ACE"
    first = client.get("/products?status=LOW_STOCK&limit=1")
    second = client.get(f"/products?status=LOW_STOCK&limit=1&cursor={first.json['next']}")
    assert [names(first), names(second), second.json["next"]] == ["B", "D", None]


def test_a_product_can_be_asked_for_by_sku(client, catalogue):
    """A SKU is looked up in any letter case, alone or with a status, if its product is live."""
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


def test_a_page_looks_at_10000_products_at_most(service):
    """Where nothing fits in so many, deleted ones included, the page is empty and has a next."""
    for number in range(10_001):
        product = service.create_product("P", f"P-{number}", stock=number // 10_000)
    service.delete_product(service.list_products(limit=1)[0][0].id)

    page, cursor = service.list_products(status="IN_STOCK")

    assert (page, cursor) == ([], product.id)
    assert service.list_products(status="IN_STOCK", cursor=cursor) == ([product], None)


def test_a_page_shows_some_10000_lots_at_most(service, clock):
    """A lot is a look too: products with many of them do not make a page of many megabytes."""
    expiries = [clock.now + timedelta(days=day) for day in range(1, 1001)]
    for sku in "ABCDEFGHIJKL":
        service.create_product("Milk", sku)
        service.bulk_update([BatchItem(BySku(sku), add(1, expiry)) for expiry in expiries])

    first, cursor = service.list_products()
    second, end = service.list_products(cursor=cursor)

    assert [len(first), len(second), end] == [10, 2, None]


def test_a_page_looks_at_one_product_more_than_it_holds(service, monkeypatch):
    for number in range(9):
        service.create_product("P", f"P-{number}")
    looked_at, read = [], service._load  # noqa: SLF001
    monkeypatch.setattr(service, "_load", lambda row: looked_at.append(row.position) or read(row))

    service.list_products(limit=2)

    assert looked_at == [0, 1, 2]
