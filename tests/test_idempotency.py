"""Safe retries: a request that comes again with its key is answered, and not repeated."""

import socket
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
from flask import Response
from racing import PatientCondition, PatientLock, race

from inventory import create_app
from inventory.api.idempotency import IdempotencyKeys

KEY = {"Idempotency-Key": "key-1"}


def stock(client, product):
    """The present stock of a product."""
    return client.get(f"/products/{product['id']}").json["stock"]


def test_a_repeated_reduction_is_done_once(client, laptop):
    """A retry gets the first answer, marked as replayed, and takes nothing."""
    url = f"/products/{laptop['id']}/reduce"

    first = client.put(url, json={"quantity": 5}, headers=KEY)
    client.put(url, json={"quantity": 1})
    retry = client.put(url, json={"quantity": 5}, headers=KEY)

    assert (retry.status_code, retry.data) == (first.status_code, first.data)
    assert retry.headers["ETag"] == first.headers["ETag"] == '"2"'
    assert retry.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert stock(client, laptop) == 14


def test_a_repeated_creation_is_done_once(client):
    """A retry of a creation gets the product with its location, and no 409."""
    body = {"name": "Laptop", "sku": "LTP-123"}

    first = client.post("/products", json=body, headers=KEY)
    retry = client.post("/products", json=body, headers=KEY)

    assert (retry.status_code, retry.data) == (201, first.data)
    assert retry.headers["Location"] == first.headers["Location"]
    assert retry.headers["Content-Type"] == "application/json"
    assert len(client.get("/products").json["products"]) == 1


def test_every_post_and_put_takes_a_key(client, laptop):
    """Adding, batches and restoring are repeated as safely as creating and reducing."""
    url = f"/products/{laptop['id']}"
    batch = {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 3}]}

    for number in range(2):
        added = client.put(f"{url}/add", json={"quantity": 1}, headers={"Idempotency-Key": "a"})
        many = client.post("/products/bulk-update", json=batch, headers={"Idempotency-Key": "b"})
        if number == 0:
            client.delete(url)
        restored = client.post(f"{url}/restore", headers={"Idempotency-Key": "c"})

    assert added.json["newStock"] == 21
    assert many.json["results"][0]["newStock"] == 24
    assert restored.status_code == 200
    for response in (added, many, restored):
        assert response.headers["Idempotency-Replayed"] == "true"
    assert stock(client, laptop) == 24


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/products/{id}/reduce", b'{"quantity": 2}'),
        ("PUT", "/products/{id}/reduce", b'{"quantity":1}'),
        ("PUT", "/products/{id}/add", b'{"quantity": 1}'),
        ("POST", "/products/{id}/restore", b'{"quantity": 1}'),
    ],
)
def test_a_key_is_for_one_request(client, laptop, method, path, body):
    """A key that comes back with another body, path or method is refused."""
    client.put(f"/products/{laptop['id']}/reduce", data=b'{"quantity": 1}', headers=KEY)

    response = client.open(path.format(id=laptop["id"]), method=method, data=body, headers=KEY)

    message = "Idempotency-Key was used with another request"
    assert (response.status_code, response.json) == (422, {"error": True, "message": message})
    assert stock(client, laptop) == 19


def test_a_refusal_is_not_remembered(client, laptop):
    """A retry of a refused request is judged afresh, and may be another request."""
    url = f"/products/{laptop['id']}"

    assert client.put(f"{url}/reduce", json={"quantity": 21}, headers=KEY).status_code == 400
    client.put(f"{url}/add", json={"quantity": 1})
    retry = client.put(f"{url}/reduce", json={"quantity": 21}, headers=KEY)

    assert retry.json["newStock"] == 0
    assert "Idempotency-Replayed" not in retry.headers


def test_a_defect_releases_the_key(app, client, laptop, monkeypatch):
    """After a defect of ours the same request can be made again under its key."""
    url = f"/products/{laptop['id']}/reduce"
    with monkeypatch.context() as broken:
        broken.setattr(app.extensions["inventory"], "reduce_stock", None)
        assert client.put(url, json={"quantity": 5}, headers=KEY).status_code == 500

    assert client.put(url, json={"quantity": 5}, headers=KEY).json["newStock"] == 15


def test_white_space_around_a_key_is_no_part_of_it(client, laptop):
    """A key is the same key whatever space its line has (RFC 9110, 5.5)."""
    url = f"/products/{laptop['id']}/add"

    for key in ("key-1", " key-1", "key-1 \t"):
        environ = {"HTTP_IDEMPOTENCY_KEY": key}
        client.put(url, json={"quantity": 1}, environ_overrides=environ)

    assert stock(client, laptop) == 21


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "\x7f", "clé"])
def test_a_malformed_key_is_refused(client, laptop, key):
    """A key is 1 to 255 visible ASCII characters."""
    response = client.put(
        f"/products/{laptop['id']}/add",
        json={"quantity": 1},
        environ_overrides={"HTTP_IDEMPOTENCY_KEY": key},
    )

    assert response.status_code == 400
    message = "Idempotency-Key must be 1 to 255 visible ASCII characters"
    assert response.json["message"] == message
    assert stock(client, laptop) == 20


