"""The product and its invariants."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import uuid4

from inventory.errors import InsufficientStockError, InvalidValueError
from inventory.lots import Lots, add_units, split_expired, take_units

MAX_QUANTITY = 10**38 - 1  # fits DECIMAL(38, 0)
MAX_NAME, MAX_SKU = 200, 64  # characters

_TICK = timedelta(microseconds=1)
# Unicode categories Cc (control characters), Zl, Zp (separators) and Cs (lone surrogates).
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class StockStatus(StrEnum):
    """Whether a product needs to be reordered."""

    IN_STOCK = "IN_STOCK"
    LOW_STOCK = "LOW_STOCK"


class MovementType(StrEnum):
    """The kind of change that produced a version."""

    CREATED = "CREATED"
    ADDED = "ADDED"
    REDUCED = "REDUCED"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"
    RESTORED = "RESTORED"


class Stamp(NamedTuple):
    """The time of a change (UTC) and the name of the caller, None if there is none."""

    at: datetime
    actor: str | None = None


class Product(NamedTuple):
    """One immutable version of a product: its state after a change, and the change itself.

    Each change creates the next version, so the versions of a product are its audit log.

    Attributes:
        id: random UUID, lower case.
        name: 1 to 200 characters, stripped.
        sku: stock keeping unit, 1 to 64 printable characters, stripped; letter case is kept.
        stock: units on hand, 0 to `MAX_QUANTITY`.
        reorder_level: the status is `LOW_STOCK` at this stock and below; same range.
        created_at: UTC.
        updated_at: time of the change, UTC, or 1 µs after the previous version if that is later.
        version: 1 at creation, incremented by each change.
        movement: type of the change.
        change: units added (positive) or removed (negative), or 0.
        actor: name of the caller who made the change, or None.
        lots: the units that expire, a part of `stock`; empty in the history.
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
        stock: int = 0,
        reorder_level: int = 0,
        expires_at: datetime | None = None,
    ) -> Self:
        """Return the first version of a new product; all units expire at `expires_at`, if given.

        Raises:
            InvalidValueError: an argument violates the rule of its attribute or `add_units`, or
                there is an expiry but no stock.
        """
        check_integer("stock", stock, minimum=0)
        check_integer("reorderLevel", reorder_level, minimum=0)
        lots: Lots = ()
        if expires_at is not None:
            if not stock:
                raise InvalidValueError("expiresAt requires a stock of at least 1")
            lots = add_units((), stock, expires_at, stamp.at)
        return cls(
            id=str(uuid4()),
            name=_checked_text("name", name, MAX_NAME),
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
        """Return the next version, with more units; they expire at `expires_at`, if given.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, the stock would exceed
                `MAX_QUANTITY`, or the expiry violates a rule of `add_units`.
        """
        check_integer("quantity", quantity, minimum=1)
        check_integer("stock", self.stock + quantity, minimum=0)
        lots = self.lots
        if expires_at is not None:
            lots = add_units(lots, quantity, expires_at, stamp.at)
        return self._next(stamp, MovementType.ADDED, quantity, lots)

    def reduced(self, stamp: Stamp, quantity: int) -> Self:
        """Return the next version, with fewer units: earliest expiry first, no expiry last.

        Lots that have expired must have been written off.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1.
            InsufficientStockError: `quantity` exceeds the stock, which is never negative.
        """
        check_integer("quantity", quantity, minimum=1)
        if quantity > self.stock:
            raise InsufficientStockError
        lots = take_units(self.lots, quantity) if self.lots else ()
        return self._next(stamp, MovementType.REDUCED, -quantity, lots)

    def expired(self, now: datetime) -> Self:
        """Return the next version, without the units that have expired by `now`."""
        units, lots = split_expired(self.lots, now)
        return self._next(Stamp(now), MovementType.EXPIRED, -units, lots)

    def deleted(self, stamp: Stamp) -> Self:
        """Return the next version, deleted. It keeps its stock."""
        return self._next(stamp, MovementType.DELETED, 0, self.lots)

    def restored(self, stamp: Stamp) -> Self:
        """Return the next version, restored. Expired lots are not written off yet."""
        return self._next(stamp, MovementType.RESTORED, 0, self.lots)

    @property
    def status(self) -> StockStatus:
        """`LOW_STOCK` if the stock is at or below the reorder level, otherwise `IN_STOCK`."""
        return StockStatus.LOW_STOCK if self.stock <= self.reorder_level else StockStatus.IN_STOCK

    def has_expired(self, now: datetime) -> bool:
        """Return whether a lot has expired by `now`."""
        return bool(self.lots) and self.lots[0].expires_at <= now

    def _next(self, stamp: Stamp, movement: MovementType, change: int, lots: Lots) -> Self:
        return self._replace(
            stock=self.stock + change,
            # Keep updated_at strictly increasing, even if the clock goes back.
            updated_at=max(stamp.at, self.updated_at + _TICK),
            version=self.version + 1,
            movement=movement,
            change=change,
            actor=stamp.actor,
            lots=lots,
        )


class Commit(NamedTuple):
    """The versions of one product that become visible together."""

    before: Product | None  # the current version before the commit, None for a creation
    versions: tuple[Product, ...]  # at least one; the last one is current after the commit


def utc_now() -> datetime:
    """Return the current time as an aware UTC datetime."""
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """Format a UTC time as ISO 8601 with six fractional digits and `Z`."""
    return at.isoformat("T", "microseconds")[:-6] + "Z"  # replaces +00:00


def fold_sku(sku: str) -> str:
    """Return the form in which SKUs are compared, without leading and trailing whitespace.

    Canonical caseless matching: definition D145 of the Unicode Standard, section 3.13.
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", sku.strip()).casefold())


def checked_sku(sku: object) -> str:
    """Return the stripped SKU, or raise `InvalidValueError`."""
    text = _checked_text("sku", sku, MAX_SKU)
    if not text.isprintable():
        raise InvalidValueError("sku must contain only printable characters")
    return text


def check_integer(field: str, value: object, *, minimum: int) -> None:
    """Raise `InvalidValueError` unless the value is an integer from `minimum` to `MAX_QUANTITY`."""
    # Compare the exact type: bool is a subclass of int, and a float is not exact.
    if type(value) is not int or value < minimum:
        raise InvalidValueError(f"{field} must be an integer of at least {minimum}")
    if value > MAX_QUANTITY:
        raise InvalidValueError(f"{field} must be at most {MAX_QUANTITY}")


def _checked_text(field: str, value: object, max_length: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= max_length:
        raise InvalidValueError(f"{field} must be a string of 1 to {max_length} characters")
    if _UNSAFE.search(text):
        rule = "must not contain control characters, line separators or lone surrogates"
        raise InvalidValueError(f"{field} {rule}")
    return text
