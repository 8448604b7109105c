"""The audit log: one movement for each change, never altered."""

import pytest

from inventory.errors import InsufficientStockError, InvalidValueError


def test_each_change_leaves_one_movement(client, clock, laptop):
    """The log tells what each change did, and to which stock it led, in a fixed order of keys."""
    url = f"/products/{laptop['id']}"
    clock.advance(1)
    client.put(f"{url}/reduce", json={"quantity": 12})
    clock.advance(1)
    client.put(f"{url}/add", json={"quantity": 3})

    response = client.get(f"{url}/movements")

    assert response.status_code == 200
    assert list(response.json) == ["movements"]
    assert [list(movement.items()) for movement in response.json["movements"]] == [
        [
            ("version", version),
            ("type", kind),
            ("change", change),
            ("stock", stock),
            ("at", at),
            ("actor", None),
        ]
        for version, kind, change, stock, at in [
            (1, "CREATED", 20, 20, "2026-11-22T06:26:00.123456Z"),
            (2, "REDUCED", -12, 8, "2026-11-22T06:26:01.123456Z"),
            (3, "ADDED", 3, 11, "2026-11-22T06:26:02.123456Z"),
        ]
    ]


def test_a_refused_change_leaves_no_movement(service):
    """What did not happen is not in the log."""
    product = service.create_product("Laptop", "LTP-123", stock=1)

    with pytest.raises(InsufficientStockError):
        service.reduce_stock(product.id, 2)

    assert [movement.movement for movement in service.list_movements(product.id)] == ["CREATED"]


def test_movements_come_in_pages(client, laptop):
    """`after` is the last version that was seen, and `limit` the most to see now."""
    url = f"/products/{laptop['id']}"
    for _ in range(4):
        client.put(f"{url}/add", json={"quantity": 1})

    def versions(query):
        movements = client.get(f"{url}/movements{query}").json["movements"]
        return [movement["version"] for movement in movements]

    assert versions("") == [1, 2, 3, 4, 5]
    assert versions("?limit=1") == [1]
    assert versions("?limit=2") == [1, 2]
    assert versions("?after=2&limit=2") == [3, 4]
    assert versions("?after=4&limit=1000") == [5]
    assert versions("?after=5") == versions("?after=999999999") == []


def test_movements_outlive_the_product(client, laptop):
    """Who deleted a product can still be asked after it is gone."""
    url = f"/products/{laptop['id']}"
    client.delete(url)
    client.post(f"{url}/restore")
    client.delete(url)

    movements = client.get(f"{url}/movements").json["movements"]

    assert [(m["type"], m["change"], m["stock"]) for m in movements] == [
        ("CREATED", 20, 20),
        ("DELETED", 0, 20),
        ("RESTORED", 0, 20),
        ("DELETED", 0, 20),
    ]


def test_a_product_that_never_was_has_no_movements(client):
    """Movements of an unknown product are not found."""
    response = client.get("/products/unknown/movements")

    assert (response.status_code, response.json["message"]) == (404, "Product not found")


def test_a_page_has_100_movements_by_default(client, service, laptop):
    """The first hundred come first; `after` leads on."""
    for _ in range(101):
        service.add_stock(laptop["id"], 1)

    movements = client.get(f"/products/{laptop['id']}/movements").json["movements"]

    assert [movement["version"] for movement in movements] == list(range(1, 101))


@pytest.mark.parametrize("page", [{"after": -1}, {"limit": 0}, {"limit": True}])
def test_the_service_judges_a_page_of_movements_by_itself(service, page):
    """Without HTTP too, `after` is at least 0 and `limit` at least 1."""
    product = service.create_product("Laptop", "LTP-123")

    with pytest.raises(InvalidValueError, match=f"^{next(iter(page))} must be an integer"):
        service.list_movements(product.id, **page)
