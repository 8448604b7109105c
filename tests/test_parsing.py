"""What a request holds, read strictly."""

import pytest

from tests.support import MAX, is_error

NO_OBJECT = "body must be a JSON object"
NO_UTF_8 = "body must be in UTF-8"
INTEGER = "{} must be an integer of at least {}"
NUMBERS = b'0 -1 -0 1.0 1e3 1E400 "1" true null NaN Infinity [1] {"a":1}'.split()


def no_json(problem, column):
    """The refusal of a line that is no JSON."""
    return f"body is not valid JSON: {problem}: line 1 column {column}"


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
    (b"{}", "quantity is required"),
    (b'{"quantity": 1, "note": 2}', "unknown field 'note'"),
    (b'{"Quantity": 1}', "unknown field 'Quantity'"),
    (b'{"quantity": 1, "%s": 2}' % (b"x" * 300), "unknown field " + repr("x" * 60)),
    (b'{"quantity": 1, "\\ud800": 2}', "unknown field '\\ud800'"),
    (b'{"quantity": 1, "quantity": 1}', "quantity must be given only once"),
    (b'{"quantity": {"a": 1, "a": 1}}', "a must be given only once"),
    *((b'{"quantity": %s}' % value, INTEGER.format("quantity", 1)) for value in NUMBERS),
    (b'{"quantity": -%s}' % (b"9" * 5000), INTEGER.format("quantity", 1)),
    (b'{"quantity": %s}' % (b"9" * 5000), f"quantity must be at most {MAX}"),
]


@pytest.mark.parametrize(("body", "message"), HOSTILE_BODIES)
def test_a_hostile_body_is_refused_and_changes_nothing(client, laptop, url, body, message):
    """Whatever a body holds, it is a well-formed change of stock or a refusal that says why."""
    assert is_error(client.put(f"{url}/add", data=body), 400, message)
    assert is_error(client.put(f"{url}/reduce", data=body), 400, message)
    assert client.get(url).json == laptop


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reorder_level": 5}, "unknown field 'reorder_level'"),
        ({"id": "mine"}, "unknown field 'id'"),
        ({"stock": None}, INTEGER.format("stock", 0)),
        ({"stock": "20"}, INTEGER.format("stock", 0)),
        ({"reorderLevel": 2.5}, INTEGER.format("reorderLevel", 0)),
        ({"name": 5}, "name must be a string of 1 to 200 characters"),
        ({"sku": None}, "sku must be a string of 1 to 64 characters"),
        (
            {"sku": "\ud800"},
            "sku must not contain control characters, line separators or lone surrogates",
        ),
        (
            {"expiresAt": None},
            "expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z",
        ),
    ],
)
def test_a_hostile_product_is_refused_by_the_fields_name(client, change, message):
    """A typo in a key is never a default, and a null is not a field that was left out."""
    body = {"name": "Laptop", "sku": "LTP-123", **change}

    assert is_error(client.post("/products", json=body), 400, message)


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_does_not_matter(client, content_type):
    body = b'{"name": "Laptop", "sku": "LTP-123"}'

    assert client.post("/products", data=body, content_type=content_type).status_code == 201


MIB = 1024 * 1024
CHUNKED = {
    "wsgi.input_terminated": True,
    "HTTP_TRANSFER_ENCODING": "chunked",
    "CONTENT_LENGTH": "",
}


@pytest.mark.parametrize("environ", [{}, CHUNKED])
@pytest.mark.parametrize("size", [MIB, MIB + 1, 2 * MIB])
def test_a_body_has_a_largest_size(client, size, environ):
    """A body may have 1 MiB, whether or not its length is known from the start."""
    body = b'{"name": "Laptop", "sku": "LTP-123"}'.ljust(size)
    response = client.post("/products", data=body, environ_overrides=environ)

    if size == MIB:
        assert response.status_code == 201
    else:
        assert is_error(response, 413, "body must be at most 1 MiB")


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
def test_a_body_that_is_cut_or_framed_wrongly_changes_nothing(client, laptop, url, environ, key):
    """It is refused, whatever the server makes of it; sent again whole, it is judged afresh."""
    whole = b'{"quantity": 1}'
    options = {"headers": key, "environ_overrides": environ}

    for cut in (
        client.put(f"{url}/add", data=whole, **options),
        client.delete(url, **options),
        client.post(f"{url}/restore", **options),
    ):
        assert is_error(cut, 400, "Malformed or incomplete HTTP request")
    assert client.get(url).json == laptop
    assert client.put(f"{url}/add", data=whole, headers=key).json["newStock"] == 21


LIMIT = "limit must be an integer from 1 to 1000"
AFTER = f"after must be an integer from 0 to {MAX}"
STATUS = "status must be IN_STOCK or LOW_STOCK"
CURSOR = "cursor must be a next value from an earlier page"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        *((f"/products?limit={text}", LIMIT) for text in ["0", "1001", "-1", "ten", "1.0", ""]),
        ("/products?limit", LIMIT),
        ("/products?limit=%EF%BC%91", LIMIT),
        ("/products?limit=" + "9" * 5000, LIMIT),
        ("/products?limit=1&limit=2", "limit must be given only once"),
        ("/products?Limit=1", "unknown query parameter 'Limit'"),
        ("/products?status=low_stock", STATUS),
        ("/products?status=", STATUS),
        ("/products?sku=", "sku must be a string of 1 to 64 characters"),
        (
            "/products?sku=%00a",
            "sku must not contain control characters, line separators or lone surrogates",
        ),
        ("/products?sku=%ff", "query must be percent-encoded UTF-8"),
        ("/products?sku=a&cursor=b", "cursor cannot be combined with sku"),
        ("/products?cursor=mine", CURSOR),
        ("/products?cursor=", CURSOR),
        ("/products/x?dryRun=1", "unknown query parameter 'dryRun'"),
        ("/reports/inventory.csv?limit=5", "unknown query parameter 'limit'"),
        ("/reports/inventory.csv?status=GONE", STATUS),
        ("/products/x/movements?after=-1", AFTER),
        ("/products/x/movements?after=1e3", AFTER),
        ("/products/x/movements?after=" + "9" * 5000, AFTER),
        ("/products/x/movements?after=" + "0" * 40 + "5", AFTER),
        ("/products/x/movements?limit=0", LIMIT),
    ],
)
def test_a_malformed_query_is_refused_by_name(client, path, message):
    assert is_error(client.get(path), 400, message)


def test_a_query_is_judged_before_a_change(client, laptop, url):
    response = client.put(f"{url}/reduce?dryRun=1", json={"quantity": 1})

    assert is_error(response, 400, "unknown query parameter 'dryRun'")
    assert client.get(url).json == laptop


def test_a_query_that_is_no_text_is_refused(client):
    """Bytes that are not UTF-8, as some servers pass them on, are refused."""
    response = client.get("/products/a", environ_overrides={"QUERY_STRING": "\xff=1"})

    assert is_error(response, 400, "query must be percent-encoded UTF-8")
