"""Roles: who may do what, once somebody has a token."""

import pytest
from conftest import running_server

from inventory import create_app
from inventory.api.roles import MANAGERS_MAY
from inventory.errors import SettingError

TOKENS = "ann:admin:admin-token,bob:manager:manager:token,eve:manager:x"
ADMIN = {"Authorization": "Bearer admin-token"}
MANAGER = {"Authorization": "Bearer manager:token"}

ROUTES = [
    ("GET", "/products", 200, 200),
    ("GET", "/products/{id}", 200, 200),
    ("GET", "/products/{id}/status", 200, 200),
    ("GET", "/reports/inventory.csv", 200, 200),
    ("GET", "/", 200, 200),
    ("GET", "/openapi.json", 200, 200),
    ("PUT", "/products/{id}/add", 200, 200),
    ("PUT", "/products/{id}/reduce", 200, 200),
    ("POST", "/products/bulk-update", 200, 200),
    ("POST", "/products", 403, 201),
    ("DELETE", "/products/{id}", 403, 204),
    ("POST", "/products/{id}/restore", 403, 404),
    ("GET", "/products/{id}/movements", 403, 200),
]
"""Each route, with the status that a manager and an admin get for a good request."""

BODIES = {
    "/products": {"name": "Phone", "sku": "PHN-7"},
    "/products/{id}/restore": {},
    "/products/bulk-update": {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 1}]},
}


@pytest.fixture
def app(clock):
    """An app with an admin and two managers."""
    return create_app({"INVENTORY_TOKENS": TOKENS}, clock=clock)


@pytest.fixture
def laptop(client):
    """The JSON of a product that the admin created."""
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 20, "reorderLevel": 5}
    return client.post("/products", json=body, headers=ADMIN).json


def call(client, method, path, product, headers):
    """Make a good request of a route."""
    body = BODIES.get(path, {"quantity": 1}) if method in ("POST", "PUT") else None
    return client.open(path.format(id=product["id"]), method=method, json=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "manager", "admin"), ROUTES)
def test_a_role_may_do_what_the_table_says(client, laptop, method, path, manager, admin):
    """A manager and an admin get what their role allows, and a refusal names the role that may."""
    refused_or_not = call(client, method, path, laptop, MANAGER)
    assert refused_or_not.status_code == manager
    if manager == 403:
        message = "Only admin may do this"
        assert refused_or_not.json == {"error": True, "message": message}

    assert call(client, method, path, laptop, ADMIN).status_code == admin


STRANGERS = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer unknown",
    "Bearer admin-token x",
    "Bearer admin-tokeN",
    "Bearer ann:admin:admin-token",
    "Basic YW5uOmFkbWluLXRva2Vu",
    "admin-token",
    "Token admin-token",
    "Bearer t\xf6ken",
    "Bearer admin-token\xa0",
]


@pytest.mark.parametrize(("method", "path"), [route[:2] for route in ROUTES])
def test_nobody_else_is_told_anything(client, laptop, method, path):
    """Without a known token in the right scheme every route answers 401, and changes nothing."""
    for authorization in STRANGERS:
        headers = {} if authorization is None else {"Authorization": authorization}
        response = call(client, method, path, laptop, headers)

        assert response.status_code == 401, authorization
        assert response.headers["WWW-Authenticate"].strip() == "Bearer"
        assert response.json == {"error": True, "message": "Authentication required"}
    assert client.get(f"/products/{laptop['id']}", headers=ADMIN).json == laptop


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("PATCH", "/products"),
        ("OPTIONS", "/products"),
        ("GET", "/products?x=1"),
        ("GET", "/products/unknown"),
        ("POST", "/products"),
        ("GET", "/products?%ff"),
    ],
)
def test_a_stranger_learns_nothing_from_a_malformed_request(client, method, path):
    """401 comes before anything else is said: unknown paths, methods, parameters and bodies."""
    response = client.open(path, method=method, data="{", headers={"Idempotency-Key": " "})

    assert response.status_code == 401
    assert "Allow" not in response.headers


def test_a_known_caller_is_told_what_is_wrong(client):
    """With a token, an unknown path or method is answered as ever."""
    assert client.get("/nothing", headers=MANAGER).status_code == 404
    assert client.patch("/products", headers=MANAGER).status_code == 405


@pytest.mark.parametrize("path", ["/products", "/products/x", "/products/x/movements"])
def test_every_caller_may_ask_for_the_methods(client, path):
    """OPTIONS is answered to any known caller."""
    assert client.options(path, headers=MANAGER).status_code == 200


def test_the_scheme_is_read_in_any_letter_case(client):
    """`bearer` is as good as `Bearer` (RFC 9110, 11.1), and so are several spaces after it."""
    headers = {"Authorization": "bearer  admin-token"}

    assert client.get("/products", headers=headers).status_code == 200


