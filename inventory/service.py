"""The use cases of the inventory, one short method each. Start reading here."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import islice

from inventory.errors import (
    InvalidValueError,
    ProductChangedError,
    ProductNotFoundError,
    refusals_name,
)
from inventory.models import (
    MovementType,
    Product,
    StockMovement,
    StockStatus,
    StockUpdate,
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
        actor: str | None = None,
    ) -> Product:
        """Create a product and return it.

        Raises:
            InvalidValueError: a value breaks the rules that `Product` lists.
            DuplicateSkuError: the SKU is taken, whatever its letter case.
        """
        product = Product.create(name, sku, stock, reorder_level, self._clock())
        movement = StockMovement.to(product, MovementType.CREATED, actor, stock_before=0)
        with self._products.insert(product, movement):
            self._publish(movement, product)
        return product

    def get_product(self, product_id: str) -> Product:
        """Return the product as it is now. Takes no lock.

        Raises:
            ProductNotFoundError: there is no such product, or it is deleted.
        """
        return self._get(product_id)

    def add_stock(
        self,
        product_id: str,
        quantity: int,
        *,
        expected_versions: Container[int] | None = None,
        actor: str | None = None,
    ) -> Product:
        """Add `quantity` units and return the product as this very change left it.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, or the sum is too large.
            ProductNotFoundError: there is no such product, or it is deleted.
            ProductChangedError: it is at no expected version.
        """
        return self._change(
            product_id,
            MovementType.ADDED,
            lambda product, now: product.added(quantity, now),
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
            product_id, MovementType.DELETED, Product.removed, expected_versions, actor
        )

    def restore_product(self, product_id: str, *, actor: str | None = None) -> Product:
        """Bring a deleted product back as it was and return it.

        Raises:
            ProductNotFoundError: there is no such product, or it is not deleted.
            DuplicateSkuError: another product has taken its SKU since.
        """
        return self._change(product_id, MovementType.RESTORED, Product.restored, None, actor)

    def update_stock(
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
        while True:
            ids = self._product_ids(updates)
            with ExitStack() as locks:
                for product_id in sorted(set(ids)):
                    locks.enter_context(self._products.lock(product_id))
                # A SKU may have passed to another product before the locks were taken.
                if self._product_ids(updates) == ids:
                    return self._update_locked(ids, updates, now, actor)

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
            InvalidValueError: `sku` is none, or `cursor` is not from an earlier page.
        """
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
        """Yield the products of the catalogue one at a time; see `list_products`."""
        products = self._products.scan(cursor)
        if sku is not None:
            products = self._having_sku(sku)
        return (product for product in products if status is None or product.status is status)

    def list_movements(
        self, product_id: str, *, after: int = 0, limit: int = 100
    ) -> list[StockMovement]:
        """Return up to `limit` movements of a product, deleted or not, after version `after`.

        Raises:
            ProductNotFoundError: there never was such a product.
        """
        return self._products.movements(product_id, after, limit)

    def _change(
        self,
        product_id: str,
        kind: MovementType,
        change: Callable[[Product, datetime], Product],
        expected_versions: Container[int] | None,
        actor: str | None,
    ) -> Product:
        """Make one change: the one door through which every existing product is changed.

        Between the look at the present value and its replacement nobody else changes the product.
        That is where the race is prevented. What `change` raises leaves all as it was.
        """
        # Read before the lock is taken: a thread that loses the processor while it holds a lock
        # stops all that wait for it. Product sees to it that updated_at moves on all the same.
        now = self._clock()
        with self._products.lock(product_id):
            before = self._get(product_id, deleted=kind is MovementType.RESTORED)
            if expected_versions is not None and before.version not in expected_versions:
                raise ProductChangedError
            after = change(before, now)
            movement = StockMovement.to(after, kind, actor, stock_before=before.stock)
            self._products.save(after, [movement])
            self._publish(movement, after)
        return after

    def _update_locked(
        self, ids: list[str], updates: Sequence[StockUpdate], now: datetime, actor: str | None
    ) -> list[Product]:
        """Compute every new value first, and store them only if none was refused."""
        latest: dict[str, Product] = {}
        movements: dict[str, list[StockMovement]] = {}
        changes = []
        for index, (product_id, update) in enumerate(zip(ids, updates, strict=True)):
            before = latest.get(product_id) or self._products.get(product_id)
            with refusals_name(f"updates[{index}]"):
                kind, after = update.changed(before, now)
            movement = StockMovement.to(after, kind, actor, stock_before=before.stock)
            latest[product_id] = after
            movements.setdefault(product_id, []).append(movement)
            changes.append((movement, after))
        for product_id, product in latest.items():
            self._products.save(product, movements[product_id])
        for movement, product in changes:
            self._publish(movement, product)
        return [product for _, product in changes]

    def _product_ids(self, updates: Sequence[StockUpdate]) -> list[str]:
        """Return the id of the product that each update is for."""
        ids = []
        for index, update in enumerate(updates):
            with refusals_name(f"updates[{index}]"):
                if update.sku is None and update.product_id is not None:
                    product = self._get(update.product_id)
                elif update.sku is not None and update.product_id is None:
                    product = self._products.get_by_sku(checked_sku(update.sku))
                else:
                    raise InvalidValueError("either productId or sku is required, and not both")
            ids.append(product.id)
        return ids

    def _having_sku(self, sku: str) -> Iterator[Product]:
        sku = checked_sku(sku)
        try:
            return iter([self._products.get_by_sku(sku)])
        except ProductNotFoundError:
            return iter([])

    def _get(self, product_id: str, *, deleted: bool = False) -> Product:
        product = self._products.get(product_id)
        if product.deleted is not deleted:
            raise ProductNotFoundError
        return product
