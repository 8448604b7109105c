"""Optimistic locking: change or read a product only if it is, or is not, at a version."""

from functools import partial

import pytest
from racing import WithoutProductLocks, race

from inventory.errors import ProductChangedError
from inventory.models import Product
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService


def test_each_answer_names_the_version(client):
    """Creating, reading, changing and restoring a product tell its version as an entity tag."""
    created = client.post("/products", json={"name": "Laptop", "sku": "LTP-123", "stock": 9})
    url = f"/products/{created.json['id']}"
    responses = [
        created,
        client.put(f"{url}/add", json={"quantity": 1}),
        client.put(f"{url}/reduce", json={"quantity": 1}),
        client.get(url),
    ]
    client.delete(url)
    responses.append(client.post(f"{url}/restore"))

    tags = [response.headers["ETag"] for response in responses]
    assert tags == ['"1"', '"2"', '"3"', '"3"', '"5"']


MATCHING = ['"1"', "*", '"7", "1"', '"7","1",W/"1"', ' "1"\t', "* "]
OTHERS = ['"2"', 'W/"1"', '"01"', '"+1"', '"1 "', '"\u0661"', '""', '"", "2"', '"2", "x"', '"1,"']
MALFORMED = ["", '"', "1", "x", "1, 2", '"1" "2"', '"1",', '*, "1"', "W/1", '"' + "9" * 5000]


@pytest.mark.parametrize("tags", MATCHING)
@pytest.mark.parametrize("change", ["add", "reduce", "delete"])
def test_a_change_is_made_to_the_version_that_it_is_for(client, laptop, change, tags):
    """A change is made where `If-Match` names the present version among others, or any."""
    assert conditional(client, laptop, change, tags).status_code in (200, 204)


@pytest.mark.parametrize("tags", OTHERS)
@pytest.mark.parametrize("change", ["add", "reduce", "delete"])
def test_a_change_is_refused_for_another_version(client, laptop, change, tags):
    """A tag of another version, a weak one and one that is none of ours never match."""
    response = conditional(client, laptop, change, tags)

    assert response.status_code == 412
    assert response.json == {"error": True, "message": "Product has changed"}
    assert client.get(f"/products/{laptop['id']}").json == laptop


@pytest.mark.parametrize("tags", MALFORMED)
@pytest.mark.parametrize("change", ["add", "reduce", "delete"])
def test_a_condition_that_is_no_list_of_tags_is_refused(client, laptop, change, tags):
    """A tag without its quotes is no tag, and not another version."""
    response = conditional(client, laptop, change, tags)

    assert response.status_code == 400
    assert response.json["message"].startswith("If-Match must be * or a list of tags in quotes")
    assert client.get(f"/products/{laptop['id']}").json == laptop


@pytest.mark.parametrize("path", ["", "/bulk-update", "/{id}/restore"])
def test_a_condition_on_another_change_is_refused(client, laptop, path):
    """What cannot be conditional is refused with a condition, and never done without it."""
    bodies = {
        "": {"name": "Phone", "sku": "PHN-7"},
        "/bulk-update": {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 1}]},
        "/{id}/restore": {},
    }
    url = f"/products{path}".format(id=laptop["id"])
    if path == "/{id}/restore":
        client.delete(f"/products/{laptop['id']}")

    response = client.post(url, json=bodies[path], headers={"If-Match": "*"})

    message = "If-Match is for add, reduce and DELETE"
    assert (response.status_code, response.json["message"]) == (400, message)
    assert len(client.get("/products").json["products"]) == (path != "/{id}/restore")


def conditional(client, product, change, tags):
    """Make a change with an `If-Match` header."""
    environ = {"HTTP_IF_MATCH": tags.encode().decode("latin-1")}
    url = f"/products/{product['id']}"
    if change == "delete":
        return client.delete(url, environ_overrides=environ)
    return client.put(f"{url}/{change}", json={"quantity": 1}, environ_overrides=environ)


def test_a_change_of_an_unknown_product_is_not_found(client):
    """A condition on a product that is not there is no reason to speak of versions."""
    response = client.delete("/products/unknown", headers={"If-Match": '"1"'})

    assert response.status_code == 404


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', "*", '"7", "1"', "* "])
def test_an_unchanged_product_is_not_sent_again(client, laptop, tags):
    """A read of the version that the client has is answered with 304, its tag and no body."""
    response = client.get(f"/products/{laptop['id']}", headers={"If-None-Match": tags})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == '"1"'


@pytest.mark.parametrize("tags", ['"2"', '"01"', "", "x"])
def test_a_changed_product_is_sent(client, laptop, tags):
    """A read of another version than the client has is answered with the product."""
    response = client.get(f"/products/{laptop['id']}", headers={"If-None-Match": tags})

    assert (response.status_code, response.json) == (200, laptop)


def one_of_32_optimists_wins(service):
    """Of many who expect the same version, one changes the product and the others are refused."""
    ticket = service.create_product("Ticket", "TICKET", stock=32)

    results = race(*[partial(service.reduce_stock, ticket.id, 1, expected={1})] * 32)

    assert sum(isinstance(result, Product) for result in results) == 1
    assert sum(isinstance(result, ProductChangedError) for result in results) == 31
    assert service.get_product(ticket.id).stock == 31


def test_one_optimist_wins(patient_locks):
    """The version is judged under the product's lock."""
    one_of_32_optimists_wins(InventoryService(InMemoryProductRepository()))


def test_optimists_rely_on_the_lock():
    """With a lock that does nothing, more than one optimist wins."""
    with pytest.raises(AssertionError):
        one_of_32_optimists_wins(InventoryService(WithoutProductLocks()))
