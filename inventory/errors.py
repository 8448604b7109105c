"""What can go wrong, in the words of the business. Every message is fit for a client to read."""

from collections.abc import Iterator
from contextlib import contextmanager


class InventoryError(Exception):
    """Base of all refusals; `str(error)` says what was wrong. A refused call changes nothing."""


class SettingError(Exception):
    """A setting with which the inventory cannot start; the message names it."""


class InvalidValueError(InventoryError):
    """A value breaks a rule that holds whatever is in stock; the message names the field."""


class InsufficientStockError(InventoryError):
    """More was asked for than there is."""

    def __init__(self, message: str = "Not enough stock available") -> None:
        super().__init__(message)


class ProductNotFoundError(InventoryError):
    """There is no such product."""

    def __init__(self, message: str = "Product not found") -> None:
        super().__init__(message)


class DuplicateSkuError(InventoryError):
    """Another product has this SKU, perhaps in another letter case."""

    def __init__(self, message: str = "SKU already exists") -> None:
        super().__init__(message)


class ProductChangedError(InventoryError):
    """The product is not at a version that the caller expects."""

    def __init__(self, message: str = "Product has changed") -> None:
        super().__init__(message)


@contextmanager
def prefix_refusals(prefix: str) -> Iterator[None]:
    """Put `prefix` before the message of every refusal raised inside, such as `updates[3]: `."""
    try:
        yield
    except InventoryError as refusal:
        raise type(refusal)(f"{prefix}{refusal}") from None
