"""What can go wrong, in the words of the business. Every message is fit for a client to read."""

from typing import Self


class InventoryError(Exception):
    """Base of all refusals; `str(error)` says what was wrong. What is refused is not done."""

    message = "Refused"  # where a refusal is raised without words of its own

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)

    def prefixed(self, prefix: str) -> Self:
        """Return the same refusal with words before its message, such as `updates[3]: `."""
        return type(self)(f"{prefix}{self}")


class InvalidValueError(InventoryError):
    """A value breaks a rule that holds whatever is in stock; the message names the field."""


class InsufficientStockError(InventoryError):
    """More was asked for than there is."""

    message = "Not enough stock available"


class ProductNotFoundError(InventoryError):
    """There is no such product, or it is deleted."""

    message = "Product not found"


class DuplicateSkuError(InventoryError):
    """Another product has this SKU, perhaps in another letter case."""

    message = "SKU already exists"


class ProductChangedError(InventoryError):
    """The product is at another version than the caller expects."""

    message = "Product has changed"


class SettingError(Exception):
    """A setting with which the inventory cannot start; the message names it."""
