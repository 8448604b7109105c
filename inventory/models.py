"""The values of the inventory, and the rules that hold for one product whoever changes it."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import uuid4

from inventory.errors import InsufficientStockError, InvalidValueError

MAX_QUANTITY = 10**38 - 1
"""The widest exact integer that common databases store: DECIMAL(38, 0)."""

_TICK = timedelta(microseconds=1)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # categories Cc and Cs


def utc_now() -> datetime:
    """Return the present time, aware and in UTC."""
    return datetime.now(UTC)


class StockStatus(StrEnum):
    """Whether a product needs to be reordered."""

    IN_STOCK = "IN_STOCK"
    LOW_STOCK = "LOW_STOCK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product as it is between two changes. A change makes a new one.

    Attributes:
        id: a random UUID in its canonical lower-case form.
        name: 1 to 200 characters, stripped of outer white space.
        sku: stock keeping unit, 1 to 64 characters, stripped, in the letter case it was given.
        stock: units on hand, 0 to `MAX_QUANTITY`. An integer: units are counted, not measured.
        reorder_level: the stock at which, and below which, it is time to reorder; same range.
        created_at: UTC.
        updated_at: UTC, later after each change than before it.

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

    def __post_init__(self) -> None:
        _check_integer("stock", self.stock, minimum=0)
        _check_integer("reorderLevel", self.reorder_level, minimum=0)

    @classmethod
    def create(cls, name: str, sku: str, stock: int, reorder_level: int, now: datetime) -> Self:
        """Make a new product with an id of its own, created at `now`.

        Raises:
            InvalidValueError: a value breaks the rules listed for its attribute.
        """
        return cls(
            id=str(uuid4()),
            name=_stripped("name", name, longest=200),
            sku=_stripped("sku", sku, longest=64),
            stock=stock,
            reorder_level=reorder_level,
            created_at=now,
            updated_at=now,
        )

    @property
    def status(self) -> StockStatus:
        """`LOW_STOCK` where the stock is at the reorder level or below it, else `IN_STOCK`."""
        return StockStatus.LOW_STOCK if self.stock <= self.reorder_level else StockStatus.IN_STOCK

    def added(self, quantity: int, now: datetime) -> Self:
        """Return the product with `quantity` more units, changed at `now`.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, or the sum is too large.
        """
        _check_integer("quantity", quantity, minimum=1)
        return self._changed(now, stock=self.stock + quantity)

    def reduced(self, quantity: int, now: datetime) -> Self:
        """Return the product with `quantity` fewer units, changed at `now`.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1.
            InsufficientStockError: there are fewer units than that. Stock is never below zero.
        """
        _check_integer("quantity", quantity, minimum=1)
        if quantity > self.stock:
            raise InsufficientStockError
        return self._changed(now, stock=self.stock - quantity)

    def _changed(self, now: datetime, *, stock: int) -> Self:
        # The clock may stand still or run backwards; updated_at still moves on.
        return replace(self, stock=stock, updated_at=max(now, self.updated_at + _TICK))


def _check_integer(field: str, value: object, *, minimum: int) -> None:
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
        raise InvalidValueError(f"{field} must not hold control characters or lone surrogates")
    return text
