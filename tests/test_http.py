"""What clients get, to the byte."""

import json

import pytest

from inventory import create_app

MAX = 10**38 - 1


def test_create_answers_with_the_product(client):
    """A created product is shown whole, in a fixed order of keys, with its location."""
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
    assert client.get(response.headers["Location"]).json == product


def test_stock_and_reorder_level_may_be_left_out(client):
    """Name and SKU are enough to create a product."""
    product = client.post("/products", json={"name": "Laptop", "sku": "LTP-123"}).json

    assert (product["stock"], product["reorderLevel"]) == (0, 0)


def test_add_answers_with_the_new_stock(client, laptop):
    """Adding says what the stock is now, and for which product."""
    response = client.put(f"/products/{laptop['id']}/add", json={"quantity": 5})

    assert response.status_code == 200
    assert list(json.loads(response.text).items()) == [
        ("success", True),
        ("productId", laptop["id"]),
        ("newStock", 25),
    ]


def test_reduce_answers_with_the_new_stock(client, laptop):
    """Reducing says what the stock is now, and for which product."""
    response = client.put(f"/products/{laptop['id']}/reduce", json={"quantity": 12})

    assert response.status_code == 200
    assert response.json == {"success": True, "productId": laptop["id"], "newStock": 8}


def test_a_change_moves_updated_at(client, clock, laptop):
    """After a change the product has its new stock and time, and else is as it was."""
    clock.advance(0.5)
    client.put(f"/products/{laptop['id']}/reduce", json={"quantity": 12})

    changed = client.get(f"/products/{laptop['id']}").json

    assert changed == {**laptop, "stock": 8, "updatedAt": "2026-11-22T06:26:00.623456Z"}


def test_status_answers_with_what_it_is_judged_by(client, laptop):
    """The status comes with the stock and the reorder level that it follows from."""
    url = f"/products/{laptop['id']}"

    in_stock = client.get(f"{url}/status").json
    client.put(f"{url}/reduce", json={"quantity": 15})
    low = client.get(f"{url}/status").json

    assert list(in_stock.items()) == [
        ("sku", "LTP-123"),
        ("stock", 20),
        ("reorderLevel", 5),
        ("status", "IN_STOCK"),
    ]
    assert (low["stock"], low["status"]) == (5, "LOW_STOCK")


def test_a_reorder_level_may_be_above_the_stock(client):
    """A product may be low on stock from the start."""
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 1, "reorderLevel": 5}
    product = client.post("/products", json=body).json

    assert client.get(f"/products/{product['id']}/status").json["status"] == "LOW_STOCK"


def test_times_always_have_six_fraction_digits(client, clock):
    """A time at a full second is written as long as any other."""
    clock.now = clock.now.replace(microsecond=0)
    product = client.post("/products", json={"name": "Laptop", "sku": "LTP-123"}).json

    assert product["createdAt"] == "2026-11-22T06:26:00.000000Z"


def test_very_large_stock_is_exact(client):
    """Integers are exact up to the limit, in and out."""
    body = {"name": "Grain", "sku": "GRAIN", "stock": MAX - 1, "reorderLevel": MAX}
    product = client.post("/products", json=body).json
    response = client.put(f"/products/{product['id']}/add", json={"quantity": 1})

    assert f'"newStock":{MAX}' in response.text
    refused = client.put(f"/products/{product['id']}/add", json={"quantity": 1})
    assert (refused.status_code, refused.json["message"]) == (400, f"stock must be at most {MAX}")


def test_text_comes_back_as_it_was_sent(client):
    """Any script is stored and shown unchanged but for outer white space."""
    product = client.post("/products", json={"name": " Café 東京 🍵 ", "sku": "Ü-1"}).json

    assert (product["name"], product["sku"]) == ("Café 東京 🍵", "Ü-1")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(client, content_type):
    """A body is read as JSON whatever it is said to be, so that curl needs no header."""
    body = b'{"name": "Laptop", "sku": "LTP-123"}'

    assert client.post("/products", data=body, content_type=content_type).status_code == 201


def refused(response, status, message):
    """Whether the response is the refusal, in exactly the shape that every refusal has."""
    return (response.status_code, response.mimetype, response.text) == (
        status,
        "application/json",
        json.dumps({"error": True, "message": message}, separators=(",", ":")) + "\n",
    )


def test_more_than_there_is_is_refused(client, laptop):
    """Stock that is not there cannot be taken."""
    response = client.put(f"/products/{laptop['id']}/reduce", json={"quantity": 21})

    assert refused(response, 400, "Not enough stock available")


def test_a_taken_sku_is_refused(client, laptop):
    """A SKU is taken in any letter case."""
    response = client.post("/products", json={"name": "Other", "sku": laptop["sku"].lower()})

    assert refused(response, 409, "SKU already exists")


