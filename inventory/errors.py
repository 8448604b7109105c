"""What can go wrong, in the words of the business. Every message is fit for a client to read."""

from collections.abc import Iterator
from contextlib import contextmanager


class InventoryError(Exception):
    """Base of all refusals; `str(error)` says what was wrong. A refused call changes nothing."""

    message = "Refused"
    """What is said where a refusal is raised without words of its own."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class InvalidValueError(InventoryError):
    """A value breaks a rule that holds whatever is in stock; the message names the field."""


class InsufficientStockError(InventoryError):
    """More was asked for than there is."""

    message = "Not enough stock available"


class ProductNotFoundError(InventoryError):
    """There is no such product."""

    message = "Product not found"


class DuplicateSkuError(InventoryError):
    """Another product has this SKU, perhaps in another letter case."""

    message = "SKU already exists"


class ProductChangedError(InventoryError):
    """The product is not at a version that the caller expects."""

    message = "Product has changed"


class SettingError(Exception):
    """A setting with which the inventory cannot start; the message names it."""


@contextmanager
def prefix_refusals(prefix: str) -> Iterator[None]:
    """Put `prefix` before the message of every refusal raised inside, such as `updates[3]: `."""
    try:
        yield
    except InventoryError as refusal:
        raise type(refusal)(f"{prefix}{refusal}") from None
