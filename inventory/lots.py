"""Units that expire: pure functions on a product's lots."""

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from operator import attrgetter
from typing import NamedTuple

from inventory.errors import InvalidValueError


class Lot(NamedTuple):
    """Units, at least 1, that are no stock any more from the instant `expires_at` on, in UTC."""

    expires_at: datetime
    quantity: int


Lots = tuple[Lot, ...]  # those of a product: soonest first, one for each instant
MAX_LOTS = 1000
_expiry = attrgetter("expires_at")


def check_expiry(expires_at: datetime, now: datetime) -> None:
    """Refuse an expiry that has no offset from UTC, or is not after `now`."""
    if expires_at.tzinfo is None:
        raise InvalidValueError("expiresAt must have an offset from UTC")
    if expires_at <= now:
        raise InvalidValueError("expiresAt must be in the future")


def add_units(lots: Lots, quantity: int, expires_at: datetime) -> Lots:
    """Return the lots with more units, or refuse units that would be one lot too many."""
    before = bisect_left(lots, expires_at, key=_expiry)
    after = bisect_right(lots, expires_at, key=_expiry)
    for lot in lots[before:after]:  # the one of this very instant, if there is one
        quantity += lot.quantity
    if before == after and len(lots) == MAX_LOTS:
        raise InvalidValueError(f"a product may have at most {MAX_LOTS} lots")
    return (*lots[:before], Lot(expires_at.astimezone(UTC), quantity), *lots[after:])


def take_units(lots: Lots, quantity: int) -> Lots:
    """Return the lots without `quantity` units, soonest first; what they lack is undated."""
    for place, lot in enumerate(lots):
        if quantity < lot.quantity:
            return (Lot(lot.expires_at, lot.quantity - quantity), *lots[place + 1 :])
        quantity -= lot.quantity
    return ()


def split_expired(lots: Lots, now: datetime) -> tuple[int, Lots]:
    """Return how many units have expired at `now`, and the lots that have not."""
    place = bisect_right(lots, now, key=_expiry)
    return sum(lot.quantity for lot in lots[:place]), lots[place:]