@pytest.mark.parametrize(
    "product_id", ["not-a-uuid", "00000000-0000-4000-8000-000000000000", "%FF"]
)
def test_an_unknown_product_is_refused(client, product_id):
    """An id that no product has is not found, well-formed or not."""
    for response in (
        client.get(f"/products/{product_id}"),
        client.get(f"/products/{product_id}/status"),
        client.put(f"/products/{product_id}/add", json={"quantity": 1}),
        client.put(f"/products/{product_id}/reduce", json={"quantity": 1}),
    ):
        assert refused(response, 404, "Product not found")


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing?x=1", "/products/", "/products//a", "/products/a/b/c"]
)
def test_an_unknown_path_is_refused(client, path):
    """A path that leads nowhere is refused like all else, and never redirected."""
    assert refused(client.get(path), 404, "No such path")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/products", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("DELETE", "/products/a/status", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/products/a/reduce", {"PUT", "OPTIONS"}),
        ("BREW", "/products/a/add", {"PUT", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_refused(client, method, path, allowed):
    """A method that a path does not have is refused, with those that it has."""
    response = client.open(path, method=method)

    assert refused(response, 405, "Method not allowed for this path")
    assert set(response.allow) == allowed


def test_a_defect_of_ours_tells_the_log_and_not_the_client(app, client, monkeypatch, caplog):
    """An unexpected exception is a 500 without a word about its cause, which is logged."""

    def get_product(product_id):
        raise KeyError("secret")

    monkeypatch.setattr(app.extensions["inventory"], "get_product", get_product)

    assert refused(client.get("/products/a"), 500, "Internal server error")
    assert "secret" in caplog.text
    assert "Traceback" in caplog.text


def test_a_view_that_answers_nothing_is_a_defect(app, client, monkeypatch):
    """A defect that Flask finds itself is answered like any other."""
    monkeypatch.setitem(app.view_functions, "products.get_product", lambda product_id: None)

    assert refused(client.get("/products/a"), 500, "Internal server error")


def test_a_query_that_is_no_text_is_refused(client):
    """Bytes that are not UTF-8, as some servers pass them on, are refused."""
    response = client.get("/products/a", environ_overrides={"QUERY_STRING": "\xff=1"})

    assert refused(response, 400, "query must be percent-encoded UTF-8")


def test_two_apps_share_nothing(laptop):
    """Each app has an inventory of its own."""
    other = create_app().test_client()

    assert other.get(f"/products/{laptop['id']}").status_code == 404
    assert other.post("/products", json={"name": "Laptop", "sku": laptop["sku"]}).status_code == 201


NO_OBJECT = "body must be a JSON object"
NO_UTF_8 = "body must be in UTF-8"
INTEGER = "{} must be an integer of at least {}"


def no_json(problem, column):
    """The refusal of a line that is no JSON."""
    return f"body is no JSON: {problem}, line 1 column {column}"


HOSTILE_BODIES = [
    (b"", "body is empty, and must be a JSON object"),
    (b"[]", NO_OBJECT),
    (b"null", NO_OBJECT),
    (b'"name"', NO_OBJECT),
    (b"name=Laptop&sku=LTP-123", no_json("Expecting value", 1)),
    (b"{'quantity': 1}", no_json("Expecting property name enclosed in double quotes", 2)),
    (b'{"quantity": 1} {}', no_json("Extra data", 17)),
    (b'{"quantity": 01}', no_json("Expecting ',' delimiter", 15)),
    (b'{"quantity" 1}', no_json("Expecting ':' delimiter", 13)),
    (b'\xef\xbb\xbf{"quantity": 1}', no_json("Expecting value", 1)),
    ('{"quantity": 1}'.encode("utf-16"), NO_UTF_8),
    (b'{"quantity": "\xff"}', NO_UTF_8),
    (b'{"quantity": "\xed\xa0\x80"}', NO_UTF_8),
    (b"[" * 100_000, "body is nested too deeply"),
    (b'{"quantity": ' * 50_000, "body is nested too deeply"),
    (b"{}", "quantity is required"),
    (b'{"quantity": 1, "note": 2}', "unknown field 'note'"),
    (b'{"Quantity": 1}', "unknown field 'Quantity'"),
    (b'{"quantity": 1, "\\ud800": 2}', "unknown field '\\ud800'"),
    (b'{"quantity": 1, "quantity": 1}', "quantity must be given only once"),
    *[
        (b'{"quantity": %s}' % value, INTEGER.format("quantity", 1))
        for value in b'0 -1 -0 1.0 1e3 1E400 "1" true null NaN Infinity [1] {"a":1,"a":2}'.split()
    ],
    (b'{"quantity": -%s}' % (b"9" * 5000), INTEGER.format("quantity", 1)),
    (b'{"quantity": %s}' % (b"9" * 5000), f"quantity must be at most {MAX}"),
    (b'{"quantity": %d}' % (MAX + 1), f"quantity must be at most {MAX}"),
]


@pytest.mark.parametrize(("body", "message"), HOSTILE_BODIES, ids=range(len(HOSTILE_BODIES)))
def test_a_hostile_quantity_is_refused_and_changes_nothing(client, laptop, body, message):
    """Whatever a body holds, it is a well-formed change of stock or a refusal that says why."""
    url = f"/products/{laptop['id']}"

    assert refused(client.put(f"{url}/add", data=body), 400, message)
    assert refused(client.put(f"{url}/reduce", data=body), 400, message)
    assert client.get(url).json == laptop


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reorder_level": 5}, "unknown field 'reorder_level'"),
        ({"id": "mine"}, "unknown field 'id'"),
        ({"x" * 300: 1}, "unknown field " + repr("x" * 60)),
        ({"stock": -1}, INTEGER.format("stock", 0)),
        ({"stock": None}, INTEGER.format("stock", 0)),
        ({"stock": "20"}, INTEGER.format("stock", 0)),
        ({"reorderLevel": 2.5}, INTEGER.format("reorderLevel", 0)),
        ({"reorderLevel": True}, INTEGER.format("reorderLevel", 0)),
        ({"reorderLevel": MAX + 1}, f"reorderLevel must be at most {MAX}"),
        ({"name": "  "}, "name must be a string of 1 to 200 characters"),
        ({"name": "n" * 201}, "name must be a string of 1 to 200 characters"),
        ({"name": 5}, "name must be a string of 1 to 200 characters"),
        ({"sku": "s" * 65}, "sku must be a string of 1 to 64 characters"),
        ({"sku": None}, "sku must be a string of 1 to 64 characters"),
        (
            {"name": "a\x00b"},
            "name must not hold control characters, line separators or lone surrogates",
        ),
        (
            {"sku": "\ud800"},
            "sku must not hold control characters, line separators or lone surrogates",
        ),
    ],
)
def test_a_hostile_product_is_refused_and_claims_nothing(client, change, message):
    """A product that breaks a rule is refused by the field's name, and its SKU stays free."""
    good = {"name": "Laptop", "sku": "LTP-123"}

    assert refused(client.post("/products", data=json.dumps({**good, **change})), 400, message)
    assert client.post("/products", json=good).status_code == 201


