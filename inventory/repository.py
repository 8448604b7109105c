"""Where products are kept: dicts, and the locks that guard them."""

import threading
import unicodedata
from contextlib import AbstractContextManager
from typing import TypeVar

from inventory.errors import DuplicateSkuError, ProductNotFoundError
from inventory.models import Product

# A dict that outgrows its place is copied while everybody waits: some 30 ms at a million entries.
# Many small ones each do so at a time of their own, in less than one.
_PARTS = 256

_Value = TypeVar("_Value")


class _Record:
    """A product's place: its present value, and the lock that whoever replaces it must hold."""

    __slots__ = ("lock", "product")

    def __init__(self, product: Product) -> None:
        self.product = product
        self.lock = threading.Lock()


class InMemoryProductRepository:
    """Products by id, with a unique index on the SKU. Safe to use from any number of threads.

    Reads take no lock: a product is frozen, and `save` swaps one reference, so that a reader
    finds the value before a change or the value after it.

    Order of locks: a thread that holds the SKU lock takes no other, so no two threads can wait
    for each other.
    """

    def __init__(self) -> None:
        self._records: list[dict[str, _Record]] = [{} for _ in range(_PARTS)]
        self._ids_by_sku: list[dict[str, str]] = [{} for _ in range(_PARTS)]
        self._sku_lock = threading.Lock()  # guards _ids_by_sku: look and claim are one step

    def get(self, product_id: str) -> Product:
        """Return the product as it is now. Takes no lock and never waits.

        Raises:
            ProductNotFoundError: no product has this id.
        """
        return self._record(product_id).product

    def lock(self, product_id: str) -> AbstractContextManager[object]:
        """Return the lock to hold from reading a product to saving it: SELECT … FOR UPDATE.

        Raises:
            ProductNotFoundError: no product has this id.
        """
        return self._record(product_id).lock

    def insert(self, product: Product) -> None:
        """Store a new product.

        Raises:
            DuplicateSkuError: a product has this SKU, whatever its letter case.
        """
        sku = fold_sku(product.sku)
        with self._sku_lock:
            ids = _part(self._ids_by_sku, sku)
            if sku in ids:
                raise DuplicateSkuError
            ids[sku] = product.id
            _part(self._records, product.id)[product.id] = _Record(product)

    def save(self, product: Product) -> None:
        """Put the changed product in place of the present one. The caller holds its lock."""
        self._record(product.id).product = product

    def _record(self, product_id: str) -> _Record:
        try:
            return _part(self._records, product_id)[product_id]
        except KeyError:
            raise ProductNotFoundError from None


def _part(parts: list[dict[str, _Value]], key: str) -> dict[str, _Value]:
    return parts[hash(key) % _PARTS]


def fold_sku(sku: str) -> str:
    """Return the form in which two SKUs are compared.

    Canonical caseless matching, definition D145 of the Unicode Standard, section 3.13.
    """
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", sku).casefold())
