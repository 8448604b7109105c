"""The values of the inventory, and the rules that hold for one product whoever changes it."""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, Self
from uuid import uuid4

from inventory.errors import InsufficientStockError, InvalidValueError

MAX_QUANTITY = 10**38 - 1
"""The widest exact integer that common databases store: DECIMAL(38, 0)."""

_TICK = timedelta(microseconds=1)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # categories Cc and Cs


def utc_now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """Return a UTC time in ISO 8601 with six fraction digits and `Z`."""
    return at.isoformat(timespec="microseconds")[:-6] + "Z"  # for +00:00


class StockStatus(StrEnum):
    """Whether a product needs to be reordered."""

    IN_STOCK = "IN_STOCK"
    LOW_STOCK = "LOW_STOCK"


class MovementType(StrEnum):
    """What happened to a product in one change."""

    CREATED = "CREATED"
    ADDED = "ADDED"
    REDUCED = "REDUCED"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"
    RESTORED = "RESTORED"


class Lot(NamedTuple):
    """Units of a product that expire at the same instant.

    Attributes:
        expires_at: UTC; from this instant on the units are no stock.
        quantity: units, at least 1.
    """

    expires_at: datetime
    quantity: int

    def has_expired(self, now: datetime) -> bool:
        """Whether the units are no longer stock at `now`."""
        return self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product as it is between two changes. A change makes a new one.

    Attributes:
        id: a random UUID in its canonical lower-case form.
        name: 1 to 200 characters, stripped of outer white space.
        sku: stock keeping unit, 1 to 64 characters, stripped, in the letter case it was given.
        stock: units on hand, 0 to `MAX_QUANTITY`. An integer: units are counted, not measured.
        lots: those of the units that have an expiry, soonest first, one lot for each instant.
        reorder_level: the stock at which, and below which, it is time to reorder; same range.
        created_at: UTC.
        updated_at: UTC, later after each change than before it.
        version: 1 at creation and one more for each change.
        deleted: whether it is out of the catalogue. It keeps its stock and may be restored.

    Raises:
        InvalidValueError: `stock` or `reorder_level` would not be an integer in that range.
    """

    id: str
    name: str
    sku: str
    stock: int
    reorder_level: int
    created_at: datetime
    updated_at: datetime
    version: int = 1
    deleted: bool = False
    lots: tuple[Lot, ...] = ()

    def __post_init__(self) -> None:
        check_integer("stock", self.stock, minimum=0)
        check_integer("reorderLevel", self.reorder_level, minimum=0)

    @classmethod
    def create(
        cls,
        name: str,
        sku: str,
        stock: int,
        reorder_level: int,
        *,
        now: datetime,
        expires_at: datetime | None = None,
    ) -> Self:
        """Make a new product with an id of its own, created at `now`.

        Its units expire at `expires_at`, or never if that is None.

        Raises:
            InvalidValueError: a value breaks the rules listed for its attribute.
        """
        return cls(
            id=str(uuid4()),
            name=_stripped("name", name, longest=200),
            sku=checked_sku(sku),
            stock=stock,
            reorder_level=reorder_level,
            created_at=now,
            updated_at=now,
            lots=() if expires_at is None else _with_lot((), stock, expires_at, now),
        )

    @property
    def status(self) -> StockStatus:
        """`LOW_STOCK` where the stock is at the reorder level or below it, else `IN_STOCK`."""
        return StockStatus.LOW_STOCK if self.stock <= self.reorder_level else StockStatus.IN_STOCK

    def added(self, quantity: int, now: datetime, expires_at: datetime | None = None) -> Self:
        """Return the product with `quantity` more units, changed at `now`.

        They expire at `expires_at`, or never if that is None.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, the sum is too large,
                or `expires_at` is naive or not after `now`.
        """
        check_integer("quantity", quantity, minimum=1)
        stock = self.stock + quantity
        if expires_at is None:
            return self._changed(now, stock=stock)
        return self._changed(now, stock=stock, lots=_with_lot(self.lots, quantity, expires_at, now))

    def reduced(self, quantity: int, now: datetime) -> Self:
        """Return the product with `quantity` fewer units, changed at `now`.

        Those that expire soonest go first, and those that never do last.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1.
            InsufficientStockError: there are fewer units than that. Stock is never below zero.
        """
        check_integer("quantity", quantity, minimum=1)
        if quantity > self.stock:
            raise InsufficientStockError
        stock = self.stock - quantity
        if not self.lots:
            return self._changed(now, stock=stock)
        return self._changed(now, stock=stock, lots=_without_units(self.lots, quantity))

    def has_expired(self, now: datetime) -> bool:
        """Whether some of the units are no longer stock at `now`."""
        return bool(self.lots) and self.lots[0].has_expired(now)

    def written_off(self, now: datetime) -> Self:
        """Return the product without the units that have expired at `now`, and changed then."""
        lots = tuple(lot for lot in self.lots if not lot.has_expired(now))
        expired = sum(lot.quantity for lot in self.lots) - sum(lot.quantity for lot in lots)
        return self._changed(now, stock=self.stock - expired, lots=lots)

    def marked_deleted(self, now: datetime) -> Self:
        """Return the product out of the catalogue, deleted at `now`."""
        return self._changed(now, deleted=True)

    def restored(self, now: datetime) -> Self:
        """Return the product back in the catalogue as it was, restored at `now`."""
        return self._changed(now, deleted=False)

    def _changed(self, now: datetime, **attributes: Any) -> Self:
        return replace(
            self,
            # The clock may stand still or run backwards; updated_at still moves on.
            updated_at=max(now, self.updated_at + _TICK),
            version=self.version + 1,
            **attributes,
        )


class StockMovement(NamedTuple):
    """The record of one change of a product. Never altered.

    Attributes:
        product_id: which product changed.
        version: the product's version that the change made; a product's movements have no gap.
        type: what happened.
        change: units that came (positive), went (negative), or 0.
        stock: units on hand right after, which is the sum of all changes up to this one.
        at: UTC, the product's `updated_at` right after.
        actor: the name of the caller who made the change, where that is known.
    """

    product_id: str
    version: int
    type: MovementType
    change: int
    stock: int
    at: datetime
    actor: str | None

    @classmethod
    def record(
        cls, product: Product, movement_type: MovementType, actor: str | None, *, stock_before: int
    ) -> Self:
        """Make the record of the change that led to `product` from `stock_before` units."""
        change = product.stock - stock_before
        return cls(
            product.id,
            product.version,
            movement_type,
            change,
            product.stock,
            product.updated_at,
            actor,
        )


class Operation(StrEnum):
    """What one item of a batch does to a product's stock."""

    ADD = "add"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockUpdate:
    """One item of a batch.

    Attributes:
        product_id: which product, or None where `sku` says so.
        sku: which product, in any letter case, or None where `product_id` says so.
        operation: whether to add or to reduce.
        quantity: units, at least 1.
        expires_at: when units that are added expire; None for never.
    """

    product_id: str | None = None
    sku: str | None = None
    operation: Operation
    quantity: int
    expires_at: datetime | None = None

    def apply_to(self, product: Product, now: datetime) -> tuple[MovementType, Product]:
        """Return what the update is, and the product as it is after it at `now`.

        Raises:
            InvalidValueError: as `Product.added`, or units that are taken have an expiry.
            InsufficientStockError: there are fewer units than that.
        """
        if self.operation is Operation.ADD:
            return MovementType.ADDED, product.added(self.quantity, now, self.expires_at)
        if self.expires_at is not None:
            raise InvalidValueError("expiresAt is for units that are added")
        return MovementType.REDUCED, product.reduced(self.quantity, now)