@pytest.mark.parametrize("field", ["name", "sku"])
def test_name_and_sku_are_required(client, field):
    """A product without a name or a SKU is refused."""
    body = {"name": "Laptop", "sku": "LTP-123"}
    del body[field]

    assert refused(client.post("/products", json=body), 400, f"{field} is required")


MIB = 1024 * 1024
CHUNKED = {
    "wsgi.input_terminated": True,
    "HTTP_TRANSFER_ENCODING": "chunked",
    "CONTENT_LENGTH": "",
}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(MIB, 201), (MIB + 1, 413), (2 * MIB, 413)])
def test_a_body_has_a_largest_size(client, size, status, chunked):
    """A body may have 1 MiB, whether or not its length is known from the start."""
    body = b'{"name": "Laptop", "sku": "LTP-123"}'.ljust(size)
    response = client.post("/products", data=body, environ_overrides=CHUNKED if chunked else {})

    assert response.status_code == status
    if status == 413:
        assert refused(response, 413, "body must be at most 1 MiB")


class BrokenStream:
    """A body in chunks that a server cannot read."""

    def read(self, size):
        raise KeyError("a server has errors of its own")


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "key-1"}])
@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "500"},
        {"CONTENT_LENGTH": "500", "wsgi.input_terminated": True},
        {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "abc"},
        {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "0"},
        {"HTTP_TRANSFER_ENCODING": "gzip", "CONTENT_LENGTH": ""},
        {**CHUNKED, "wsgi.input": BrokenStream()},
    ],
)
def test_a_body_that_is_cut_or_framed_wrongly_changes_nothing(client, laptop, environ, key):
    """It is refused, whatever the server makes of it; sent again whole, it is judged afresh."""
    url, whole = f"/products/{laptop['id']}", b'{"quantity": 1}'

    for method, path, body in [
        ("PUT", "/add", whole),
        ("DELETE", "", b""),
        ("POST", "/restore", b""),
    ]:
        cut = client.open(
            url + path, method=method, data=body, headers=key, environ_overrides=environ
        )
        assert refused(cut, 400, "The request is not well-formed HTTP, or did not arrive whole")
    assert client.get(url).json == laptop
    assert client.put(f"{url}/add", data=whole, headers=key).json["newStock"] == 21


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/products"),
        ("PUT", "/products/{id}/add"),
        ("PUT", "/products/{id}/reduce"),
        ("GET", "/products/{id}"),
        ("GET", "/products/{id}/status"),
    ],
)
def test_unknown_query_parameters_are_refused(client, laptop, method, path):
    """A query parameter that a route does not have is refused by name."""
    url = path.format(id=laptop["id"])
    response = client.open(f"{url}?dryRun=1", method=method, json={"quantity": 1})

    assert refused(response, 400, "unknown query parameter 'dryRun'")
    assert client.get(f"/products/{laptop['id']}").json == laptop
