"""Refusals and defects have one shape, for every path and method."""

import pytest

from tests.support import is_error


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing?x=1", "/products/", "/products//a", "/products/a/b/c"]
)
def test_an_unknown_path_is_refused(client, path):
    assert is_error(client.get(path), 404, "No such path")


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
    response = client.open(path, method=method)

    assert is_error(response, 405, "Method not allowed for this path")
    assert set(response.allow) == allowed


def test_a_defect_of_ours_tells_the_log_and_not_the_client(app, client, monkeypatch, caplog):
    """An unexpected exception is a 500 without a word about its cause, which is logged."""

    def get_product(product_id):
        raise KeyError("secret")

    monkeypatch.setattr(app.extensions["inventory"], "get_product", get_product)

    assert is_error(client.get("/products/a"), 500, "Internal server error")
    assert "secret" in caplog.text
    assert "Traceback" in caplog.text


def test_a_view_that_answers_nothing_is_a_defect(app, client, monkeypatch):
    monkeypatch.setitem(app.view_functions, "products.get_product", lambda product_id: None)

    assert is_error(client.get("/products/a"), 500, "Internal server error")
