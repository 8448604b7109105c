"""Perishable units: pure functions on the lots of one product."""

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple

from inventory.errors import InvalidValueError


class Lot(NamedTuple):
    """At least one unit that stops being stock at `expires_at` (UTC)."""

    expires_at: datetime
    quantity: int


Lots = tuple[Lot, ...]  # of one product: earliest expiry first, one lot per instant
MAX_LOTS = 1000
_expiry = attrgetter("expires_at")


def add_units(lots: Lots, quantity: int, expires_at: datetime, now: datetime) -> Lots:
    """Return the lots with more units.

    Raises:
        InvalidValueError: the expiry is not after `now`, or the units need a new lot and there
            are `MAX_LOTS` already.
    """
    if expires_at <= now:
        raise InvalidValueError("expiresAt must be in the future")
    start = bisect_left(lots, expires_at, key=_expiry)
    end = bisect_right(lots, expires_at, key=_expiry)
    for lot in lots[start:end]:  # at most one: the lot with the same expiry
        quantity += lot.quantity
    if start == end and len(lots) == MAX_LOTS:
        raise InvalidValueError(f"a product may have at most {MAX_LOTS} lots")
    return (*lots[:start], Lot(expires_at.astimezone(UTC), quantity), *lots[end:])


def take_units(lots: Lots, quantity: int) -> Lots:
    """Return the lots after taking `quantity` units, earliest expiry first.

    If the lots contain fewer, the rest is taken from the units without an expiry.
    """
    for index, lot in enumerate(lots):
        if quantity < lot.quantity:
            return (Lot(lot.expires_at, lot.quantity - quantity), *lots[index + 1 :])
        quantity -= lot.quantity
    return ()


def split_expired(lots: Lots, now: datetime) -> tuple[int, Lots]:
    """Return the number of units that have expired by `now`, and the remaining lots."""
    end = bisect_right(lots, now, key=_expiry)
    return sum(lot.quantity for lot in lots[:end]), lots[end:]
