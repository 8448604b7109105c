"""The use cases, without HTTP."""

import pytest

from inventory.errors import (
    DuplicateSkuError,
    InsufficientStockError,
    InvalidValueError,
    InventoryError,
    ProductNotFoundError,
)
from inventory.models import MAX_QUANTITY


def test_a_created_product_can_be_read(service, clock):
    """What was created is what is read, with times by the service's clock."""
    product = service.create_product("Laptop", "LTP-123", stock=20, reorder_level=5)

    assert service.get_product(product.id) == product
    assert (product.stock, product.reorder_level) == (20, 5)
    assert product.created_at == product.updated_at == clock.now


def test_stock_is_empty_unless_said_otherwise(service):
    """Stock and reorder level are 0 by default."""
    product = service.create_product("Laptop", "LTP-123")

    assert (product.stock, product.reorder_level) == (0, 0)


def test_a_change_returns_what_it_left(service):
    """Adding and reducing return the product as that very change left it."""
    product = service.create_product("Laptop", "LTP-123", stock=20)

    assert service.add_stock(product.id, 5).stock == 25
    reduced = service.reduce_stock(product.id, 12)

    assert reduced.stock == 13
    assert service.get_product(product.id) == reduced


@pytest.mark.parametrize("quantity", [0, -1, 1.0, True, "1", None, MAX_QUANTITY + 1])
def test_a_bad_quantity_never_moves_stock(service, quantity):
    """The service refuses bad quantities by itself, with no help from HTTP."""
    product = service.create_product("Laptop", "LTP-123", stock=20)

    for change in (service.add_stock, service.reduce_stock):
        with pytest.raises(InvalidValueError):
            change(product.id, quantity)
    assert service.get_product(product.id) == product


def test_a_refused_reduction_alters_nothing(service):
    """After a refusal the product is as it was, to the time of its last update."""
    product = service.create_product("Laptop", "LTP-123", stock=20)

    with pytest.raises(InsufficientStockError):
        service.reduce_stock(product.id, 21)

    assert service.get_product(product.id) == product


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [
        ("ltp-123", "LTP-123"),
        ("STRASSE", "straße"),
        ("caf\u00e9", "CAFE\u0301"),
        ("\u1fb4", "\u03b1\u0345\u0301"),
        ("a", " a "),
    ],
)
def test_a_sku_is_unique_whatever_its_letter_case(service, taken, wanted):
    """SKUs that match by canonical caseless matching are the same SKU."""
    service.create_product("First", taken)

    with pytest.raises(DuplicateSkuError):
        service.create_product("Second", wanted)


def test_skus_that_merely_look_alike_are_different(service):
    """A superscript two is no two: matching is canonical, and not by compatibility."""
    service.create_product("First", "2")

    assert service.create_product("Second", "\u00b2").sku == "\u00b2"


def test_a_refused_product_leaves_its_sku_free(service):
    """A creation that was refused claims nothing."""
    with pytest.raises(InvalidValueError):
        service.create_product("Laptop", "LTP-123", stock=-1)

    assert service.create_product("Laptop", "LTP-123").sku == "LTP-123"


def test_an_unknown_product_is_not_found(service):
    """Every use case refuses an id that no product has, with an error of the inventory's own."""
    for call in (
        lambda: service.get_product("unknown"),
        lambda: service.add_stock("unknown", 1),
        lambda: service.reduce_stock("unknown", 1),
    ):
        with pytest.raises(ProductNotFoundError) as refusal:
            call()
        assert isinstance(refusal.value, InventoryError)
