"""Strict parsing: a typo never turns into a silent default."""

import pytest

from tests.support import MAX, is_error

UNSAFE = "must not contain control characters, line separators or lone surrogates"
EXPIRY = "expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z"


def integer(field, minimum):
    return f"{field} must be an integer of at least {minimum}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body is empty, and must be a JSON object"),
        (b"[]", "body must be a JSON object"),
        (b"name=Laptop&sku=LTP-123", "body is not valid JSON: Expecting value: line 1 column 1"),
        (b'{"quantity": 1} {}', "body is not valid JSON: Extra data: line 1 column 17"),
        (b'{"quantity": "\xff"}', "body must be in UTF-8"),
        (b"[" * 100_000, "body is nested too deeply"),
        (b"{}", "quantity is required"),
        (b'{"quantity": 1, "note": 2}', "unknown field 'note'"),
        (b'{"quantity": 1, "%s": 2}' % (b"x" * 300), "unknown field " + repr("x" * 60)),
        (b'{"quantity": 1, "\\ud800": 2}', "unknown field '\\ud800'"),
        (b'{"quantity": 1, "quantity": 1}', "quantity must be given only once"),
        (
            b'{"quantity": {"%(a)b": 1, "%(a)b": 1}}' % {b"a": b"a" * 99},
            f"{'a' * 60} must be given only once",
        ),
        (b'{"quantity": 1.0}', integer("quantity", 1)),
        (b'{"quantity": 1e3}', integer("quantity", 1)),
        (b'{"quantity": NaN}', integer("quantity", 1)),
        (b'{"quantity": -%s}' % (b"9" * 5000), integer("quantity", 1)),
        (b'{"quantity": %s}' % (b"9" * 5000), f"quantity must be at most {MAX}"),
    ],
)
def test_an_invalid_body_is_rejected_and_changes_nothing(client, laptop, url, body, message):
    assert is_error(client.put(f"{url}/add", data=body), 400, message)
    assert client.get(url).json == laptop


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"reorder_level": 5}, "unknown field 'reorder_level'"),
        ({"stock": None}, integer("stock", 0)),
        ({"name": 5}, "name must be a string of 1 to 200 characters"),
        ({"sku": "\ud800"}, f"sku {UNSAFE}"),
        ({"expiresAt": None}, EXPIRY),
    ],
)
def test_an_invalid_field_is_named_and_null_is_not_absence(client, field, message):
    body = {"name": "Laptop", "sku": "LTP-123", **field}

    assert is_error(client.post("/products", json=body), 400, message)


def test_the_content_type_is_ignored(client):
    """So that `curl -d` works without a header."""
    form = {"content_type": "application/x-www-form-urlencoded"}
    body = b'{"name": "Laptop", "sku": "LTP-123"}'

    assert client.post("/products", data=body, **form).status_code == 201


MIB = 1024 * 1024
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}


@pytest.mark.parametrize("environ", [{}, CHUNKED], ids=["length", "chunked"])
def test_a_body_has_at_most_1_mib(client, environ):
    body = b'{"name": "Laptop", "sku": "LTP-123"}'

    for size in (MIB + 1, 2 * MIB):
        response = client.post("/products", data=body.ljust(size), environ_overrides=environ)
        assert is_error(response, 413, "body must be at most 1 MiB")
    response = client.post("/products", data=body.ljust(MIB), environ_overrides=environ)
    assert response.status_code == 201


class BrokenStream:
    """A chunked body that the server cannot read."""

    def read(self, size):
        raise KeyError("servers differ in what they raise")


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "500"},
        {"CONTENT_LENGTH": "500", "wsgi.input_terminated": True},
        {"CONTENT_LENGTH": "-1"},
        {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "0"},
        {"HTTP_TRANSFER_ENCODING": "gzip", "CONTENT_LENGTH": ""},
        {**CHUNKED, "wsgi.input": BrokenStream()},
    ],
)
def test_an_incomplete_body_changes_nothing_and_can_be_retried(client, laptop, url, environ):
    body = b'{"quantity": 1}'
    key = {"Idempotency-Key": "key-1"}
    options = {"headers": key, "environ_overrides": environ}

    for response in (client.put(f"{url}/add", data=body, **options), client.delete(url, **options)):
        assert is_error(response, 400, "Malformed or incomplete HTTP request")
    assert client.get(url).json == laptop
    assert client.put(f"{url}/add", data=body, headers=key).json["newStock"] == 21


LIMIT = "limit must be an integer from 1 to 1000"
AFTER = f"after must be an integer from 0 to {MAX}"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        *((f"/products?limit={text}", LIMIT) for text in ["0", "1001", "1.0", ""]),
        ("/products?limit=%EF%BC%91", LIMIT),
        ("/products?limit=" + "9" * 5000, LIMIT),
        ("/products?limit=1&limit=2", "limit must be given only once"),
        ("/products?Limit=1", "unknown query parameter 'Limit'"),
        ("/products?status=low_stock", "status must be IN_STOCK or LOW_STOCK"),
        ("/products?sku=%00a", f"sku {UNSAFE}"),
        ("/products?sku=%ff", "query must be percent-encoded UTF-8"),
        ("/products?sku=a&cursor=b", "cursor cannot be combined with sku"),
        ("/products?cursor=mine", "cursor must be a next value from an earlier page"),
        ("/products/x?" + "y" * 99 + "=1", f"unknown query parameter '{'y' * 60}'"),
        ("/products/x/movements?after=-1", AFTER),
        ("/products/x/movements?after=" + "0" * 40 + "5", AFTER),
    ],
)
def test_an_invalid_query_parameter_is_named(client, path, message):
    assert is_error(client.get(path), 400, message)


def test_a_query_is_validated_before_a_change(client, laptop, url):
    response = client.put(f"{url}/reduce?dryRun=1", json={"quantity": 1})

    assert is_error(response, 400, "unknown query parameter 'dryRun'")
    assert client.get(url).json == laptop