def test_the_longest_key_is_taken(client, laptop):
    """255 characters are not too many."""
    headers = {"Idempotency-Key": "k" * 255}
    url = f"/products/{laptop['id']}/add"

    assert client.put(url, json={"quantity": 1}, headers=headers).status_code == 200


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
    for key in range(11_000):
        remembered("ann", key)
        remembered("ann", 0)

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
    """However many keys one caller uses, another's retry is still a retry."""
    remembered("ann", "key")
    for key in range(10_001):
        remembered("bob", key, 2**13)

    assert remembered("ann", "key")


@pytest.fixture
def patient(monkeypatch):
    """Locks and events whose waiters let the others take their turns."""
    patience = SimpleNamespace(Lock=PatientLock, Condition=PatientCondition)
    monkeypatch.setattr("inventory.repository.threading", patience)
    monkeypatch.setattr("inventory.api.idempotency.threading", patience)


def twins_reduce(app, number, key="key-1", **order):
    """So many requests under one key, and what is left of a stock of 20 after them."""
    service = app.extensions["inventory"]
    ticket = service.create_product("Ticket", key, stock=20)

    def reduce():
        url, headers = f"/products/{ticket.id}/reduce", {"Idempotency-Key": key}
        return app.test_client().put(url, json={"quantity": 1}, headers=headers)

    return race(*[reduce] * number, **order), service.get_product(ticket.id).stock


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_twins_change_stock_once(patient, seed):
    """Of sixteen twins at once one takes a unit, and all get the same answer."""
    responses, left = twins_reduce(create_app(), 16, seed=seed)

    assert left == 19
    assert {(response.status_code, response.data) for response in responses} == {
        (200, responses[0].data)
    }
    assert sum("Idempotency-Replayed" in response.headers for response in responses) == 15


def left_by_two_twins(app):
    """What two twins leave of 20, for each line at which the first stands still meanwhile."""
    for line in range(160):
        yield twins_reduce(app, 2, key=f"key-{line}", switch=line)[1]


def test_a_twin_may_come_at_any_line(patient):
    """Wherever the first of two twins is when the second one comes, they take one unit."""
    assert set(left_by_two_twins(create_app())) == {19}


class NoCondition(nullcontext):
    def wait_for(self, predicate):
        pass

    def notify_all(self):
        pass


def test_twins_are_only_safe_because_of_the_lock(patient):
    """Without the lock around the keys, there is a line at which twins take two units."""
    app = create_app()
    app.extensions["idempotency"]._changed = NoCondition()  # noqa: SLF001

    assert 18 in left_by_two_twins(app)


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_a_twin_of_a_failure_is_judged_afresh(patient, monkeypatch, seed):
    """Where the first of many twins fails, the next one does the work, and once."""
    app = create_app()
    service = app.extensions["inventory"]
    reduce_stock, failures = service.reduce_stock, [KeyError(), ValueError()]

    def fail_twice(*arguments, **options):
        if failures:
            raise failures.pop()
        return reduce_stock(*arguments, **options)

    monkeypatch.setattr(service, "reduce_stock", fail_twice)
    responses, left = twins_reduce(app, 16, seed=seed)

    assert left == 19
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200] * 14 + [500] * 2


def test_a_body_that_cannot_be_read_changes_nothing(client, laptop):
    """A restoration under a key is refused before it is done, where its body is too large."""
    url = f"/products/{laptop['id']}"
    client.delete(url)

    response = client.post(f"{url}/restore", data=b" " * 2**21, headers=KEY)

    assert response.status_code == 413
    assert client.get(url).status_code == 404


def test_a_body_that_does_not_arrive_keeps_no_retry_waiting(server):
    """While one connection still owes half of its body, the same request succeeds on another."""
    body = b'{"name": "Laptop", "sku": "LOST"}'
    head = b"POST /products HTTP/1.1\r\nIdempotency-Key: lost\r\nContent-Length: %d\r\n\r\n"
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as lost:
        lost.sendall(head % len(body) + body[:5])
        with socket.create_connection((host, int(port)), timeout=10) as retry:
            retry.sendall(head % len(body) + body)
            assert retry.recv(100).startswith(b"HTTP/1.1 201")


def test_another_request_waits_for_the_outcome(patient):
    """A key that is under way with a request that is refused may be used for another at once."""
    app = create_app()
    service = app.extensions["inventory"]
    for line in range(200):
        ticket = service.create_product("Ticket", f"TICKET-{line}", stock=20)

        def reduce(quantity, ticket=ticket, line=line):
            url, headers = f"/products/{ticket.id}/reduce", {"Idempotency-Key": f"key-{line}"}
            return app.test_client().put(url, json={"quantity": quantity}, headers=headers)

        responses = race(partial(reduce, 21), partial(reduce, 20), switch=line)

        assert sorted(response.status_code for response in responses) in ([200, 400], [200, 422])
