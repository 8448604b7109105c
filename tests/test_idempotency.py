"""Safe retries: a request that comes again with its key is answered, and not repeated."""

import socket

import pytest
from flask import Response

from inventory.api.idempotency import IdempotencyKeys
from tests.support import SECONDS, refused

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


def test_every_post_and_put_takes_a_key(client, url):
    batch = {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 3}]}
    phone = {"name": "Phone", "sku": "PHN-7"}

    for turn in range(2):
        created = client.post("/products", json=phone, headers={"Idempotency-Key": "a"})
        added = client.put(f"{url}/add", json={"quantity": 1}, headers={"Idempotency-Key": "b"})
        many = client.post("/products/bulk-update", json=batch, headers={"Idempotency-Key": "c"})
        if turn == 0:
            client.delete(url)
        restored = client.post(f"{url}/restore", headers={"Idempotency-Key": "d"})

    for response in (created, added, many, restored):
        assert response.headers["Idempotency-Replayed"] == "true"
        assert response.headers["Content-Type"] == "application/json"
    assert created.headers["Location"] == f"/products/{created.json['id']}"
    assert stock(client, url) == 24


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

    assert refused(response, 422, "Idempotency-Key was used with another request")
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

    assert refused(response, 400, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    assert stock(client, url) == 20


@pytest.mark.parametrize("key", ["k" * 255, "!~"])
def test_white_space_around_a_key_is_no_part_of_it(client, url, key):
    """A key is the same key whatever space its line has (RFC 9110, 5.5)."""
    for line in (key, f" {key}", f"{key} \t"):
        environ = {"HTTP_IDEMPOTENCY_KEY": line}
        client.put(f"{url}/add", json={"quantity": 1}, environ_overrides=environ)

    assert stock(client, url) == 21


@pytest.fixture
def remembered():
    """Whether a key of a caller is remembered; if not, it is from then on, with a body so long."""
    keys = IdempotencyKeys()

    def ask(caller, key, length=0):
        response = keys.answer(caller, str(key), b"", lambda: Response(b" " * length))
        return "Idempotency-Replayed" in response.headers

    return ask


def test_the_latest_ten_thousand_keys_are_kept(remembered):
    """A thousand over the limit, the least recently used have gone and one in use has stayed."""
    remembered("ann", 0)
    for key in range(1, 11_000):
        remembered("ann", key)
        assert remembered("ann", 0)

    assert remembered("ann", 0)
    assert all(remembered("ann", key) for key in range(1001, 11_000))
    assert not any(remembered("ann", key) for key in range(1, 1001))


def test_no_more_than_64_mib_are_kept(remembered):
    """Of large answers fewer are remembered; what a caller forgets makes room again."""
    for key in range(65):
        remembered("ann", key, 2**20)
    assert [remembered("ann", key) for key in (1, 64)] == [True, True]
    assert not remembered("ann", 0)

    remembered("ann", "half of all", 2**25)
    assert not remembered("ann", 2)
    assert remembered("ann", 64)


def test_callers_push_out_nobody_elses_keys(remembered):
    remembered("ann", "key")
    for key in range(10_001):
        remembered("bob", key, 2**13)

    assert remembered("ann", "key")


def test_nobody_waits_for_another_key_or_another_callers():
    keys = IdempotencyKeys()

    def work():
        keys.answer("ann", "another", b"", Response)
        return keys.answer("bob", "key", b"", Response)

    assert keys.answer("ann", "key", b"", work).status_code == 200


def test_a_body_that_does_not_arrive_keeps_no_retry_waiting(server):
    """While one connection still owes half of its body, the same request succeeds on another."""
    body = b'{"name": "Laptop", "sku": "LOST"}'
    head = b"POST /products HTTP/1.1\r\nIdempotency-Key: lost\r\nContent-Length: %d\r\n\r\n"
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as lost:
        lost.sendall(head % len(body) + body[:5])
        with socket.create_connection((host, int(port)), timeout=SECONDS) as retry:
            retry.sendall(head % len(body) + body)
            assert retry.recv(100).startswith(b"HTTP/1.1 201")