def fold_sku(sku: str) -> str:
    """Return the form in which two SKUs are compared.

    Canonical caseless matching, definition D145 of the Unicode Standard, section 3.13.
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", sku).casefold())


def checked_sku(sku: str) -> str:
    """Return the SKU, stripped of outer white space.

    Raises:
        InvalidValueError: it is not a string of 1 to 64 characters that can be shown on a line.
    """
    return _stripped("sku", sku, longest=64)


def check_integer(field: str, value: object, *, minimum: int) -> None:
    """Refuse what is not an integer from `minimum` to `MAX_QUANTITY`.

    Raises:
        InvalidValueError: it is not; the message names the field.
    """
    # The exact type: a bool is an int to isinstance, and a float is not exact.
    if type(value) is not int or value < minimum:
        raise InvalidValueError(f"{field} must be an integer of at least {minimum}")
    if value > MAX_QUANTITY:
        raise InvalidValueError(f"{field} must be at most {MAX_QUANTITY}")


def _with_lot(
    lots: tuple[Lot, ...], quantity: int, expires_at: datetime, now: datetime
) -> tuple[Lot, ...]:
    if expires_at.tzinfo is None:
        raise InvalidValueError("expiresAt must have an offset from UTC")
    new = Lot(expires_at.astimezone(UTC), quantity)
    if new.has_expired(now):
        raise InvalidValueError("expiresAt must be in the future")
    if not quantity:  # of a product that is created empty
        return lots
    place = bisect_left(lots, new.expires_at, key=attrgetter("expires_at"))
    before, after = lots[:place], lots[place:]
    if after and after[0].expires_at == new.expires_at:
        new = Lot(new.expires_at, new.quantity + after[0].quantity)
        after = after[1:]
    return (*before, new, *after)


def _without_units(lots: tuple[Lot, ...], quantity: int) -> tuple[Lot, ...]:
    for index, lot in enumerate(lots):
        if quantity < lot.quantity:
            return (lot._replace(quantity=lot.quantity - quantity), *lots[index + 1 :])
        quantity -= lot.quantity
    return ()


def _stripped(field: str, value: object, *, longest: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= longest:
        raise InvalidValueError(f"{field} must be a string of 1 to {longest} characters")
    if _UNPRINTABLE.search(text):
        raise InvalidValueError(f"{field} must not hold control characters or lone surrogates")
    return text
