"""Safe retries: a request that comes again with its key is answered, and not repeated."""

import socket

import pytest
from flask import Response

from inventory.api.idempotency import IdempotencyKeys
from tests.support import TIMEOUT, is_error

KEY = {"Idempotency-Key": "key-1"}


def stock(client, url):
    """The present stock of a product."""
    return client.get(url).json["stock"]


def test_a_repeated_reduction_is_done_once(client, url):
    """A retry gets the first answer, marked as replayed, and takes nothing."""
    first = client.put(f"{url}/reduce", json={"quantity": 5}, headers=KEY)
    client.put(f"{url}/reduce", json={"quantity": 1})
    retry = client.put(f"{url}/reduce", json={"quantity": 5}, headers=KEY)

    assert (retry.status_code, retry.data) == (first.status_code, first.data)
    assert retry.headers["ETag"] == first.headers["ETag"] == '"2"'
    assert retry.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert stock(client, url) == 14


def test_every_change_accepts_a_key(client, url):
    batch = {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 3}]}
    requests = [
        ("POST", "/products", {"name": "Phone", "sku": "PHN-7"}),
        ("PUT", f"{url}/add", {"quantity": 1}),
        ("PUT", f"{url}/reduce", {"quantity": 2}),
        ("POST", "/products/bulk-update", batch),
        ("DELETE", url, None),
        ("POST", f"{url}/restore", None),
    ]

    for method, path, body in requests:
        key = {"Idempotency-Key": f"{method} {path}".replace(" ", "-")}
        first = client.open(path, method=method, json=body, headers=key)
        retry = client.open(path, method=method, json=body, headers=key)
        replayed = [*first.headers, ("Idempotency-Replayed", "true")]
        assert (retry.status, retry.data) == (first.status, first.data)
        assert sorted(retry.headers) == sorted(replayed)

    assert stock(client, url) == 22


def test_a_keyed_delete_that_is_retried_after_a_restore_deletes_nothing(client, url):
    client.delete(url, headers=KEY)
    client.post(f"{url}/restore")

    assert client.delete(url, headers=KEY).status_code == 204
    assert client.get(url).status_code == 200


def test_if_match_is_validated_before_a_replay(client, url):
    """It is not part of a request's identity, but a malformed one is rejected all the same."""
    client.put(f"{url}/reduce", data=b'{"quantity": 1}', headers=KEY)
    client.post("/products", data=b'{"name": "a", "sku": "a"}', headers={"Idempotency-Key": "b"})

    malformed = client.put(
        f"{url}/reduce", data=b'{"quantity": 1}', headers={**KEY, "If-Match": "1"}
    )
    outdated = client.put(
        f"{url}/reduce", data=b'{"quantity": 1}', headers={**KEY, "If-Match": '"1"'}
    )
    unsupported = client.post(
        "/products",
        data=b'{"name": "a", "sku": "a"}',
        headers={"Idempotency-Key": "b", "If-Match": "*"},
    )

    assert [r.status_code for r in (malformed, outdated, unsupported)] == [400, 200, 400]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "{}/reduce", b'{"quantity": 2}'),
        ("PUT", "{}/reduce", b'{"quantity":1}'),
        ("PUT", "{}/add", b'{"quantity": 1}'),
        ("PUT", "/products/other/reduce", b'{"quantity": 1}'),
        ("POST", "{}/restore", b'{"quantity": 1}'),
    ],
)
def test_a_key_is_for_one_request(client, url, method, path, body):
    client.put(f"{url}/reduce", data=b'{"quantity": 1}', headers=KEY)

    response = client.open(path.format(url), method=method, data=body, headers=KEY)

    assert is_error(response, 422, "Idempotency-Key was already used with a different request")
    assert stock(client, url) == 19


def test_a_refusal_is_not_remembered(client, url):
    """A retry of a refused request is judged afresh, and the key may be another request's."""
    assert client.put(f"{url}/reduce", json={"quantity": 21}, headers=KEY).status_code == 400
    retry = client.put(f"{url}/reduce", json={"quantity": 20}, headers=KEY)

    assert retry.json["newStock"] == 0
    assert "Idempotency-Replayed" not in retry.headers


def test_a_defect_releases_the_key(app, client, url, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(app.extensions["inventory"], "reduce_stock", None)
        assert client.put(f"{url}/reduce", json={"quantity": 5}, headers=KEY).status_code == 500

    assert client.put(f"{url}/reduce", json={"quantity": 5}, headers=KEY).json["newStock"] == 15


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "\x7f", "clé"])
def test_a_malformed_key_is_refused(client, url, key):
    """A key is 1 to 255 visible ASCII characters."""
    environ = {"HTTP_IDEMPOTENCY_KEY": key}
    response = client.put(f"{url}/add", json={"quantity": 1}, environ_overrides=environ)

    assert is_error(response, 400, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    assert stock(client, url) == 20


@pytest.mark.parametrize("key", ["k" * 255, "!~"])
def test_white_space_around_a_key_is_no_part_of_it(client, url, key):
    """A key is the same key whatever space its line has (RFC 9110, 5.5)."""
    for line in (key, f" {key}", f"{key} \t"):
        environ = {"HTTP_IDEMPOTENCY_KEY": line}
        client.put(f"{url}/add", json={"quantity": 1}, environ_overrides=environ)

    assert stock(client, url) == 21


@pytest.fixture
def is_replayed():
    """Execute a request of a caller under a key; return whether the response was stored before."""
    keys = IdempotencyKeys()

    def execute(caller, key):
        response = keys.execute_once(caller, str(key), b"", Response)
        return "Idempotency-Replayed" in response.headers

    return execute


def test_the_latest_10000_responses_are_kept(is_replayed):
    """First in, first out: a replay does not make a response younger."""
    for key in range(10_000):
        is_replayed("ann", key)
    assert is_replayed("ann", 0)

    assert not is_replayed("ann", 10_000)
    assert is_replayed("ann", 1)
    assert not is_replayed("ann", 0)


def test_eviction_is_per_caller(is_replayed):
    is_replayed("ann", "key")
    for key in range(10_001):
        is_replayed("bob", key)

    assert is_replayed("ann", "key")


def test_other_keys_and_other_callers_do_not_block():
    keys = IdempotencyKeys()

    def work():
        keys.execute_once("ann", "another", b"", Response)
        return keys.execute_once("bob", "key", b"", Response)

    assert keys.execute_once("ann", "key", b"", work).status_code == 200


def test_a_body_that_does_not_arrive_keeps_no_retry_waiting(server):
    """While one connection still owes half of its body, the same request succeeds on another."""
    body = b'{"name": "Laptop", "sku": "LOST"}'
    head = b"POST /products HTTP/1.1\r\nIdempotency-Key: lost\r\nContent-Length: %d\r\n\r\n"
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as lost:
        lost.sendall(head % len(body) + body[:5])
        with socket.create_connection((host, int(port)), timeout=TIMEOUT) as retry:
            retry.sendall(head % len(body) + body)
            assert retry.recv(100).startswith(b"HTTP/1.1 201")
