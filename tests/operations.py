"""What races: a small shop, the operations on it, and what can be seen of it afterwards."""

from datetime import UTC, datetime
from threading import Event

from flask import Response

from inventory.api.idempotency import IdempotencyKeys
from inventory.events import Subscription
from inventory.models import Commit, Product, Stamp
from inventory.repository import InMemoryProductRepository, Row
from inventory.service import BatchItem, BySku, InventoryService
from tests import support
from tests.racing import Page, WatchedCondition, WatchedLock, attempt


def add(quantity, product_id=None, sku=None):
    return BatchItem(BySku(sku) if sku else product_id, support.add(quantity))


def take(quantity, product_id=None, sku=None):
    return BatchItem(BySku(sku) if sku else product_id, support.reduce(quantity))


NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MORNING = Stamp(NOON.replace(hour=6))
TICKET, OLD = (Product.created(MORNING, sku, sku, 1, 0) for sku in ("TICKET", "OLD"))
MILK, STALE = (
    Product.created(MORNING, sku, sku, 3, 0, NOON.replace(hour=11)) for sku in ("MILK", "STALE")
)
LATER = {MILK: MILK.added(MORNING, 2), OLD: OLD.deleted(MORNING), STALE: STALE.deleted(MORNING)}


class Published(list):
    def extend_versions(self, commit):
        self.extend(commit.versions)


class Repository(InMemoryProductRepository):
    def __init__(self, shop):
        super().__init__(publish=shop.published.extend_versions)
        self._row_lock, self._sku_lock = shop.row_lock, shop.sku_lock("the SKU lock")

    def insert(self, row, *versions):
        if row.current is None:
            row.lock = self._row_lock(f"the lock of {versions[0].sku}", row.lock)
        return super().insert(row, *versions)


class Silent(Subscription):
    """A subscription that counts the threads it starts, which deliver nothing."""

    threads = 0

    def __init__(self, subscriber):
        super().__init__(subscriber)
        self.over = Event()

    @property
    def _run(self):
        self.threads += 1
        return self.over.wait


class Shop:
    """One ticket, milk of which some has expired, two deleted products. A twin has other parts."""

    row_lock = sku_lock = WatchedLock
    keys_lock = subscription_lock = WatchedCondition
    Service = InventoryService

    def __init__(self):
        self.published, self._names = Published(), {}
        self.products = Repository(self)
        self.service = self.Service(self.products, clock=lambda: NOON)
        self.keys, self.subscription = IdempotencyKeys(), Silent(print)
        self.keys._changed = self.keys_lock("the lock of the keys")  # noqa: SLF001
        self.subscription._changed = self.subscription_lock("the subscription's lock")  # noqa: SLF001
        for product in (TICKET, MILK, OLD, STALE):
            self.products.insert(row := Row(product.id), product)
            if product in LATER:
                self.products.commit(row, LATER[product])
        self.published.clear()
        self.operations = self._operations(self.service, TICKET.id, MILK.id)

    def _operations(self, do, ticket, milk):
        def look(**query):
            return lambda: Page(do.list_products(**query)[0])

        def keyed(request, quantity):
            work = lambda: Response(str(do.reduce_stock(ticket, quantity).stock))  # noqa: E731
            return lambda: self.keys.execute_once(None, "key", request, work)

        return {
            "add": [lambda: do.add_stock(ticket, 1, expires_at=NOON.replace(hour=20))],
            "add_to_version_1": [lambda: do.add_stock(ticket, 1, expected={1})],
            "sell_last": [lambda: do.reduce_stock(ticket, 1)],
            "sell_milk": [lambda: do.reduce_stock(milk, 1)],
            "sell_keyed": [keyed(b"a request", 1)],
            "refuse_keyed": [keyed(b"another", 2)],
            "create_taken": [lambda: do.create_product("Ticket", "ticket")],
            "create_free": [lambda: do.create_product("Old", "old")],
            "deliver": [lambda: do.create_product("New", "NEW"), lambda: do.add_stock(ticket, 1)],
            "batch": [lambda: do.bulk_update([take(1, ticket), take(1, milk)])],
            "batch_reversed": [lambda: do.bulk_update([take(1, milk), take(1, ticket)])],
            "batch_by_sku": [lambda: do.bulk_update([add(1, sku="Ticket"), add(1, sku="Ticket")])],
            "batch_by_free_sku": [lambda: do.bulk_update([add(1, sku="old")])],
            "batch_awaited": [lambda: do.bulk_update([take(2, ticket), add(1, sku="new")])],
            "delete": [lambda: do.delete_product(milk)],
            "renew": [lambda: do.delete_product(ticket), lambda: do.create_product("T", "ticket")],
            "restore": [lambda: do.restore_product(OLD.id)],
            "restore_expired": [lambda: do.restore_product(STALE.id)],
            "read_expired": [lambda: do.get_product(milk)],
            "page_find_page": [look(), look(sku="new"), look()],
            "find": [look(sku="ticket")],
            "movements": [lambda: do.list_movements(ticket)],
            "movements_expired": [lambda: do.list_movements(milk)],
            "movements_restored": [lambda: do.list_movements(STALE.id)],
            "publish": [lambda: self.subscription.put(Commit(None, (TICKET,)))],
        }

    def show(self, seen):
        """Return what was seen so that it can be compared with what was seen in another shop."""
        if isinstance(seen, Page):
            return {self._name(product): self.show(product) for product in seen}
        if isinstance(seen, list):
            return "; ".join(map(self.show, seen))
        if isinstance(seen, Product):
            lots = "".join(f", {lot.quantity} to {lot.expires_at:%H:%M}" for lot in seen.lots)
            change = f"v{seen.version} {seen.movement} {seen.change:+} = {seen.stock}{lots}"
            return f"{self._name(seen)} {change} at {seen.updated_at.time()}"
        if isinstance(seen, Response):
            return f"{seen.status} {seen.data} {seen.headers.get('Idempotency-Replayed')}"
        return f"{type(seen).__name__} {seen}"  # a refusal, a defect, or a plain value

    def state(self):
        """Return all that can be seen of the shop, whether or not anybody asks for it."""
        self.subscription.over.set()
        seen = {"threads": self.subscription.threads}
        for place, row in enumerate(self.products.scan()):
            found = attempt(self.products.find_row, row.current.id) is row
            seen[f"row {place}"] = [row.current, row.current.status, row.position, found]
            seen[f"history of row {place}"] = row.history
        for sku in ("ticket", "milk", "old", "stale", "new"):
            row = self.products.find_row_by_sku(sku)
            seen[f"SKU {sku}"] = row and row.current
        for product in self.published:
            seen.setdefault(f"published of {self._name(product)}", []).append(product)
        return seen

    def _name(self, product):
        # In the order of appearance: the same in each shop to which the same happened.
        taken = self._names.values()
        name = product.sku if product.sku not in taken else f"{product.sku} ({len(taken)})"
        return self._names.setdefault(product.id, name)
