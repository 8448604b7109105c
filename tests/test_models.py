"""The rules that hold for one product."""

from datetime import UTC, datetime, timedelta

import pytest

from inventory.errors import InsufficientStockError, InvalidValueError
from inventory.models import MAX_QUANTITY, Product, Stamp, StockStatus, utc_now

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def product(stock=20, reorder_level=5):
    """A product as it was created, at `NOW`."""
    return Product.created(Stamp(NOW), "Laptop", "LTP-123", stock, reorder_level)


@pytest.mark.parametrize(
    ("stock", "reorder_level", "status"),
    [(6, 5, "IN_STOCK"), (5, 5, "LOW_STOCK"), (4, 5, "LOW_STOCK"), (0, 0, "LOW_STOCK")],
)
def test_status_is_low_at_the_reorder_level_and_below(stock, reorder_level, status):
    """A product is low on stock from its reorder level down, and in stock above it."""
    assert product(stock, reorder_level).status == StockStatus(status)


def test_added_units_are_on_hand():
    """Adding makes a new product that differs in stock and time, and leaves the old one."""
    before = product(stock=20)

    after = before.added(Stamp(LATER), 5)

    assert (before.stock, before.updated_at) == (20, NOW)
    assert (after.stock, after.updated_at) == (25, LATER)
    assert (after.id, after.created_at) == (before.id, NOW)


def test_the_last_unit_can_be_sold():
    """Stock may fall to zero."""
    assert product(stock=20).reduced(Stamp(LATER), 20).stock == 0


def test_more_than_there_is_is_refused():
    """Stock never falls below zero."""
    with pytest.raises(InsufficientStockError):
        product(stock=20).reduced(Stamp(LATER), 21)


@pytest.mark.parametrize("quantity", [0, -1, 1.0, True, "1", None, MAX_QUANTITY + 1, float("nan")])
@pytest.mark.parametrize("change", [Product.added, Product.reduced])
def test_a_quantity_is_an_integer_of_at_least_one(change, quantity):
    """Nothing but an integer from 1 to the limit moves stock."""
    with pytest.raises(InvalidValueError, match="^quantity must be"):
        change(product(), Stamp(LATER), quantity)


@pytest.mark.parametrize("stock", [-1, 1.0, True, "1", None, MAX_QUANTITY + 1])
def test_no_product_has_an_impossible_stock(stock):
    """Stock and reorder level are integers from 0 to the limit, however the product is made."""
    with pytest.raises(InvalidValueError, match="^stock must be"):
        product(stock=stock)
    with pytest.raises(InvalidValueError, match="^reorderLevel must be"):
        product(reorder_level=stock)


def test_very_large_stock_is_exact():
    """Stock is exact up to the limit; one more is refused, never rounded or wrapped."""
    full = product(stock=MAX_QUANTITY - 1).added(Stamp(LATER), 1)

    assert full.stock == 10**38 - 1
    assert full.reduced(Stamp(LATER), 1).stock == 10**38 - 2
    with pytest.raises(InvalidValueError, match=f"^stock must be at most {MAX_QUANTITY}$"):
        full.added(Stamp(LATER), 1)


@pytest.mark.parametrize("now", [NOW, NOW - timedelta(days=1)])
def test_updated_at_moves_on_though_the_clock_does_not(now):
    """Each change is later than the one before, even if the clock stands still or runs back."""
    once = product().added(Stamp(now), 1)
    twice = once.reduced(Stamp(now), 1)

    assert NOW < once.updated_at < twice.updated_at


def test_text_is_stored_stripped():
    """Outer white space is no part of a name or SKU; letter case and inner space are."""
    stripped = Product.created(Stamp(NOW), "\t Big  Laptop \n", " Ltp-123 ", 0, 0)

    assert (stripped.name, stripped.sku) == ("Big  Laptop", "Ltp-123")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "a\nb",
        "a\x00b",
        "a\x7fb",
        "a\x1fb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "\ud800",
        "a\udfff",
        5,
        None,
    ],
)
def test_text_without_content_or_with_control_characters_is_refused(text):
    """A name and a SKU are strings that can be shown on one line."""
    with pytest.raises(InvalidValueError, match="^name must"):
        Product.created(Stamp(NOW), text, "LTP-123", 0, 0)
    with pytest.raises(InvalidValueError, match="^sku must"):
        Product.created(Stamp(NOW), "Laptop", text, 0, 0)


def test_text_has_a_longest_length():
    """A name has up to 200 characters and a SKU up to 64, not counting outer white space."""
    longest = Product.created(Stamp(NOW), " " + "n" * 200 + " ", " " + "s" * 64 + " ", 0, 0)

    assert (len(longest.name), len(longest.sku)) == (200, 64)
    with pytest.raises(InvalidValueError, match="1 to 200 characters"):
        Product.created(Stamp(NOW), "n" * 201, "LTP-123", 0, 0)
    with pytest.raises(InvalidValueError, match="1 to 64 characters"):
        Product.created(Stamp(NOW), "Laptop", "s" * 65, 0, 0)


def test_a_product_cannot_be_changed_in_place():
    """A product that somebody holds stays as it is."""
    with pytest.raises(AttributeError):
        product().stock = -1


def test_the_real_clock_is_in_utc():
    """The time does not depend on where the server stands."""
    assert utc_now().utcoffset() == timedelta(0)
