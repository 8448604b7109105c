"""The catalogue, page by page."""

import pytest

from inventory.errors import InvalidValueError
from inventory.models import StockStatus


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


def test_an_empty_catalogue_has_one_empty_page(client):
    """No products is a page of none."""
    assert client.get("/products").json == {"products": [], "next": None}


def test_products_are_listed_in_order_of_creation(client, catalogue):
    """A page shows products as the single call shows them, the oldest first."""
    assert client.get("/products").json == {"products": catalogue, "next": None}


def test_pages_follow_each_other(client, catalogue):
    """Each page says where the next one starts, and the last one that there is none."""
    first = client.get("/products?limit=2")
    second = client.get(f"/products?limit=2&cursor={first.json['next']}")
    third = client.get(f"/products?limit=2&cursor={second.json['next']}")

    assert [names(page) for page in (first, second, third)] == ["AB", "CD", "E"]
    assert third.json["next"] is None


def test_a_full_last_page_is_the_last(client, catalogue):
    """Where a page ends with the catalogue there is no next one."""
    assert client.get("/products?limit=5").json["next"] is None


def test_a_cursor_stays_valid_while_products_come_and_go(client, catalogue):
    """What exists throughout is on one page each, whatever is created and deleted meanwhile."""
    cursor = client.get("/products?limit=2").json["next"]
    for name in "ACD":
        client.delete(f"/products/{catalogue['ABCDE'.index(name)]['id']}")
    client.post("/products", json={"name": "F", "sku": "sku-F"})

    assert names(client.get(f"/products?cursor={cursor}")) == "EF"


def test_a_restored_product_is_where_it_was(client, catalogue):
    """Restoring does not make a product younger."""
    url = f"/products/{catalogue[1]['id']}"
    client.delete(url)
    client.post(f"{url}/restore")

    assert names(client.get("/products")) == "ABCDE"


def test_products_can_be_asked_for_by_status(client, catalogue):
    """A page holds as many products of a status as fit, however far apart they are."""
    assert names(client.get("/products?status=LOW_STOCK")) == "BD"
    assert names(client.get("/products?status=IN_STOCK")) == "ACE"
    first = client.get("/products?status=LOW_STOCK&limit=1")
    second = client.get(f"/products?status=LOW_STOCK&limit=1&cursor={first.json['next']}")
    assert [names(first), names(second), second.json["next"]] == ["B", "D", None]


def test_a_product_can_be_asked_for_by_sku(client, catalogue):
    """A SKU is looked up in any letter case, alone or with a status."""
    assert names(client.get("/products?sku=SKU-c")) == "C"
    assert names(client.get("/products?sku=%20sku-C%20")) == "C"
    assert names(client.get("/products?sku=sku-c&status=IN_STOCK")) == "C"
    assert names(client.get("/products?sku=sku-c&status=LOW_STOCK")) == ""
    assert names(client.get("/products?sku=unknown")) == ""
    client.delete(f"/products/{catalogue[2]['id']}")
    assert names(client.get("/products?sku=sku-c")) == ""


def test_a_page_looks_at_no_more_than_it_holds(app, client, catalogue, monkeypatch):
    """A page of two looks at three products: its own, and the one where the next page starts."""
    repository = app.extensions["inventory"]._products  # noqa: SLF001
    looked_at = []
    scan = repository.scan

    def spied_scan(start):
        for row in scan(start):
            looked_at.append(row.present.name)
            yield row

    monkeypatch.setattr(repository, "scan", spied_scan)
    client.get(f"/products?limit=2&cursor={catalogue[1]['id']}")

    assert looked_at == ["B", "C", "D"]


def test_a_page_looks_at_10000_products_at_most(service):
    """Where nothing fits in so many, deleted ones included, the page is empty and has a next."""
    for number in range(10_001):
        product = service.create_product("P", f"P-{number}", stock=number // 10_000)
    service.delete_product(service.list_products(limit=1)[0][0].id)

    page, cursor = service.list_products(status=StockStatus.IN_STOCK)

    assert (page, cursor) == ([], product.id)
    assert service.list_products(status=StockStatus.IN_STOCK, cursor=cursor) == ([product], None)


def test_a_page_has_100_products_by_default(client, service):
    """As many as a client can read; it may ask for more."""
    for number in range(101):
        service.create_product("P", f"P-{number}")

    assert len(client.get("/products").json["products"]) == 100
    assert len(client.get("/products?limit=1000").json["products"]) == 101


def test_the_service_judges_a_page_by_itself(service):
    """Without HTTP too, a page holds at least one product."""
    with pytest.raises(InvalidValueError, match="^limit must be an integer of at least 1$"):
        service.list_products(limit=0)


AFTER = f"after must be an integer from 0 to {10**38 - 1}"
LIMIT = "limit must be an integer from 1 to 1000"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/products?limit=0", LIMIT),
        ("/products?limit=1001", LIMIT),
        ("/products?limit=-1", LIMIT),
        ("/products?limit=ten", LIMIT),
        ("/products?limit=1.0", LIMIT),
        ("/products?limit=", LIMIT),
        ("/products?limit", LIMIT),
        ("/products?limit=%EF%BC%91", LIMIT),
        ("/products?limit=" + "9" * 5000, LIMIT),
        ("/products?limit=1&limit=2", "limit must be given only once"),
        ("/products?Limit=1", "unknown query parameter 'Limit'"),
        ("/products?status=low_stock", "status must be IN_STOCK or LOW_STOCK"),
        ("/products?status=", "status must be IN_STOCK or LOW_STOCK"),
        ("/products?sku=", "sku must be a string of 1 to 64 characters"),
        (
            "/products?sku=%00a",
            "sku must not hold control characters, line separators or lone surrogates",
        ),
        ("/products?sku=%ff", "query must be percent-encoded UTF-8"),
        ("/products?sku=a&cursor=b", "cursor cannot go with sku, which has one page"),
        ("/products?cursor=mine", "cursor must be the next of an earlier page"),
        ("/products?cursor=", "cursor must be the next of an earlier page"),
        ("/products?page=2", "unknown query parameter 'page'"),
        ("/reports/inventory.csv?limit=5", "unknown query parameter 'limit'"),
        ("/reports/inventory.csv?status=GONE", "status must be IN_STOCK or LOW_STOCK"),
        ("/products/x/movements?after=-1", AFTER),
        ("/products/x/movements?after=" + "0" * 40 + "5", AFTER),
        ("/products/x/movements?after=1e3", AFTER),
        ("/products/x/movements?after=" + "9" * 5000, AFTER),
        ("/products/x/movements?limit=0", LIMIT),
        ("/products/x/movements?before=3", "unknown query parameter 'before'"),
    ],
)
def test_a_malformed_query_is_refused_by_name(client, path, message):
    """A query parameter that is unknown, repeated or malformed is named in the refusal."""
    response = client.get(path)

    assert (response.status_code, response.json) == (400, {"error": True, "message": message})
