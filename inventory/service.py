"""The use cases of the inventory, one short method each."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from itertools import islice

from inventory.errors import (
    InvalidValueError,
    InventoryError,
    ProductChangedError,
    ProductNotFoundError,
    prefix_refusals,
)
from inventory.models import (
    MovementType,
    Product,
    StockMovement,
    StockStatus,
    StockUpdate,
    check_integer,
    checked_sku,
    utc_now,
)
from inventory.repository import InMemoryProductRepository


class InventoryService:
    """Creates products and moves their stock. Safe to use from any number of threads.

    Where a method takes them, `actor` is the name of the caller, for the product's movements, and
    `expected_versions` makes the change conditional: it is refused unless the product is at one
    of them. None expects nothing.

    Args:
        products: where the products are kept.
        clock: returns the present time, aware and in UTC.
        publish: is told of each movement, with the product as that very change left it, while
            the product is locked: so it hears of a product's movements in order, and must be
            quick.
    """

    def __init__(
        self,
        products: InMemoryProductRepository,
        *,
        clock: Callable[[], datetime] = utc_now,
        publish: Callable[[StockMovement, Product], object] = lambda *_: None,
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
        actor: str | None = None,
    ) -> Product:
        """Create a product and return it. Its units expire at `expires_at`, if that is given.

        Raises:
            InvalidValueError: a value breaks the rules that `Product` lists.
            DuplicateSkuError: the SKU is taken, whatever its letter case.
        """
        product = Product.create(
            name, sku, stock, reorder_level, now=self._clock(), expires_at=expires_at
        )
        movement = StockMovement.record(product, MovementType.CREATED, actor, stock_before=0)
        # The product is locked until the block ends: nobody changes it before this is published.
        with self._products.insert(product, movement):
            self._publish(movement, product)
        return product

    def get_product(self, product_id: str) -> Product:
        """Return the product as it is now. Takes no lock, unless units have expired.

        Raises:
            ProductNotFoundError: there is no such product, or it is deleted.
        """
        return self._fresh(self._get(product_id))

    def add_stock(
        self,
        product_id: str,
        quantity: int,
        *,
        expires_at: datetime | None = None,
        expected_versions: Container[int] | None = None,
        actor: str | None = None,
    ) -> Product:
        """Add `quantity` units and return the product as this very change left it.

        The units expire at `expires_at`, if that is given.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, the sum is too large,
                or `expires_at` is naive or not in the future.
            ProductNotFoundError: there is no such product, or it is deleted.
            ProductChangedError: it is at no expected version.
        """
        return self._change(
            product_id,
            MovementType.ADDED,
            lambda product, now: product.added(quantity, now, expires_at),
            expected_versions,
            actor,
        )

    def reduce_stock(
        self,
        product_id: str,
        quantity: int,
        *,
        expected_versions: Container[int] | None = None,
        actor: str | None = None,
    ) -> Product:
        """Take `quantity` units away and return the product as this very change left it.

        Those that expire soonest go first, and those that never do last.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1.
            InsufficientStockError: there are fewer units than that; nothing is taken.
            ProductNotFoundError: there is no such product, or it is deleted.
            ProductChangedError: it is at no expected version.
        """
        return self._change(
            product_id,
            MovementType.REDUCED,
            lambda product, now: product.reduced(quantity, now),
            expected_versions,
            actor,
        )

    def delete_product(
        self,
        product_id: str,
        *,
        expected_versions: Container[int] | None = None,
        actor: str | None = None,
    ) -> Product:
        """Take the product out of the catalogue; its SKU is free again. Its movements stay.

        Raises:
            ProductNotFoundError: there is no such product, or it is deleted.
            ProductChangedError: it is at no expected version.
        """
        return self._change(
            product_id, MovementType.DELETED, Product.marked_deleted, expected_versions, actor
        )

    def restore_product(self, product_id: str, *, actor: str | None = None) -> Product:
        """Bring a deleted product back as it was and return it, without what has expired since.

        Raises:
            ProductNotFoundError: there is no such product, or it is not deleted.
            DuplicateSkuError: another product has taken its SKU since.
        """
        return self._change(product_id, MovementType.RESTORED, Product.restored, actor=actor)

    def bulk_update(
        self, updates: Sequence[StockUpdate], *, actor: str | None = None
    ) -> list[Product]:
        """Make all the updates in order, or none; return each product as its update left it.

        Each update is judged against what those before it left. Locks are taken once for each
        product and in the order of ids, so that overlapping batches never wait for each other
        in a circle.

        Raises:
            InventoryError: of the kind that the single call would have had, for the first update
                that is refused; the message starts with its place, as in `updates[3]: …`.
        """
        now = self._clock()
        # SKUs are looked up before the locks are taken, as it is not known before which locks. If
        # one has moved on to another product by then, all is let go and looked up again.
        while True:
            ids = set()
            for update in updates:
                with suppress(InventoryError):  # refused below, when its turn comes
                    ids.add(self._target_id(update))
            with ExitStack() as locks:
                for product_id in sorted(ids):
                    locks.enter_context(self._products.lock(product_id))
                changed = self._update_locked(ids, updates, now, actor)
            if changed is not None:
                return changed

    def list_products(
        self,
        *,
        status: StockStatus | None = None,
        sku: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Product], str | None]:
        """Return a page of the catalogue in order of creation, and the cursor of the next page.

        Args:
            status: only products that have it.
            sku: only the product that has it, in any letter case.
            limit: how many products the page may hold, at least 1.
            cursor: where the page starts, as an earlier one said; None for the first. It stays
                valid: products that exist throughout are on one page each, whatever else comes
                and goes.

        Raises:
            InvalidValueError: `limit` is not an integer of at least 1, or as `iterate_products`.
        """
        check_integer("limit", limit, minimum=1)
        products = self.iterate_products(status=status, sku=sku, cursor=cursor)
        page = list(islice(products, limit + 1))
        return page[:limit], page[limit].id if len(page) > limit else None

    def iterate_products(
        self,
        *,
        status: StockStatus | None = None,
        sku: str | None = None,
        cursor: str | None = None,
    ) -> Iterator[Product]:
        """Return an iterator over the products of the catalogue; see `list_products`.

        Raises:
            InvalidValueError: at the call, and not when it is iterated: `sku` is no SKU, `cursor`
                is not from an earlier page, or both are given.
        """
        if sku is None:
            products = self._products.scan(cursor)
        elif cursor is None:
            products = self._having_sku(sku)
        else:
            raise InvalidValueError("cursor cannot go with sku, which has one page")
        return self._fresh_with_status(status, products)

    def list_movements(
        self, product_id: str, *, after: int = 0, limit: int = 100
    ) -> list[StockMovement]:
        """Return up to `limit` movements of a product, deleted or not, after version `after`.

        Raises:
            InvalidValueError: `after` is not an integer of at least 0, or `limit` of at least 1.
            ProductNotFoundError: there never was such a product.
        """
        check_integer("after", after, minimum=0)
        check_integer("limit", limit, minimum=1)
        product = self._products.get(product_id)
        if not product.deleted:
            with suppress(ProductNotFoundError):  # deleted since
                self._fresh(product)
        return self._products.movements(product_id, after, limit)

    def _change(
        self,
        product_id: str,
        movement_type: MovementType = MovementType.EXPIRED,
        change: Callable[[Product, datetime], Product] | None = None,
        expected_versions: Container[int] | None = None,
        actor: str | None = None,
    ) -> Product:
        """Make one change: the one door through which an existing product is changed.

        Between the look at the present value and its replacement nobody else changes the product.
        That is where the race is prevented. What `change` raises leaves all as it was; without a
        `change`, only what has expired is written off. Nothing else takes a product's lock but
        `bulk_update`, which takes several.
        """
        # Read before the lock is taken: a thread that loses the processor while it holds a lock
        # stops all that wait for it. Product sees to it that updated_at moves on all the same.
        now = self._clock()
        with self._products.lock(product_id):
            before = self._get(product_id, expect_deleted=movement_type is MovementType.RESTORED)
            before = self._write_off(before, now)
            if expected_versions is not None and before.version not in expected_versions:
                raise ProductChangedError
            if change is None:
                return before
            after = self._store(movement_type, before, change(before, now), actor)
            # Once more, for a restored product: units may have expired while it was deleted.
            return self._write_off(after, now)

    def _write_off(self, product: Product, now: datetime) -> Product:
        """Take what has expired out of stock, which is a change of its own that nobody made.

        The caller holds the product's lock. What is deleted has no stock to write off.
        """
        if product.deleted or not product.has_expired(now):
            return product
        return self._store(MovementType.EXPIRED, product, product.written_off(now), None)

    def _store(
        self, movement_type: MovementType, before: Product, after: Product, actor: str | None
    ) -> Product:
        """Replace `before` by `after`, with the movement. The caller holds the product's lock."""
        movement = StockMovement.record(after, movement_type, actor, stock_before=before.stock)
        self._products.save(after, [movement])
        self._publish(movement, after)
        return after

    def _update_locked(
        self, ids: set[str], updates: Sequence[StockUpdate], now: datetime, actor: str | None
    ) -> list[Product] | None:
        """Compute every new value first, and store them only if none was refused.

        The caller holds the locks of the products with these ids. Returns None where another
        product is needed, because it has taken a SKU since they were looked up.
        """
        latest = {
            product_id: self._write_off(self._products.get(product_id), now) for product_id in ids
        }
        movements = defaultdict(list)
        changes = []
        for index, update in enumerate(updates):
            with prefix_refusals(f"updates[{index}]: "):
                product_id = self._target_id(update)
                if product_id not in latest:
                    return None
                before = latest[product_id]
                movement_type, after = update.apply_to(before, now)
            movement = StockMovement.record(after, movement_type, actor, stock_before=before.stock)
            latest[product_id] = after
            movements[product_id].append(movement)
            changes.append((movement, after))
        for product_id in movements:
            self._products.save(latest[product_id], movements[product_id])
        for movement, product in changes:
            self._publish(movement, product)
        return [product for _, product in changes]

    def _target_id(self, update: StockUpdate) -> str:
        """Return the id of the product that the update is for."""
        if update.sku is None and update.product_id is not None:
            return self._get(update.product_id).id
        if update.sku is not None and update.product_id is None:
            return self._products.get_by_sku(checked_sku(update.sku)).id
        raise InvalidValueError("either productId or sku is required, and not both")

    def _fresh(self, product: Product) -> Product:
        """Return the product without what has expired, which is written off if need be.

        Raises:
            ProductNotFoundError: it has been deleted meanwhile.
        """
        if product.lots and product.has_expired(self._clock()):
            return self._change(product.id)
        return product

    def _fresh_with_status(
        self, status: StockStatus | None, products: Iterator[Product]
    ) -> Iterator[Product]:
        for product in products:
            try:
                fresh = self._fresh(product)
            except ProductNotFoundError:
                continue  # deleted since it was looked at
            if status is None or fresh.status == status:
                yield fresh

    def _having_sku(self, sku: str) -> Iterator[Product]:
        sku = checked_sku(sku)
        try:
            return iter([self._products.get_by_sku(sku)])
        except ProductNotFoundError:
            return iter([])

    def _get(self, product_id: str, *, expect_deleted: bool = False) -> Product:
        """Return the product, if it is live, or deleted where that is expected.

        Raises:
            ProductNotFoundError: there is no such product, or it is not as expected.
        """
        product = self._products.get(product_id)
        if product.deleted is not expect_deleted:
            raise ProductNotFoundError
        return product
