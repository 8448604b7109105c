"""Where products are kept: rows in dicts, and the locks that guard them."""

import threading
from collections.abc import Iterator

from inventory.errors import DuplicateSkuError, InvalidValueError, ProductNotFoundError
from inventory.models import MovementType, Product, fold_sku


class Row:
    """A product's place, whose lock is held while a version is made from the present one.

    Until its first version is stored, no look-up finds a row: the product is not created.
    """

    __slots__ = ("history", "id", "lock", "position", "present")

    def __init__(self, product_id: str) -> None:
        self.id = product_id
        self.lock = threading.Lock()  # what SELECT … FOR UPDATE takes in a database
        self.present: Product | None = None
        self.history: list[Product] = []  # version n at index n - 1, without its many lots
        self.position = -1  # in the order of creation

    @property
    def live(self) -> Product | None:
        """The present version, or None where the product is not created or is deleted."""
        present = self.present
        return present if present and present.movement is not MovementType.DELETED else None

    def store(self, *versions: Product) -> None:
        """Make the last of these versions the present one."""
        # The history is written ahead: whoever finds a version finds those that led to it. The
        # assignment at the end is the moment of the change, in every view at once.
        for version in versions:
            self.history.append(version._replace(lots=()) if version.lots else version)
        self.present = versions[-1]

    def versions(self, after: int, limit: int) -> list[Product]:
        """Return up to `limit` versions from `after` + 1 on, up to the present one."""
        present = self.present  # looked at first: the history may be ahead of it
        return self.history[after : min(after + limit, present.version if present else 0)]


class InMemoryProductRepository:
    """Rows by id, by SKU and in order of creation.

    Safe to use from any number of threads. To look takes no lock: versions never change, so that
    a reader finds the one before a change or the one after it.

    Order of locks: rows in order of creation; then the SKU lock; then, to publish, a queue's own;
    after that none. So no two threads ever wait for each other, and nothing deadlocks.
    """

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._rows_by_id: dict[str, Row] = {}
        # A deleted product stays in here until another takes its SKU: deleting needs no lock.
        self._rows_by_sku: dict[str, Row] = {}
        self._sku_lock = threading.Lock()  # makes one step of the look for a SKU and its claim

    def get_row(self, product_id: str) -> Row:
        """Return the row of a product, deleted or not, or raise `ProductNotFoundError`."""
        row = self._rows_by_id.get(product_id)
        if row is None or row.present is None:
            raise ProductNotFoundError
        return row

    def find_row(self, product_id: str) -> Row | None:
        """Return the row of a product, deleted or not, if there is one."""
        row = self._rows_by_id.get(product_id)
        return row if row and row.present else None

    def find_live_row(self, sku: str) -> Row | None:
        """Return the row of the product that has this SKU, in any letter case, if one has."""
        row = self._rows_by_sku.get(fold_sku(sku))
        return row if row and row.live else None

    def scan(self, cursor: str | None = None) -> Iterator[Row]:
        """Return an iterator over all rows in order of creation, from the one with that id on."""
        try:
            first = 0 if cursor is None else self.get_row(cursor).position
        except ProductNotFoundError:
            raise InvalidValueError("cursor must be the next of an earlier page") from None
        return (self._rows[position] for position in range(first, len(self._rows)))

    def insert(self, row: Row, *versions: Product) -> None:
        """Store a product's first version, or those of its return: they must own the SKU.

        The caller has locked the row. Raises `DuplicateSkuError` if another product has the SKU.
        """
        folded = fold_sku(versions[0].sku)
        with self._sku_lock:
            owner = self._rows_by_sku.get(folded)
            if owner and owner.live:
                raise DuplicateSkuError
            self._rows_by_sku[folded] = row
            if row.present is None:  # and until the last line nobody sees the row
                row.position = len(self._rows)
                self._rows_by_id[row.id] = row
                self._rows.append(row)
            row.store(*versions)
