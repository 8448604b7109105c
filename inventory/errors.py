"""What can go wrong, in the words of the business. Every message is fit for a client to read."""


class InventoryError(Exception):
    """Base of all refusals; `str(error)` says what was wrong. A refused call changes nothing."""


class InvalidValueError(InventoryError):
    """A value breaks a rule that holds whatever is in stock; the message names the field."""


class InsufficientStockError(InventoryError):
    """More was asked for than there is."""

    def __init__(self) -> None:
        super().__init__("Not enough stock available")


class ProductNotFoundError(InventoryError):
    """There is no such product."""

    def __init__(self) -> None:
        super().__init__("Product not found")


class DuplicateSkuError(InventoryError):
    """Another product has this SKU, perhaps in another letter case."""

    def __init__(self) -> None:
        super().__init__("SKU already exists")
