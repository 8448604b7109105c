"""Roles: authentication by token, and authorization."""

import pytest

from inventory import create_app
from inventory.api.roles import MANAGER_ENDPOINTS
from inventory.errors import SettingError
from tests.support import is_error, running_server

TOKENS = "ann:admin:admin-token,bob:manager:manager:token,eve:manager:x"
ADMIN = {"Authorization": "Bearer admin-token"}
MANAGER = {"Authorization": "Bearer manager:token"}

ROUTES = [
    ("GET", "/", 200, 200),
    ("GET", "/openapi.json", 200, 200),
    ("GET", "/products", 200, 200),
    ("GET", "/products/{id}", 200, 200),
    ("GET", "/products/{id}/status", 200, 200),
    ("GET", "/reports/inventory.csv", 200, 200),
    ("PUT", "/products/{id}/add", 200, 200),
    ("PUT", "/products/{id}/reduce", 200, 200),
    ("POST", "/products/bulk-update", 200, 200),
    ("POST", "/products", 403, 201),
    ("DELETE", "/products/{id}", 403, 204),
    ("POST", "/products/{id}/restore", 403, 404),
    ("GET", "/products/{id}/movements", 403, 200),
]
"""Each route, with the status of a valid request by a manager and by an admin."""

BODIES = {
    "/products": {"name": "Phone", "sku": "PHN-7"},
    "/products/{id}/add": {"quantity": 1},
    "/products/{id}/reduce": {"quantity": 1},
    "/products/bulk-update": {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 1}]},
}


@pytest.fixture
def client(clock):
    """An HTTP client of an app with an admin and two managers."""
    return create_app({"INVENTORY_TOKENS": TOKENS}, clock=clock).test_client()


@pytest.fixture
def laptop(client):
    body = {"name": "Laptop", "sku": "LTP-123", "stock": 20, "reorderLevel": 5}
    return client.post("/products", json=body, headers=ADMIN).json


@pytest.mark.parametrize(("method", "path", "manager", "admin"), ROUTES)
def test_a_route_requires_its_role(client, laptop, method, path, manager, admin):
    request = {"path": path.format(id=laptop["id"]), "method": method, "json": BODIES.get(path)}

    by_manager = client.open(**request, headers=MANAGER)
    by_admin = client.open(**request, headers=ADMIN)

    assert (by_manager.status_code, by_admin.status_code) == (manager, admin)


@pytest.mark.parametrize(
    "credentials",
    [
        "",
        "Bearer ",
        "Bearer unknown",
        "Bearer admin-token x",
        "Bearer ann:admin:admin-token",
        "Token admin-token",
        "Bearer t\xf6ken",
        "Bearer admin-token\xa0",
    ],
)
def test_unauthenticated_request_returns_401(client, laptop, url, credentials):
    response = client.delete(url, headers={"Authorization": credentials})

    assert is_error(response, 401, "Authentication required")
    assert response.headers["WWW-Authenticate"].strip() == "Bearer"
    assert client.get(url, headers=ADMIN).json == laptop


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(route[:2] for route in ROUTES),
        ("GET", "/nothing"),
        ("PATCH", "/products"),
        ("OPTIONS", "/products"),
        ("POST", "/products?x=1"),
    ],
)
def test_authentication_comes_before_any_other_error(client, method, path):
    response = client.open(path, method=method, data="{", headers={"Idempotency-Key": " "})

    assert response.status_code == 401
    assert "Allow" not in response.headers


def test_unknown_paths_and_methods_are_open_to_any_authenticated_caller(client):
    assert client.get("/nothing", headers=MANAGER).status_code == 404
    assert client.patch("/products", headers=MANAGER).status_code == 405
    assert client.options("/products/x/movements", headers=MANAGER).status_code == 200


def test_the_scheme_is_case_insensitive_and_followed_by_spaces(client):
    headers = {"Authorization": "bearer  admin-token"}

    assert client.get("/products", headers=headers).status_code == 200


def test_a_route_that_is_not_listed_requires_the_admin_role(client):
    app = client.application
    assert {rule.endpoint for rule in app.url_map.iter_rules()} > MANAGER_ENDPOINTS
    app.add_url_rule("/new", view_func=lambda: "secret", endpoint="new")

    assert client.get("/new", headers=ADMIN).text == "secret"
    assert is_error(client.get("/new", headers=MANAGER), 403, "Admin role required")


def test_movements_name_the_caller_except_for_a_write_off(client, clock, url):
    expiring = {"quantity": 1, "expiresAt": "2026-11-23T00:00:00Z"}
    client.put(f"{url}/add", json=expiring, headers=MANAGER)
    clock.advance(86400)

    movements = client.get(f"{url}/movements", headers=ADMIN).json["movements"]

    expected = [("CREATED", "ann"), ("ADDED", "bob"), ("EXPIRED", None)]
    assert [(m["type"], m["actor"]) for m in movements] == expected


SHAPE = "must be name:role:token, where role is admin or manager"
REPEATED = "repeats a name or a token"


@pytest.mark.parametrize(
    ("tokens", "entry", "message"),
    [
        ("", 1, SHAPE),
        ("ann:secret", 1, SHAPE),
        ("ann:Admin:secret", 1, SHAPE),
        ("ann:admin:", 1, SHAPE),
        (":admin:secret", 1, SHAPE),
        ("ann:admin:se cret", 1, SHAPE),
        ("a\x1bnn:admin:secret", 1, SHAPE),
        ("ann:admin:a,", 2, SHAPE),
        ("ann:admin:secret,ann:manager:b", 2, REPEATED),
        ("ann:admin:secret,bob:manager:secret", 2, REPEATED),
    ],
)
def test_malformed_tokens_prevent_the_start(tokens, entry, message):
    """The message names the entry and not the token."""
    with pytest.raises(SettingError) as error:
        create_app({"INVENTORY_TOKENS": tokens})

    assert str(error.value) == f"INVENTORY_TOKENS: entry {entry} {message}"


def test_malformed_tokens_in_the_environment_are_reported_in_one_line():
    with running_server(INVENTORY_TOKENS="ann:secret") as process:
        _, errors = process.communicate(timeout=10)

    assert process.returncode == 1
    assert errors == f"run.py: INVENTORY_TOKENS: entry 1 {SHAPE}\n"


def test_the_config_contains_no_token(client):
    assert "admin-token" not in str(client.application.config)
