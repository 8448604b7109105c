"""One item of a batch."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from inventory.errors import InvalidValueError
from inventory.models import Product, Stamp, checked_sku


class Operation(StrEnum):
    """What an item does to a product's stock."""

    ADD = "add"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True)
class StockUpdate:
    """One item of a batch: a product, named by its id or its SKU, and how its stock changes.

    Raises:
        InvalidValueError: the product is named in both ways or in none, `sku` is no SKU, or
            units that are taken have an expiry. The quantity is judged when it is applied.
    """

    operation: Operation
    quantity: int
    product_id: str | None = None
    sku: str | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if (self.product_id is None) == (self.sku is None):
            raise InvalidValueError("either productId or sku is required, and not both")
        if self.sku is not None:
            checked_sku(self.sku)
        if self.operation is Operation.REDUCE and self.expires_at is not None:
            raise InvalidValueError("expiresAt is for units that are added")

    def apply_to(self, product: Product, stamp: Stamp) -> Product:
        """Return the product's next version, or refuse as `Product` does."""
        if self.operation is Operation.ADD:
            return product.added(stamp, self.quantity, self.expires_at)
        return product.reduced(stamp, self.quantity)
