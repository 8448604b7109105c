"""The use cases of the inventory, one short method each. Start reading here."""

from collections.abc import Callable
from datetime import datetime

from inventory.models import Product, utc_now
from inventory.repository import InMemoryProductRepository


class InventoryService:
    """Creates products and moves their stock. Safe to use from any number of threads.

    Args:
        products: where the products are kept.
        clock: returns the present time, aware and in UTC.
    """

    def __init__(
        self, products: InMemoryProductRepository, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._products = products
        self._clock = clock

    def create_product(
        self, name: str, sku: str, stock: int = 0, reorder_level: int = 0
    ) -> Product:
        """Create a product and return it.

        Raises:
            InvalidValueError: a value breaks the rules that `Product` lists.
            DuplicateSkuError: the SKU is taken, whatever its letter case.
        """
        product = Product.create(name, sku, stock, reorder_level, self._clock())
        self._products.insert(product)
        return product

    def get_product(self, product_id: str) -> Product:
        """Return the product as it is now. Takes no lock.

        Raises:
            ProductNotFoundError: there is no such product.
        """
        return self._products.get(product_id)

    def add_stock(self, product_id: str, quantity: int) -> Product:
        """Add `quantity` units and return the product as this very change left it.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1, or the sum is too large.
            ProductNotFoundError: there is no such product.
        """
        return self._change(product_id, lambda product, now: product.added(quantity, now))

    def reduce_stock(self, product_id: str, quantity: int) -> Product:
        """Take `quantity` units away and return the product as this very change left it.

        Raises:
            InvalidValueError: `quantity` is not an integer of at least 1.
            InsufficientStockError: there are fewer units than that; nothing is taken.
            ProductNotFoundError: there is no such product.
        """
        return self._change(product_id, lambda product, now: product.reduced(quantity, now))

    def _change(self, product_id: str, change: Callable[[Product, datetime], Product]) -> Product:
        """Make one change: the one door through which every existing product is changed.

        Between the look at the present value and its replacement nobody else changes the product.
        That is where the race is prevented. What `change` raises leaves all as it was.
        """
        # Read before the lock is taken: a thread that loses the processor while it holds a lock
        # stops all that wait for it. Product sees to it that updated_at moves on all the same.
        now = self._clock()
        with self._products.lock(product_id):
            product = change(self._products.get(product_id), now)
            self._products.save(product)
        return product
