"""Errors have one shape for every path, method and failure."""

import pytest

from tests.support import is_error


@pytest.mark.parametrize("path", ["/nothing?x=1", "/products/", "/products//a"])
def test_an_unknown_path_is_not_found(client, path):
    assert is_error(client.get(path), 404, "No such path")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/products", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("BREW", "/products/a/add", {"PUT", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_rejected_with_the_allowed_ones(client, method, path, allowed):
    response = client.open(path, method=method)

    assert is_error(response, 405, "Method not allowed for this path")
    assert set(response.allow) == allowed


def test_an_unexpected_exception_is_logged_and_returns_500_without_details(
    app, client, monkeypatch, caplog
):
    def get_product(product_id):
        raise KeyError("secret")

    monkeypatch.setattr(app.extensions["inventory"], "get_product", get_product)

    assert is_error(client.get("/products/a"), 500, "Internal server error")
    assert "Traceback" in caplog.text
    assert "secret" in caplog.text


def test_a_routing_error_leaves_no_cycle_through_the_request(app):
    """With `GC_THRESHOLDS`, such a cycle may never be freed."""
    with app.test_request_context("/nothing") as context:
        app.full_dispatch_request()

        assert context.request.routing_exception is None
