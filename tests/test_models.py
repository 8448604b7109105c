"""The rules that hold for one product."""

from datetime import UTC, datetime, timedelta

import pytest

from inventory.errors import InsufficientStockError, InvalidValueError
from inventory.models import Product, Stamp, fold_sku, timestamp, utc_now
from tests.support import MAX

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = Stamp(NOW + timedelta(seconds=1), "ann")


def product(stock=20, reorder_level=5):
    """A product as it was created, at `NOW`."""
    return Product.created(Stamp(NOW), "Laptop", "LTP-123", stock, reorder_level)


@pytest.mark.parametrize(
    ("stock", "reorder_level", "status"),
    [(6, 5, "IN_STOCK"), (5, 5, "LOW_STOCK"), (4, 5, "LOW_STOCK"), (0, 0, "LOW_STOCK")],
)
def test_status_is_low_at_the_reorder_level_and_below(stock, reorder_level, status):
    assert product(stock, reorder_level).status == status


def test_each_change_makes_a_version_that_tells_of_it():
    """The next version has the stock, the time and the change; the one before is as it was."""
    before = product(stock=20)

    added = before.added(LATER, 5)
    reduced = added.reduced(LATER, 25)

    assert before == product(stock=20)._replace(id=before.id)
    changed = [
        (v.version, v.movement, v.change, v.stock, v.actor) for v in (before, added, reduced)
    ]
    assert changed == [
        (1, "CREATED", 20, 20, None),
        (2, "ADDED", 5, 25, "ann"),
        (3, "REDUCED", -25, 0, "ann"),
    ]
    assert (added.id, added.created_at, added.updated_at) == (before.id, NOW, LATER.at)


def test_more_than_there_is_is_refused():
    with pytest.raises(InsufficientStockError):
        product(stock=20).reduced(LATER, 21)


@pytest.mark.parametrize("quantity", [0, -1, 1.0, True, "1", None, MAX + 1, float("nan")])
@pytest.mark.parametrize("change", [Product.added, Product.reduced])
def test_a_quantity_is_an_integer_of_at_least_one(change, quantity):
    with pytest.raises(InvalidValueError, match="^quantity must be"):
        change(product(), LATER, quantity)


@pytest.mark.parametrize("stock", [-1, 1.0, True, "1", None, MAX + 1])
def test_no_product_has_an_impossible_stock(stock):
    with pytest.raises(InvalidValueError, match="^stock must be"):
        product(stock=stock)
    with pytest.raises(InvalidValueError, match="^reorderLevel must be"):
        product(reorder_level=stock)


def test_very_large_stock_is_exact():
    """Stock is exact up to the limit; one more is refused, never rounded or wrapped."""
    full = product(stock=MAX - 1).added(LATER, 1)

    assert full.stock == 10**38 - 1
    assert full.reduced(LATER, 1).stock == 10**38 - 2
    with pytest.raises(InvalidValueError, match=f"^stock must be at most {MAX}$"):
        full.added(LATER, 1)


@pytest.mark.parametrize("now", [NOW, NOW - timedelta(days=1)])
def test_updated_at_strictly_increases(now):
    once = product().added(Stamp(now), 1)
    twice = once.reduced(Stamp(now), 1)

    assert NOW < once.updated_at < twice.updated_at


def test_text_is_stored_stripped():
    stripped = Product.created(Stamp(NOW), "\t Big  Laptop \n", " Ltp-123 ", 0, 0)

    assert (stripped.name, stripped.sku) == ("Big  Laptop", "Ltp-123")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        5,
        None,
        *(f"a{code}b" for code in "\n\0\x7f\x1f\x85\x9f\u2028\u2029\ud800\udabc\udfff"),
    ],
)
def test_text_without_content_or_with_control_characters_is_refused(text):
    with pytest.raises(InvalidValueError, match="^name must"):
        Product.created(Stamp(NOW), text, "LTP-123", 0, 0)
    with pytest.raises(InvalidValueError, match="^sku must"):
        Product.created(Stamp(NOW), "Laptop", text, 0, 0)


@pytest.mark.parametrize("code", "\u200b\u202e\u00ad\u00a0\u3000\ue000")
def test_a_sku_contains_only_printable_characters(code):
    """Otherwise two SKUs could look the same: `ABC` and `ABC` with a zero-width space."""
    with pytest.raises(InvalidValueError, match="^sku must contain only printable characters$"):
        Product.created(Stamp(NOW), f"a{code}b", f"a{code}b")


def test_text_has_a_longest_length():
    longest = Product.created(Stamp(NOW), " " + "n" * 200 + " ", " " + "s" * 64 + " ", 0, 0)

    assert (len(longest.name), len(longest.sku)) == (200, 64)
    with pytest.raises(InvalidValueError, match="1 to 200 characters"):
        Product.created(Stamp(NOW), "n" * 201, "LTP-123", 0, 0)
    with pytest.raises(InvalidValueError, match="1 to 64 characters"):
        Product.created(Stamp(NOW), "Laptop", "s" * 65, 0, 0)


def test_a_product_cannot_be_changed_in_place():
    with pytest.raises(AttributeError):
        product().stock = -1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ltp-123", "LTP-123"),
        ("STRASSE", "straße"),
        ("caf\u00e9", "CAFE\u0301"),
        ("\u1fb4", "\u03b1\u0345\u0301"),
        ("a", " a "),
    ],
)
def test_two_spellings_are_one_sku(one, other):
    assert fold_sku(one) == fold_sku(other)


def test_skus_that_merely_look_alike_are_different():
    """A superscript two is no two: matching is canonical, and not by compatibility."""
    assert fold_sku("2") != fold_sku("\u00b2")


def test_times_are_shown_in_utc_with_six_digits():
    assert utc_now().utcoffset() == timedelta(0)
    assert timestamp(NOW) == "2026-11-22T00:00:00.000000Z"
