"""The use cases of the inventory: first the core, and below it what each bonus adds."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from operator import attrgetter

from inventory.batches import StockUpdate
from inventory.errors import (
    InvalidValueError,
    InventoryError,
    ProductChangedError,
    ProductNotFoundError,
)
from inventory.models import Product, Stamp, StockStatus, check_integer, checked_sku, utc_now
from inventory.repository import InMemoryProductRepository, Row

Actor = str | None  # the name of the caller, for the audit log, where callers have names
Change = Callable[..., Product]  # a method of `Product` that makes the next version
Expected = Container[int] | None  # the versions that are acceptable, or None for any
PAGE_LOOKS = 10_000  # products and lots that a page may look at, so that nobody waits for long


class InventoryService:
    """Creates products and moves their stock. Safe to use from any number of threads.

    `publish` is told of each new version while its product is locked, so it hears of a product's
    versions in order. It must be quick and must not raise. `clock` returns an aware time in UTC.
    """

    def __init__(
        self,
        products: InMemoryProductRepository,
        *,
        clock: Callable[[], datetime] = utc_now,
        publish: Callable[[Product], object] = lambda _: None,
    ) -> None:
        self._products = products
        self._clock = clock
        self._publish = publish

    def create_product(
        self,
        name: str,
        sku: str,
        stock: int = 0,
        reorder_level: int = 0,
        *,
        expires_at: datetime | None = None,
        actor: Actor = None,
    ) -> Product:
        """Create a product and return it; see `Product.created` and `insert`."""
        stamp = Stamp(self._clock(), actor)
        product = Product.created(stamp, name, sku, stock, reorder_level, expires_at)
        row = Row(product.id)
        with row.lock:  # who finds the product cannot change it before its creation is published
            self._products.insert(row, product)
            self._publish(product)
        return product

    def get_product(self, product_id: str) -> Product:
        """Return the product as it is now. Waits for nobody, unless units have expired."""
        return self._read(self._products.get_row(product_id))

    def add_stock(
        self,
        product_id: str,
        quantity: int,
        *,
        expires_at: datetime | None = None,
        expected: Expected = None,
        actor: Actor = None,
    ) -> Product:
        """Add units and return what that very change left; see `_change` and `Product.added`."""
        return self._change(product_id, expected, actor, Product.added, quantity, expires_at)

    def reduce_stock(
        self, product_id: str, quantity: int, *, expected: Expected = None, actor: Actor = None
    ) -> Product:
        """Take units and return what that very change left; see `_change` and `Product.reduced`."""
        return self._change(product_id, expected, actor, Product.reduced, quantity)

    def _change(
        self, product_id: str, expected: Expected, actor: Actor, change: Change, *values: object
    ) -> Product:
        """Change one product, if it is there and at an expected version: the one door to it."""
        # The clock is read before the lock is taken: a thread that loses the processor while it
        # holds a lock stops all that wait for it.
        stamp = Stamp(self._clock(), actor)
        row = self._products.get_row(product_id)
        with row.lock:  # until the next version is stored, nobody else stores one
            product = self._current(row, stamp.at)  # what was seen before the lock does not count
            if expected is not None and product.version not in expected:
                raise ProductChangedError
            return self._store(row, change(product, stamp, *values))

    def _current(self, row: Row, now: datetime) -> Product:
        """Return the present version, or refuse a deleted product. The caller holds the lock.

        What has expired is written off first, by a version of its own.
        """
        product = row.live
        if product is None:
            raise ProductNotFoundError
        if product.has_expired(now):
            return self._store(row, product.expired(now))
        return product

    def _store(self, row: Row, product: Product) -> Product:
        row.store(product)
        self._publish(product)
        return product

    def _read(self, row: Row) -> Product:
        """Look at the present version without the lock, which only a write-off needs."""
        product = row.live
        if product is None:
            raise ProductNotFoundError
        if product.lots and product.has_expired(now := self._clock()):
            with row.lock:
                return self._current(row, now)
        return product

    # Here one may stop: the core ends. Below are the bonuses: batches, history, the catalogue.

    def bulk_update(self, updates: Sequence[StockUpdate], *, actor: Actor = None) -> list[Product]:
        """Make all the updates in order, or none; return the version that each of them made.

        Each is judged against what those before it left. A refusal is of the kind that the single
        call would have had, and its message starts with the update's place: `updates[3]: …`.
        """
        stamp = Stamp(self._clock(), actor)
        rows: list[Row | None] = []
        while True:  # the first time nothing is locked, and nothing is found again
            with ExitStack() as locks:
                for row in sorted(filter(None, {*rows}), key=attrgetter("position")):
                    locks.enter_context(row.lock)
                # What was found without the locks counts only if it is found again under them: a
                # SKU may have moved on to another product.
                found = [self._find_row(update) for update in updates]
                if found == rows:
                    return self._update_locked(rows, updates, stamp)
            rows = found

    def _find_row(self, update: StockUpdate) -> Row | None:
        if update.sku is not None:
            return self._products.find_live_row(update.sku)
        return self._products.find_row(update.product_id or "")

    def _update_locked(
        self, rows: Sequence[Row | None], updates: Sequence[StockUpdate], stamp: Stamp
    ) -> list[Product]:
        """Make all new versions first, and store them only if none was refused."""
        new: dict[Row, list[Product]] = {}
        made = []
        for index, (row, update) in enumerate(zip(rows, updates, strict=True)):
            try:
                if row is None:
                    raise ProductNotFoundError
                product = new[row][-1] if row in new else self._current(row, stamp.at)
                product = update.apply_to(product, stamp)
            except InventoryError as refusal:
                raise refusal.prefixed(f"updates[{index}]: ") from None
            new.setdefault(row, []).append(product)
            made.append(product)
        for row, versions in new.items():
            row.store(*versions)
        for product in made:
            self._publish(product)
        return made

    def list_movements(self, product_id: str, *, after: int = 0, limit: int = 100) -> list[Product]:
        """Return the audit log of a product, deleted or not; see `Row.versions`."""
        check_integer("after", after, minimum=0)
        check_integer("limit", limit, minimum=1)
        row = self._products.get_row(product_id)
        self._read_if_live(row)  # of a deleted product nothing is written off
        return row.versions(after, limit)

    def delete_product(
        self, product_id: str, *, expected: Expected = None, actor: Actor = None
    ) -> Product:
        """Take the product out of the catalogue; see `_change`. Its SKU is free again."""
        return self._change(product_id, expected, actor, Product.deleted)

    def restore_product(self, product_id: str, *, actor: Actor = None) -> Product:
        """Bring a deleted product back as it was, but for what has expired since; see `insert`."""
        stamp = Stamp(self._clock(), actor)
        row = self._products.find_row(product_id)
        if row:
            with row.lock:
                if row.present and not row.live:
                    versions = [row.present.restored(stamp)]
                    if versions[0].has_expired(stamp.at):
                        versions.append(versions[0].expired(stamp.at))
                    self._products.insert(row, *versions)
                    for product in versions:
                        self._publish(product)
                    return versions[-1]
        raise ProductNotFoundError("No deleted product has this id")

    def list_products(
        self,
        *,
        status: StockStatus | None = None,
        sku: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Product], str | None]:
        """Return a page of the catalogue in order of creation, and the cursor of the next page.

        Products that exist throughout are on one page each, whatever else comes and goes. A page
        ends after `PAGE_LOOKS` products and lots, so it may hold few and still have a next one.
        Refuses a SKU together with a cursor.
        """
        check_integer("limit", limit, minimum=1)
        if sku is None:
            rows = self._products.scan(cursor)
        elif cursor is None:
            row = self._products.find_live_row(checked_sku(sku))
            rows = iter([row] if row else [])
        else:
            raise InvalidValueError("cursor cannot go with sku, which has one page")
        page: list[Product] = []
        looks = 0
        for row in rows:
            if looks >= PAGE_LOOKS:
                return page, row.id
            product = self._read_if_live(row)
            looks += 1 + len(product.lots if product else ())
            if product and (status is None or product.status == status):
                if len(page) == limit:
                    return page, row.id
                page.append(product)
        return page, None

    def iterate_products(self, status: StockStatus | None = None) -> Iterator[Product]:
        """Return an iterator over the catalogue in order of creation, perhaps of one status."""
        products = map(self._read_if_live, self._products.scan())
        return (p for p in products if p and (status is None or p.status == status))

    def _read_if_live(self, row: Row) -> Product | None:
        try:
            return self._read(row)
        except ProductNotFoundError:
            return None
