"""Where products are kept: dicts, and the locks that guard them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from inventory.errors import DuplicateSkuError, InvalidValueError, ProductNotFoundError
from inventory.models import Product, StockMovement, fold_sku

# A dict that outgrows its place is copied while everybody waits: some 30 ms at a million entries.
# Many small ones each do so at a time of their own, in less than one.
_PARTS = 256


class _Record:
    """A product's place. Whoever puts another value there must hold the lock.

    Attributes:
        product: the present value, deleted or not.
        movements: all of them, the one of version 1 first.
        position: where the product stands in the order of creation.
        lock: the product's own.
    """

    __slots__ = ("lock", "movements", "position", "product")

    def __init__(self, product: Product, movement: StockMovement) -> None:
        self.product = product
        self.movements = [movement]
        self.position = -1
        self.lock = threading.Lock()

    def put(self, product: Product, movements: Sequence[StockMovement]) -> None:
        """Replace the value. The caller holds the lock."""
        # In this order: whoever finds the new version finds the movements that led to it.
        self.movements.extend(movements)
        self.product = product


class InMemoryProductRepository:
    """Products by id, with an index on the SKU that is unique among those that are not deleted.

    Safe to use from any number of threads. Reads take no lock: a product is frozen, and `save`
    swaps one reference, so that a reader finds the value before a change or the value after it.

    Order of locks: several product locks are taken in the order of their ids, so that no two
    threads each wait for one that the other holds. The SKU lock comes last: a thread that holds
    it takes no other. That is why nothing deadlocks.
    """

    def __init__(self) -> None:
        self._records: list[dict[str, _Record]] = [{} for _ in range(_PARTS)]
        self._records_by_sku: list[dict[str, _Record]] = [{} for _ in range(_PARTS)]
        self._in_order_of_creation: list[_Record] = []
        # Guards the SKU index, where look and claim are one step, and the order of creation.
        self._sku_lock = threading.Lock()

    def get(self, product_id: str) -> Product:
        """Return the product as it is now, deleted or not. Takes no lock and never waits.

        Raises:
            ProductNotFoundError: no product has this id.
        """
        return self._record(product_id).product

    def get_by_sku(self, sku: str) -> Product:
        """Return the product that has this SKU, in any letter case. Takes no lock.

        Raises:
            ProductNotFoundError: no product has this SKU, or one that is deleted.
        """
        product = _look_up(self._records_by_sku, fold_sku(sku)).product
        if product.deleted:  # the index keeps it until another product takes the SKU
            raise ProductNotFoundError
        return product

    def scan(self, start: str | None = None) -> Iterator[Product]:
        """Yield the products in order of creation, from the one with the id `start` on.

        Each is yielded as it is when its turn comes. Passes over deleted ones, and costs what it
        passes over. Takes no lock.

        Raises:
            InvalidValueError: no product has the id `start`.
        """
        records = self._in_order_of_creation
        try:
            first = self._record(start).position if start is not None else 0
        except ProductNotFoundError:
            raise InvalidValueError("cursor must be the next of an earlier page") from None
        return (
            product
            for position in range(first, len(records))
            if not (product := records[position].product).deleted
        )

    def movements(self, product_id: str, after: int, limit: int) -> list[StockMovement]:
        """Return up to `limit` movements of a product, deleted or not, after version `after`.

        Raises:
            ProductNotFoundError: no product has this id.
        """
        record = self._record(product_id)
        # The movement of version v is at index v - 1. Those of a version that is not there yet,
        # which are put first, are left out.
        return record.movements[after : min(after + limit, record.product.version)]

    def lock(self, product_id: str) -> AbstractContextManager[object]:
        """Return the lock to hold from reading a product to saving it: SELECT … FOR UPDATE.

        Raises:
            ProductNotFoundError: no product has this id.
        """
        return self._record(product_id).lock

    @contextmanager
    def insert(self, product: Product, movement: StockMovement) -> Iterator[None]:
        """Store a new product. It can be read at once, and changed when the context ends.

        Raises:
            DuplicateSkuError: a product has this SKU, whatever its letter case.
        """
        record = _Record(product, movement)
        with record.lock:
            with self._sku_lock:
                self._refuse_taken_sku(product)
                record.position = len(self._in_order_of_creation)
                _part(self._records, product.id)[product.id] = record
                self._in_order_of_creation.append(record)
                self._index_sku(record)
            yield

    def save(self, product: Product, movements: Sequence[StockMovement]) -> None:
        """Put a changed product in place of the present one, with the movements that led to it.

        The caller holds the product's lock.

        Raises:
            DuplicateSkuError: the product was deleted, and another has taken its SKU since.
        """
        record = self._record(product.id)
        if product.deleted or not record.product.deleted:
            record.put(product, movements)
            return
        with self._sku_lock:
            self._refuse_taken_sku(product)
            self._index_sku(record)
            record.put(product, movements)

    def _refuse_taken_sku(self, product: Product) -> None:
        try:
            self.get_by_sku(product.sku)
        except ProductNotFoundError:
            return
        raise DuplicateSkuError

    def _index_sku(self, record: _Record) -> None:
        sku = fold_sku(record.product.sku)
        _part(self._records_by_sku, sku)[sku] = record

    def _record(self, product_id: str) -> _Record:
        return _look_up(self._records, product_id)


def _look_up(parts: list[dict[str, _Record]], key: str) -> _Record:
    try:
        return _part(parts, key)[key]
    except KeyError:
        raise ProductNotFoundError from None


def _part(parts: list[dict[str, _Record]], key: str) -> dict[str, _Record]:
    return parts[hash(key) % _PARTS]
