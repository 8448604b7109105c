"""The product and its invariants."""

from datetime import UTC, datetime, timedelta

import pytest

from inventory.errors import InvalidValueError
from inventory.models import Product, Stamp, fold_sku, timestamp, utc_now
from tests.support import MAX

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LATER = Stamp(NOW + timedelta(seconds=1), "ann")


def product(stock=20, reorder_level=5, name="Laptop", sku="LTP-123"):
    """Return a product created at `NOW`."""
    return Product.created(Stamp(NOW), name, sku, stock, reorder_level)


def test_a_change_returns_the_next_version_and_leaves_the_current_one():
    before = product(stock=20)

    added = before.added(LATER, 5)
    reduced = added.reduced(LATER, 25)

    assert before == product(stock=20)._replace(id=before.id)
    versions = [
        (v.version, v.movement, v.change, v.stock, v.actor) for v in (before, added, reduced)
    ]
    assert versions == [
        (1, "CREATED", 20, 20, None),
        (2, "ADDED", 5, 25, "ann"),
        (3, "REDUCED", -25, 0, "ann"),
    ]
    assert (added.id, added.created_at, added.updated_at) == (before.id, NOW, LATER.at)


@pytest.mark.parametrize("quantity", [0, -1, 1.0, True, "1", None, MAX + 1, float("nan")])
@pytest.mark.parametrize("change", [Product.added, Product.reduced])
def test_a_quantity_is_an_integer_of_at_least_1(change, quantity):
    with pytest.raises(InvalidValueError, match="^quantity must be"):
        change(product(), LATER, quantity)


@pytest.mark.parametrize("stock", [-1, 1.0, True, "1", None, MAX + 1])
def test_stock_and_reorder_level_are_integers_of_at_least_0(stock):
    with pytest.raises(InvalidValueError, match="^stock must be"):
        product(stock=stock)
    with pytest.raises(InvalidValueError, match="^reorderLevel must be"):
        product(reorder_level=stock)


def test_stock_is_exact_up_to_its_maximum():
    full = product(stock=MAX - 1).added(LATER, 1)

    assert full.stock == 10**38 - 1
    assert full.reduced(LATER, 1).stock == 10**38 - 2
    with pytest.raises(InvalidValueError, match=f"^stock must be at most {MAX}$"):
        full.added(LATER, 1)


@pytest.mark.parametrize("now", [NOW, NOW - timedelta(days=1)], ids=["standing", "back"])
def test_updated_at_strictly_increases_when_the_clock_does_not(now):
    once = product().added(Stamp(now), 1)
    twice = once.reduced(Stamp(now), 1)

    assert NOW < once.updated_at < twice.updated_at


UNSAFE = "\n\0\x7f\x1f\x85\x9f\u2028\u2029\ud800\udabc\udfff"


@pytest.mark.parametrize("text", ["", "  \n", 5, None, *(f"a{code}b" for code in UNSAFE)])
def test_text_without_content_or_with_control_characters_is_rejected(text):
    with pytest.raises(InvalidValueError, match="^name must"):
        product(name=text)
    with pytest.raises(InvalidValueError, match="^sku must"):
        product(sku=text)


@pytest.mark.parametrize("code", "\u200b\u202e\u00ad\u00a0\u3000\ue000")
def test_a_sku_contains_only_printable_characters(code):
    """Otherwise two SKUs could look the same: `ABC`, and `ABC` with a zero-width space."""
    with pytest.raises(InvalidValueError, match="^sku must contain only printable characters$"):
        product(name=f"a{code}b", sku=f"a{code}b")


def test_the_length_of_text_is_limited_after_stripping():
    longest = product(name=f"\t{'n' * 200}\n", sku=f" {'s' * 64} ")

    assert (longest.name, longest.sku) == ("n" * 200, "s" * 64)
    with pytest.raises(InvalidValueError, match="1 to 200 characters"):
        product(name="n" * 201)
    with pytest.raises(InvalidValueError, match="1 to 64 characters"):
        product(sku="s" * 65)


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
def test_skus_are_equal_by_canonical_caseless_matching(one, other):
    assert fold_sku(one) == fold_sku(other)


def test_compatible_characters_are_different_skus():
    """A superscript two is not a two: the matching is canonical, not by compatibility."""
    assert fold_sku("2") != fold_sku("\u00b2")


def test_timestamps_are_utc_with_six_fractional_digits():
    assert utc_now().utcoffset() == timedelta(0)
    assert timestamp(NOW) == "2026-11-22T00:00:00.000000Z"