def test_the_table_lists_what_there_is(app):
    """Every endpoint of the table is one of the app."""
    assert {rule.endpoint for rule in app.url_map.iter_rules()} > MANAGERS_MAY


def test_a_route_that_is_not_listed_is_the_admins(app, client):
    """A new route that the table does not have is closed to managers."""
    app.add_url_rule("/new", view_func=lambda: "secret", endpoint="new")

    assert client.get("/new", headers=ADMIN).text == "secret"
    assert client.get("/new", headers=MANAGER).status_code == 403


def test_the_caller_is_named_in_the_movements(client, clock, laptop):
    """Each movement names who made it, and a write-off nobody."""
    url = f"/products/{laptop['id']}"
    expiring = {"quantity": 1, "expiresAt": "2026-11-23T00:00:00Z"}
    client.put(f"{url}/add", json=expiring, headers=MANAGER)
    client.put(f"{url}/reduce", json={"quantity": 3}, headers=MANAGER)
    client.put(f"{url}/add", json=expiring, headers=MANAGER)
    call(client, "POST", "/products/bulk-update", laptop, MANAGER)
    clock.advance(2 * 86400)
    client.delete(url, headers=ADMIN)
    client.post(f"{url}/restore", headers=ADMIN)

    movements = client.get(f"{url}/movements", headers=ADMIN).json["movements"]

    assert [(m["type"], m["actor"]) for m in movements] == [
        ("CREATED", "ann"),
        ("ADDED", "bob"),
        ("REDUCED", "bob"),
        ("ADDED", "bob"),
        ("ADDED", "bob"),
        ("EXPIRED", None),
        ("DELETED", "ann"),
        ("RESTORED", "ann"),
    ]


def test_callers_may_choose_the_same_key(client, laptop):
    """An idempotency key of one caller is not known to another."""
    url = f"/products/{laptop['id']}/reduce"
    key = {"Idempotency-Key": "key-1"}

    for headers in (ADMIN, MANAGER, ADMIN, MANAGER):
        last = client.put(url, json={"quantity": 1}, headers={**headers, **key})

    assert last.json["newStock"] == 18
    assert client.get(f"/products/{laptop['id']}", headers=ADMIN).json["stock"] == 18


SHAPE = "must be name:role:token, where role is admin or manager"
TWICE = "has the name or the token of another"


@pytest.mark.parametrize(
    ("tokens", "entry", "message"),
    [
        ("", 1, SHAPE),
        ("secret", 1, SHAPE),
        ("ann:secret", 1, SHAPE),
        ("ann:owner:secret", 1, SHAPE),
        ("ann:Admin:secret", 1, SHAPE),
        ("ann:admin:", 1, SHAPE),
        (":admin:secret", 1, SHAPE),
        ("ann:admin:se cret", 1, SHAPE),
        ("ann:admin:s\xe9cret", 1, SHAPE),
        ("a nn:admin:secret", 1, SHAPE),
        ("a\x1bnn:admin:secret", 1, SHAPE),
        ("ann:admin:a,", 2, SHAPE),
        ("ann:admin:a,bob:manager:b,secret", 3, SHAPE),
        ("ann:admin:secret,ann:manager:b", 2, TWICE),
        ("ann:admin:secret,bob:manager:secret", 2, TWICE),
    ],
)
def test_malformed_tokens_stop_the_start(tokens, entry, message):
    """A malformed setting is refused with the entry's position, and never with the token."""
    with pytest.raises(SettingError) as refusal:
        create_app({"INVENTORY_TOKENS": tokens})

    assert str(refusal.value) == f"INVENTORY_TOKENS: entry {entry} {message}"


def test_malformed_tokens_are_one_clear_line():
    """`python run.py` ends with one line on tokens that it cannot start with."""
    with running_server(INVENTORY_TOKENS="ann:secret") as process:
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert errors == f"run.py: INVENTORY_TOKENS: entry 1 {SHAPE}\n"


def test_tokens_come_from_the_environment(monkeypatch):
    """Roles are switched on by an environment variable."""
    monkeypatch.setenv("INVENTORY_TOKENS", TOKENS)
    client = create_app().test_client()

    assert client.get("/products").status_code == 401
    assert client.get("/products", headers=MANAGER).status_code == 200


def test_no_token_is_kept(app):
    """The app remembers digests, and not the tokens that they are of."""
    [authorize] = [f for f in app.before_request_funcs[None] if "authorize" in f.__qualname__]
    kept = [cell.cell_contents for cell in authorize.__closure__]

    assert "ann" in str(kept)
    assert "admin-token" not in str(kept) + str(app.config)
