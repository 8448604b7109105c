"""Safe retries: a request that is repeated with its `Idempotency-Key` replays its response."""

import socket

import pytest
from flask import Response

from inventory.api.idempotency import IdempotencyKeys
from tests.support import TIMEOUT, is_error

KEY = {"Idempotency-Key": "key-1"}
ONE = b'{"quantity": 1}'


def stock(client, url):
    return client.get(url).json["stock"]


def test_a_retry_receives_the_stored_response(client, url):
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

    for number, (method, path, body) in enumerate(requests):
        key = {"Idempotency-Key": str(number)}
        first = client.open(path, method=method, json=body, headers=key)
        retry = client.open(path, method=method, json=body, headers=key)
        assert (retry.status, retry.data) == (first.status, first.data)
        assert sorted(retry.headers) == sorted([*first.headers, ("Idempotency-Replayed", "true")])

    assert stock(client, url) == 22


def test_a_keyed_delete_that_is_retried_after_a_restore_deletes_nothing(client, url):
    client.delete(url, headers=KEY)
    client.post(f"{url}/restore")

    assert client.delete(url, headers=KEY).status_code == 204
    assert client.get(url).status_code == 200


def test_if_match_is_validated_before_a_replay_but_not_compared(client, url):
    client.put(f"{url}/reduce", data=ONE, headers=KEY)

    malformed = client.put(f"{url}/reduce", data=ONE, headers={**KEY, "If-Match": "1"})
    outdated = client.put(f"{url}/reduce", data=ONE, headers={**KEY, "If-Match": '"1"'})

    assert [malformed.status_code, outdated.status_code] == [400, 200]


@pytest.mark.parametrize(("change", "body"), [("reduce", b'{"quantity":1}'), ("add", ONE)])
def test_a_key_cannot_be_reused_with_a_different_request(client, url, change, body):
    client.put(f"{url}/reduce", data=ONE, headers=KEY)

    response = client.put(f"{url}/{change}", data=body, headers=KEY)

    assert is_error(response, 422, "Idempotency-Key was already used with a different request")
    assert stock(client, url) == 19


def test_path_and_body_are_told_apart(client, url):
    """A path may contain a line break, like the one in front of the body."""
    client.delete(url, data=b"{\n}", headers=KEY)

    assert client.delete(f"{url}%0A%7B", data=b"}", headers=KEY).status_code == 422


def test_a_rejected_request_is_not_stored(client, url):
    assert client.put(f"{url}/reduce", json={"quantity": 21}, headers=KEY).status_code == 400
    retry = client.put(f"{url}/reduce", json={"quantity": 20}, headers=KEY)

    assert retry.json["newStock"] == 0
    assert "Idempotency-Replayed" not in retry.headers


def test_an_unexpected_exception_releases_the_key(app, client, url, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(app.extensions["inventory"], "reduce_stock", None)
        assert client.put(f"{url}/reduce", data=ONE, headers=KEY).status_code == 500

    assert client.put(f"{url}/reduce", data=ONE, headers=KEY).json["newStock"] == 19


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "clé"])
def test_a_malformed_key_is_rejected(client, url, key):
    environ = {"HTTP_IDEMPOTENCY_KEY": key}
    response = client.put(f"{url}/add", data=ONE, environ_overrides=environ)

    assert is_error(response, 400, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    assert stock(client, url) == 20


def test_whitespace_around_a_key_is_ignored(client, url):
    for key in ("k" * 255, f" {'k' * 255} \t"):
        environ = {"HTTP_IDEMPOTENCY_KEY": key}
        client.put(f"{url}/add", data=ONE, environ_overrides=environ)

    assert stock(client, url) == 21


def test_the_latest_10000_responses_of_a_caller_are_kept():
    """First in, first out: a replay does not postpone eviction."""
    keys = IdempotencyKeys()

    def is_replayed(caller, key):
        response = keys.execute_once(caller, str(key), b"", Response)
        return "Idempotency-Replayed" in response.headers

    is_replayed("bob", 0)
    for key in range(10_000):
        is_replayed("ann", key)

    assert is_replayed("ann", 0)
    assert not is_replayed("ann", 10_000)
    assert is_replayed("ann", 1)
    assert not is_replayed("ann", 0)
    assert is_replayed("bob", 0)


def test_other_keys_and_other_callers_do_not_block():
    keys = IdempotencyKeys()

    def execute():
        keys.execute_once("ann", "other", b"", Response)
        return keys.execute_once("bob", "key", b"", Response)

    assert keys.execute_once("ann", "key", b"", execute).status_code == 200


def test_an_incomplete_body_does_not_block_its_retry(server):
    body = b'{"name": "Laptop", "sku": "LOST"}'
    head = b"POST /products HTTP/1.1\r\nIdempotency-Key: lost\r\nContent-Length: %d\r\n\r\n"
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as incomplete:
        incomplete.sendall(head % len(body) + body[:5])
        with socket.create_connection((host, int(port)), timeout=TIMEOUT) as retry:
            retry.sendall(head % len(body) + body)
            assert retry.recv(100).startswith(b"HTTP/1.1 201")
