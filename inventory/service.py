"""The use cases of the inventory: the core first, the bonus features below the marker."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from inventory.errors import (
    InvalidValueError,
    InventoryError,
    ProductChangedError,
    ProductNotFoundError,
)
from inventory.models import Product, Stamp, StockStatus, checked_sku, utc_now
from inventory.repository import InMemoryProductRepository, Row

Change = Callable[[Product, Stamp], Product]  # returns the next version
Expected = Container[int] | None  # the versions that may be changed, or None for any
PAGE_SCAN_BUDGET = 10_000  # a page ends when it has scanned that many products and lots


class BatchItem(NamedTuple):
    """One change of a batch."""

    target: str  # the id of a product, or its SKU
    change: Change
    by_sku: bool = False


class InventoryService:
    """Creates products and changes their stock. Thread-safe.

    Args:
        products: the storage, which this service alone writes to.
        clock: returns the current time, aware and in UTC.
        actor: returns the name of the caller, for the audit log.
    """

    def __init__(
        self,
        products: InMemoryProductRepository,
        *,
        clock: Callable[[], datetime] = utc_now,
        actor: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._products = products
        self._clock = clock
        self._actor = actor

    def create_product(
        self,
        name: str,
        sku: str,
        stock: int = 0,
        reorder_level: int = 0,
        *,
        expires_at: datetime | None = None,
    ) -> Product:
        """Create a product and return it. Raises as `Product.created` and `insert` do."""
        product = Product.created(self._stamp(), name, sku, stock, reorder_level, expires_at)
        row = Row(product.id)
        # The product is visible before its creation is published; the lock keeps it unchanged.
        with row.lock:
            return self._products.insert(row, product)

    def get_product(self, product_id: str) -> Product:
        """Return the current version. Lock-free unless a lot has expired."""
        row = self._products.find_row(product_id)
        product = self._load(row) if row else None
        if product is None:
            raise ProductNotFoundError
        return product

    def add_stock(
        self,
        product_id: str,
        quantity: int,
        *,
        expires_at: datetime | None = None,
        expected: Expected = None,
    ) -> Product:
        """Add units and return the new version. Raises as `_apply` and `Product.added` do."""
        change = partial(Product.added, quantity=quantity, expires_at=expires_at)
        return self._apply(product_id, change, expected)

    def reduce_stock(self, product_id: str, quantity: int, *, expected: Expected = None) -> Product:
        """Take units and return the new version. Raises as `_apply` and `Product.reduced` do."""
        return self._apply(product_id, partial(Product.reduced, quantity=quantity), expected)

    def _apply(self, product_id: str, change: Change, expected: Expected) -> Product:
        """Apply a change to the current version: the critical section of add, reduce and delete.

        Raises:
            ProductNotFoundError: no product has this id, or it is deleted.
            ProductChangedError: the current version is not an expected one.
        """
        row = self._products.find_row(product_id)
        if row:
            with row.lock:  # serializes the writers of this product
                stamp = self._stamp()
                product = self._load_for_update(row, stamp.at)  # re-read under the lock
                if product:
                    if expected is not None and product.version not in expected:
                        raise ProductChangedError
                    return self._products.commit(row, change(product, stamp))
        raise ProductNotFoundError

    def _stamp(self) -> Stamp:
        """Return the time and the caller. For an existing row, the caller holds its lock."""
        return Stamp(self._clock(), self._actor())

    def _load_for_update(self, row: Row, now: datetime) -> Product | None:
        """Return the current version after any write-off, or None if the product is deleted.

        The caller holds the row lock. A write-off is a commit of its own.
        """
        product = row.live
        if product and product.has_expired(now):
            return self._products.commit(row, product.expired(now))
        return product

    def _load(self, row: Row) -> Product | None:
        """Load like `_load_for_update`, but lock-free unless a lot has expired."""
        product = row.live
        if product and product.lots and product.has_expired(self._clock()):
            with row.lock:
                return self._load_for_update(row, self._clock())
        return product

    # The core ends here. Below are the bonus features: batches, history, catalogue.

    def bulk_update(self, items: Sequence[BatchItem]) -> list[Product]:
        """Apply all items in order, or none; return the version that each item produced.

        Raises:
            InventoryError: the error of the first item that is rejected, prefixed with its index.
        """
        rows = [self._find_target(item) for item in items]
        while True:
            with ExitStack() as locks:
                for row in sorted({row for row in rows if row}, key=attrgetter("position")):
                    locks.enter_context(row.lock)
                # The look-up may be stale: a SKU may have been reassigned, or a product created,
                # before the locks were acquired. Re-validate it under them, and retry.
                found = [self._find_target(item) for item in items]
                if found == rows:
                    return self._apply_batch(items, rows)
            rows = found

    def _find_target(self, item: BatchItem) -> Row | None:
        find = self._products.find_row_by_sku if item.by_sku else self._products.find_row
        return find(item.target)

    def _apply_batch(self, items: Sequence[BatchItem], rows: Sequence[Row | None]) -> list[Product]:
        """Compute all new versions, then commit them. The caller holds the locks of the rows.

        Write-offs are committed at once, even if an item is rejected.
        """
        stamp = self._stamp()
        pending: dict[Row, list[Product]] = {}
        results = []
        for index, (item, row) in enumerate(zip(items, rows, strict=True)):
            try:
                product = self._load_for_update(row, stamp.at) if row else None
                if row is None or product is None:
                    raise ProductNotFoundError
                versions = pending.setdefault(row, [])
                # An item sees the result of the earlier items for the same product.
                versions.append(item.change(versions[-1] if versions else product, stamp))
            except InventoryError as error:
                raise error.prefixed(f"updates[{index}]: ") from None
            results.append(versions[-1])
        for row, versions in pending.items():
            self._products.commit(row, *versions)
        return results

    def list_movements(self, product_id: str, *, after: int = 0, limit: int = 100) -> list[Product]:
        """Return up to `limit` versions after version `after`, without lots, deleted or not."""
        row = self._products.find_row(product_id)
        if row is None:
            raise ProductNotFoundError
        self._load(row)  # writes off expired lots unless the product is deleted
        return row.versions(after, limit)

    def delete_product(self, product_id: str, *, expected: Expected = None) -> Product:
        """Delete a product, which frees its SKU. Raises as `_apply` does."""
        return self._apply(product_id, Product.deleted, expected)

    def restore_product(self, product_id: str) -> Product:
        """Restore a deleted product and write off lots that have expired, in one commit.

        Raises:
            ProductNotFoundError: no deleted product has this id.
            DuplicateSkuError: another product has taken the SKU.
        """
        row = self._products.find_row(product_id)
        if row:
            with row.lock:
                if row.current and not row.live:
                    stamp = self._stamp()
                    versions = [row.current.restored(stamp)]
                    if versions[0].has_expired(stamp.at):
                        versions.append(versions[0].expired(stamp.at))
                    return self._products.insert(row, *versions)
        raise ProductNotFoundError("No deleted product has this id")

    def list_products(
        self,
        *,
        status: StockStatus | None = None,
        sku: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Product], str | None]:
        """Return a page of products in order of creation, and the cursor of the next page or None.

        Without a status, a product that exists throughout appears on exactly one page. A page
        ends early when it has scanned `PAGE_SCAN_BUDGET` products and lots.

        Raises:
            InvalidValueError: the SKU is malformed, the cursor is unknown, or both are given.
        """
        if sku is not None:
            if cursor is not None:
                raise InvalidValueError("cursor cannot be combined with sku")
            found = self._products.find_row_by_sku(checked_sku(sku))
            rows = iter([found] if found else [])
        elif cursor is not None:
            first = self._products.find_row(cursor)
            if first is None:
                raise InvalidValueError("cursor must be a next value from an earlier page")
            rows = self._products.scan(first.position)
        else:
            rows = self._products.scan()
        page: list[Product] = []
        scanned = 0
        for row in rows:
            if scanned >= PAGE_SCAN_BUDGET:
                return page, row.id
            product = self._load(row)
            scanned += 1 + len(product.lots if product else ())
            if product and (status is None or product.status == status):
                if len(page) == limit:
                    return page, row.id
                page.append(product)
        return page, None

    def iterate_products(self, status: StockStatus | None = None) -> Iterator[Product]:
        """Return a lazy iterator over the products in order of creation."""
        products = map(self._load, self._products.scan())
        return (p for p in products if p and (status is None or p.status == status))
