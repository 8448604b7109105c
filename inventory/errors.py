"""Domain errors. `str(error)` is a message for the client."""

from typing import Self


class InventoryError(Exception):
    """Base class of the errors that a client can cause."""

    message: str  # of an error that is raised without one

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    def prefixed(self, prefix: str) -> Self:
        """Return the same kind of error with a prefix, such as `updates[3]: `."""
        return type(self)(f"{prefix}{self}")


class InvalidValueError(InventoryError):
    """A value violates a rule; the message names the field."""


class InsufficientStockError(InventoryError):
    """The stock is less than the quantity to take."""

    message = "Not enough stock available"


class ProductNotFoundError(InventoryError):
    """No product has this id or SKU, or it is deleted."""

    message = "Product not found"


class DuplicateSkuError(InventoryError):
    """Another product has this SKU, possibly in another letter case."""

    message = "SKU already exists"


class ProductChangedError(InventoryError):
    """The product is not at an expected version."""

    message = "Product has changed"


class SettingError(Exception):
    """The app cannot start with a setting; the message names it."""
