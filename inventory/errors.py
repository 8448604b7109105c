"""Domain errors, whose text is for clients, and `SettingError`."""

from typing import Self


class InventoryError(Exception):
    """Base class of the errors that a client can cause."""

    message = "Invalid request"  # the default

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    def prefixed(self, prefix: str) -> Self:
        """Return the same kind of error with a prefix, such as `updates[3]: `."""
        return type(self)(f"{prefix}{self}")


class InvalidValueError(InventoryError):
    """A value violates a rule."""


class InsufficientStockError(InventoryError):
    """The stock is less than the quantity to take."""

    message = "Not enough stock available"


class ProductNotFoundError(InventoryError):
    """No product has this id or SKU, or it is deleted; for a restore, it is not deleted."""

    message = "Product not found"


class DuplicateSkuError(InventoryError):
    """Another product has this SKU, possibly in another letter case."""

    message = "SKU already exists"


class ProductChangedError(InventoryError):
    """The product is not at an expected version."""

    message = "Product has changed"


class SettingError(Exception):
    """A setting is malformed; the message names it."""
