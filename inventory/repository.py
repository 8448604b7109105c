"""Storage: rows in dicts, the locks that guard them, and the commit."""

import threading
from collections.abc import Callable, Iterator

from inventory.errors import DuplicateSkuError
from inventory.models import Commit, MovementType, Product, fold_sku


class Row:
    """The mutable slot of one product: its current version, its history, and its lock.

    A row without a current version is invisible to look-ups: its product does not exist yet.
    """

    __slots__ = ("current", "history", "id", "lock", "position")

    def __init__(self, product_id: str) -> None:
        self.id = product_id
        self.lock = threading.Lock()  # serializes the writers of this product
        self.current: Product | None = None
        self.history: list[Product] = []  # version n at index n - 1, stored without its lots
        self.position = -1  # in the order of creation

    @property
    def live(self) -> Product | None:
        """The current version, or None if the product is deleted or does not exist yet."""
        current = self.current
        return current if current and current.movement is not MovementType.DELETED else None

    def versions(self, after: int, limit: int) -> list[Product]:
        """Return up to `limit` versions, starting with version `after` + 1."""
        current = self.current  # read first: the history may contain versions not yet committed
        return self.history[after : min(after + limit, current.version if current else 0)]


class InMemoryProductRepository:
    """Rows by id, by SKU and in order of creation. Thread-safe.

    Versions are immutable, so look-ups are lock-free: a reader sees a product before or after a
    commit, never in between.

    Lock order: rows in order of creation, then the SKU lock, then the lock of a subscription.
    Every thread acquires in this order, so a circular wait is impossible. A request that waits for
    an idempotency key in flight holds none of these locks.

    Args:
        publish: called with each commit under the row lock, so calls are ordered per product. It
            must be quick and must not raise.
    """

    def __init__(self, *, publish: Callable[[Commit], object] = lambda _: None) -> None:
        self._publish = publish
        self._rows: list[Row] = []
        self._rows_by_id: dict[str, Row] = {}
        # The row of a deleted product stays in the index until another product takes the SKU.
        self._rows_by_sku: dict[str, Row] = {}
        self._sku_lock = threading.Lock()  # makes check-then-claim of a SKU atomic

    def find_row(self, product_id: str) -> Row | None:
        """Return the row of a product, deleted or not, by its id in any letter case."""
        row = self._rows_by_id.get(product_id.lower())
        return row if row and row.current else None

    def find_row_by_sku(self, sku: str) -> Row | None:
        """Return the row of the product that has this SKU and is not deleted."""
        row = self._rows_by_sku.get(fold_sku(sku))
        return row if row and row.live else None

    def scan(self, start: int = 0) -> Iterator[Row]:
        """Return an iterator over the rows in order of creation, from position `start` on."""
        return (self._rows[position] for position in range(start, len(self._rows)))

    def insert(self, row: Row, *versions: Product) -> Product:
        """Claim the SKU for a new or restored product, and commit. The caller holds the row lock.

        Raises:
            DuplicateSkuError: another product has the SKU.
        """
        folded = fold_sku(versions[0].sku)
        with self._sku_lock:
            owner = self._rows_by_sku.get(folded)
            if owner and owner.live:
                raise DuplicateSkuError
            self._rows_by_sku[folded] = row
            if row.current is None:  # a new row, invisible until it is committed below
                row.position = len(self._rows)
                self._rows_by_id[row.id] = row
                self._rows.append(row)
            return self.commit(row, *versions)

    def commit(self, row: Row, *versions: Product) -> Product:
        """Make the last version current, publish the commit, and return that version.

        The caller holds the row lock.
        """
        commit = Commit(row.current, versions)
        # Append to the history first: a reader that sees a version must find its predecessors.
        for version in versions:
            row.history.append(version._replace(lots=()) if version.lots else version)
        row.current = versions[-1]  # the commit point
        self._publish(commit)
        return versions[-1]
