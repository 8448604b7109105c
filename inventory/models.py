"""A product and the rules that hold for it, whoever changes it."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import uuid4

from inventory.errors import InsufficientStockError, InvalidValueError
from inventory.lots import Lots, add_units, check_expiry, split_expired, take_units

MAX_QUANTITY = 10**38 - 1
"""The widest exact integer that common databases store: DECIMAL(38, 0)."""

_TICK = timedelta(microseconds=1)
# Control characters, separators of lines and paragraphs, lone surrogates: Cc, Zl, Zp and Cs.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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


class Stamp(NamedTuple):
    """When a change is made, in UTC, and by whom, or None where it is nobody's doing."""

    at: datetime
    actor: str | None = None


class Product(NamedTuple):
    """One version of a product: what it is after a change, and what that change was.

    Nothing is ever altered: each change makes the next version. So a product's versions, one
    after the other, are its audit log.

    Attributes:
        id: a random UUID in its canonical lower-case form.
        name: 1 to 200 characters, stripped of outer white space.
        sku: stock keeping unit, 1 to 64 characters, stripped, in the letter case it was given.
        stock: units on hand, 0 to `MAX_QUANTITY`. An integer: units are counted, not measured.
        reorder_level: the stock at which, and below which, it is time to reorder; same range.
        created_at: UTC.
        updated_at: UTC, when the change was made; later in each version than in the one before.
        version: 1 at creation and one more for each change.
        movement: what the change was.
        change: units that came with it (positive), went (negative), or 0.
        actor: the name of who made it, or None.
        lots: those of the units that expire.
    """

    id: str
    name: str
    sku: str
    stock: int
    reorder_level: int
    created_at: datetime
    updated_at: datetime
    version: int
    movement: MovementType
    change: int
    actor: str | None
    lots: Lots

    @classmethod
    def created(
        cls,
        stamp: Stamp,
        name: str,
        sku: str,
        stock: int,
        reorder_level: int,
        expires_at: datetime | None = None,
    ) -> Self:
        """Make the first version of a product, whose units expire at `expires_at`, if at all.

        Raises:
            InvalidValueError: a value breaks the rule of its attribute, or of `check_expiry`.
        """
        check_integer("stock", stock, minimum=0)
        check_integer("reorderLevel", reorder_level, minimum=0)
        lots: Lots = ()
        if expires_at is not None:
            check_expiry(expires_at, stamp.at)
            if not stock:
                raise InvalidValueError("expiresAt is for units, and there is no stock")
            lots = add_units((), stock, expires_at)
        return cls(
            id=str(uuid4()),
            name=_stripped("name", name, longest=200),
            sku=checked_sku(sku),
            stock=stock,
            reorder_level=reorder_level,
            created_at=stamp.at,
            updated_at=stamp.at,
            version=1,
            movement=MovementType.CREATED,
            change=stock,
            actor=stamp.actor,
            lots=lots,
        )

    def added(self, stamp: Stamp, quantity: int, expires_at: datetime | None = None) -> Self:
        """Return the version with more units, which expire at `expires_at`, if at all.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, the stock would be
                above `MAX_QUANTITY`, or the expiry breaks a rule of `check_expiry`.
        """
        check_integer("quantity", quantity, minimum=1)
        check_integer("stock", self.stock + quantity, minimum=0)
        lots = self.lots
        if expires_at is not None:
            check_expiry(expires_at, stamp.at)
            lots = add_units(lots, quantity, expires_at)
        return self._next(stamp, MovementType.ADDED, quantity, lots)

    def reduced(self, stamp: Stamp, quantity: int) -> Self:
        """Return the version with fewer units. The soonest to expire go first, undated ones last.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1.
            InsufficientStockError: there are fewer units than that. Stock is never below zero.
        """
        check_integer("quantity", quantity, minimum=1)
        if quantity > self.stock:
            raise InsufficientStockError
        lots = take_units(self.lots, quantity) if self.lots else ()
        return self._next(stamp, MovementType.REDUCED, -quantity, lots)

    def expired(self, now: datetime) -> Self:
        """Return the version without the units that have expired at `now`: nobody's doing."""
        units, lots = split_expired(self.lots, now)
        return self._next(Stamp(now), MovementType.EXPIRED, -units, lots)

    def deleted(self, stamp: Stamp) -> Self:
        """Return the version that is out of the catalogue. It keeps its stock."""
        return self._next(stamp, MovementType.DELETED, 0, self.lots)

    def restored(self, stamp: Stamp) -> Self:
        """Return the version that is back in the catalogue, with the stock that it had."""
        return self._next(stamp, MovementType.RESTORED, 0, self.lots)

    @property
    def status(self) -> StockStatus:
        """`LOW_STOCK` where the stock is at the reorder level or below it, else `IN_STOCK`."""
        return StockStatus.LOW_STOCK if self.stock <= self.reorder_level else StockStatus.IN_STOCK

    def has_expired(self, now: datetime) -> bool:
        """Whether some of the units are no longer stock at `now`."""
        return bool(self.lots) and self.lots[0].expires_at <= now

    def _next(self, stamp: Stamp, movement: MovementType, change: int, lots: Lots) -> Self:
        return type(self)(  # by position: _replace takes three times as long, in every change
            self.id,
            self.name,
            self.sku,
            self.stock + change,
            self.reorder_level,
            self.created_at,
            max(stamp.at, self.updated_at + _TICK),  # a stamp may be older: its caller had to wait
            self.version + 1,
            movement,
            change,
            stamp.actor,
            lots,
        )


def utc_now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """Return a UTC time in ISO 8601 with six fraction digits and `Z`."""
    return at.isoformat("T", "microseconds")[:-6] + "Z"  # for +00:00


def fold_sku(sku: str) -> str:
    """Return the form in which two SKUs are compared. Outer white space is no part of a SKU.

    Canonical caseless matching, definition D145 of the Unicode Standard, section 3.13.
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", sku.strip()).casefold())


def checked_sku(sku: str) -> str:
    """Return the SKU, stripped, or refuse what is no SKU."""
    return _stripped("sku", sku, longest=64)


def check_integer(field: str, value: object, *, minimum: int) -> None:
    """Refuse what is not an integer from `minimum` to `MAX_QUANTITY`, by the field's name."""
    # The exact type: a bool is an int to isinstance, and a float is not exact.
    if type(value) is not int or value < minimum:
        raise InvalidValueError(f"{field} must be an integer of at least {minimum}")
    if value > MAX_QUANTITY:
        raise InvalidValueError(f"{field} must be at most {MAX_QUANTITY}")


def _stripped(field: str, value: object, *, longest: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= longest:
        raise InvalidValueError(f"{field} must be a string of 1 to {longest} characters")
    if _UNPRINTABLE.search(text):
        rule = "must not hold control characters, line separators or lone surrogates"
        raise InvalidValueError(f"{field} {rule}")
    return text
