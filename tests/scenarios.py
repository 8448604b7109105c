"""The scenario of the race tests: a small shop, its operations, and mutants with seeded bugs."""

# ruff: noqa: SLF001 - private locks are replaced by cooperative ones

import inspect
import linecache
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from threading import Event
from types import MethodType

from flask import Response

from inventory.api.idempotency import IdempotencyKeys
from inventory.events import Subscription
from inventory.models import Commit, Product, Stamp
from inventory.repository import InMemoryProductRepository, Row
from inventory.service import BatchItem, InventoryService
from tests.control import CooperativeLock, DeadlockError, attempt
from tests.racing import Page

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVENING = NOON.replace(hour=20)
MORNING = Stamp(NOON.replace(hour=6))
TICKET, OLD = (Product.created(MORNING, sku, sku, 1) for sku in ("TICKET", "OLD"))
MILK, STALE = (  # expired by noon
    Product.created(MORNING, sku, sku, 3, 0, NOON.replace(hour=11)) for sku in ("MILK", "STALE")
)
SKUS = {product.id: product.sku for product in (TICKET, MILK, OLD, STALE)}


def add(quantity, product_id=None, sku=None):
    change = partial(Product.added, quantity=quantity)
    return BatchItem(sku or product_id, change, by_sku=sku is not None)


def take(quantity, product_id):
    return BatchItem(product_id, partial(Product.reduced, quantity=quantity))


class Rows(list):
    """Rows with cooperative locks. Each wraps the lock that the creator of the row holds."""

    def append(self, row):
        name = SKUS.get(row.id, "the new product")
        row.lock = CooperativeLock(f"lock of {name}", row.lock)
        super().append(row)


class CountingSubscription(Subscription):
    """A subscription that counts the threads that it starts. They deliver nothing."""

    def reset(self):
        super().reset()
        self._changed, self.threads, self.closed = CooperativeLock("queue"), 0, Event()

    @property
    def _run(self):
        self.threads += 1
        return self.closed.wait


class Shop:
    """One ticket, milk of which some has expired, and two deleted products."""

    def __init__(self):
        self.published, self.delivered, self._aliases = [], [], {}
        self.products = InMemoryProductRepository(publish=self.published.append)
        self.products._rows = Rows()
        self.products._sku_lock = CooperativeLock("SKU lock")
        self.service = InventoryService(self.products, clock=lambda: NOON)
        self.service.cache = {}  # used by the mutant stale_cache
        self.keys = IdempotencyKeys()
        self.keys._changed = CooperativeLock("lock of the keys")
        self.subscription = CountingSubscription(self.delivered.append)
        for product in (TICKET, MILK, OLD, STALE):
            self.products.insert(row := Row(product.id), product)
            if product is MILK:
                self.products.commit(row, product.added(MORNING, 2))
            elif product is not TICKET:
                self.products.commit(row, product.deleted(MORNING))
        self.published.clear()

    @property
    def operations(self):
        do, ticket, milk = self.service, TICKET.id, MILK.id
        create, get = do.create_product, partial(do.get_product, ticket)
        return {
            # POST /products
            "create": [lambda: create("Old", "old")],
            "create_duplicate": [lambda: create("Ticket", "ticket")],
            "create_then_add": [lambda: create("New", "NEW"), lambda: do.add_stock(ticket, 1)],
            # POST /products/<id>/add and /reduce
            "add": [lambda: do.add_stock(ticket, 1, expires_at=EVENING)],
            "add_to_version_1": [lambda: do.add_stock(ticket, 1, expected={1})],
            "sell_last": [lambda: do.reduce_stock(ticket, 1)],
            "sell_milk": [lambda: do.reduce_stock(milk, 1)],
            # the same with an Idempotency-Key
            "sell_with_key": [lambda: self._with_key(b"a request", 1)],
            "reuse_key": [lambda: self._with_key(b"another request", 2)],
            # POST /products/bulk-update
            "batch": [lambda: do.bulk_update([take(1, ticket), take(1, milk)])],
            "batch_reversed": [lambda: do.bulk_update([take(1, milk), take(1, ticket)])],
            "batch_by_sku": [lambda: do.bulk_update([add(1, sku="Ticket")] * 2)],
            "batch_by_free_sku": [lambda: do.bulk_update([add(1, sku="old")])],
            "batch_by_new_sku": [lambda: do.bulk_update([take(2, ticket), add(1, sku="new")])],
            # DELETE /products/<id>, POST /products/<id>/restore
            "delete": [lambda: do.delete_product(milk)],
            "replace": [lambda: do.delete_product(ticket), lambda: create("T", "ticket")],
            "restore": [lambda: do.restore_product(OLD.id)],
            "restore_expired": [lambda: do.restore_product(STALE.id)],
            # GET /products/<id>, /products and /products/<id>/movements
            "get_expired": [lambda: do.get_product(milk)],
            "get_movements_get": [get, lambda: do.list_movements(ticket), get],
            "list_find_list": [self._list, lambda: self._list(sku="new"), self._list],
            "published_then_find": [self._published, lambda: self._list(sku="ticket")],
            "movements_expired": [lambda: do.list_movements(milk)],
            "movements_restored": [lambda: do.list_movements(STALE.id)],
            # delivery to subscribers
            "publish": [lambda: self.subscription.put(Commit(None, (TICKET,)))],
            "deliver": [self._deliver],
        }

    def _with_key(self, digest, quantity):
        def work():
            return Response(str(self.service.reduce_stock(TICKET.id, quantity).stock))

        return self.keys.execute_once(None, "key", digest, work)

    def _published(self):
        return [c.versions for c in self.published if c.versions[0].id == TICKET.id]

    def _list(self, **query):
        return Page(self.service.list_products(**query)[0])

    def _deliver(self):
        with suppress(DeadlockError):  # the thread blocks when the queue is empty
            Subscription._run(self.subscription)
        return len(self.subscription._undelivered)

    def state(self):
        """Return everything observable after a run, by name, and end the subscription."""
        queue = [*self.subscription._undelivered]
        state = {"threads": self.subscription.threads, "queue": queue, "delivered": self.delivered}
        self.subscription.closed.set()
        self.subscription.reset()
        for row in self.products.scan():
            name = self._alias(row.current)
            found = attempt(lambda: self.products.find_row(row.id)) is row
            state[name] = [row.current, row.position, found]
            state[f"history of {name}"] = row.history
        for sku in ("ticket", "milk", "old", "stale", "new"):
            row = self.products.find_row_by_sku(sku)
            state[f"SKU {sku}"] = row and row.current
        for commit in self.published:
            name = self._alias(commit.versions[0])
            state.setdefault(f"published of {name}", []).append(commit.versions)
        return state

    def show(self, value):
        """Return a comparable string, with aliases for ids; for a page, one string per product."""
        if isinstance(value, Product):
            return f"{self._alias(value)} {change_text(value)}"
        if isinstance(value, Page):
            return {self.show(each and each.sku): self.show(each) for each in value}
        if isinstance(value, list | tuple):  # a tuple: the versions of one commit
            return ("; " if isinstance(value, list) else " + ").join(map(self.show, value))
        if isinstance(value, Response):
            replayed = value.headers.get("Idempotency-Replayed", "")
            return f"{value.status} {value.get_data(as_text=True)} {replayed}".strip()
        return f"{type(value).__name__}: {value}" if isinstance(value, Exception) else str(value)

    def _alias(self, product):
        if product.id not in self._aliases:  # number products of one SKU, since ids are random
            number = [*self._aliases.values()].count(product.sku)
            self._aliases[product.id] = f"{product.sku}{f' ({number})' if number else ''}"
        return self._aliases[product.id]


@lru_cache
def change_text(version):
    lots = "".join(f", {lot.quantity} to {lot.expires_at:%H:%M}" for lot in version.lots)
    return f"v{version.version} {version.movement} {version.change:+} = {version.stock}{lots}"


def mutant(name, edits):
    """Return a factory of shops whose methods are edited: a list of target, old and new text."""
    methods = []
    for target, old, new in edits:
        part, method_name = target.split(".")
        method = getattr(getattr(Shop(), part), method_name).__func__
        lines, first = inspect.getsourcelines(method)
        assert old in "".join(lines), f"{target} has changed"
        owner = method.__qualname__.split(".")[0]
        file = f"{method.__code__.co_filename} ({method_name}, mutant)"
        source = "\n" * (first - 2) + f"class {owner}:\n" + "".join(lines).replace(old, new)
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
        exec(compile(source, file, "exec"), method.__globals__, namespace := {})
        methods.append((part, vars(namespace[owner])[method_name]))

    def shop():
        instance = Shop()
        for part, method in methods:
            owner = getattr(instance, part)
            setattr(owner, method.__name__, MethodType(method, owner))
        return instance

    shop.__name__ = name
    return shop


MUTANTS = {  # by name: two operations, the result or state with the evidence, then the edits
    "reduce_without_row_lock": [
        ("sell_last", "sell_last", "history of TICKET", "v2.*v2"),
        ("service._apply", "with row.lock:", "if True:"),
    ],
    "create_without_row_lock": [
        ("create", "batch_by_free_sku", "published of old", "v2.*v1"),
        ("service.create_product", "with row.lock:", "if True:"),
    ],
    "create_without_sku_lock": [
        ("create", "create", "result of B", "old"),
        ("products.insert", "with self._sku_lock:", "if True:"),
    ],
    "write_off_without_row_lock": [
        ("get_expired", "get_expired", "history of MILK", "v3.*v3"),
        ("service._load", "with row.lock:", "if True:"),
    ],
    "read_of_uncommitted_row": [
        ("create_then_add", "list_find_list", "result of B1", "AttributeError"),
        ("service._load", "row.live", "row.live if row.current.version else None"),
    ],
    "batch_without_re_validation": [
        ("batch_by_new_sku", "create_then_add", "result of A", "Product not found"),
        ("service.bulk_update", "if found == rows:", "if True:"),
    ],
    "batch_without_lock_order": [
        ("batch", "batch_reversed", "result of A", "MILK, held by B; B blocks on lock of TICKET"),
        (
            "service.bulk_update",
            'sorted({row for row in rows if row}, key=attrgetter("position"))',
            "filter(None, rows)",
        ),
    ],
    "batch_commits_each_item": [
        ("batch_by_sku", "published_then_find", "result of B2", "TICKET v2"),
        (
            "service._apply_batch",
            "self._products.commit(row, *versions)",
            "[self._products.commit(row, version) for version in versions]",
        ),
    ],
    "key_claimed_outside_lock": [
        ("sell_with_key", "sell_with_key", "result of A", "InsufficientStockError"),
        ("keys.execute_once", "    if stored is None:\n    ", "if stored is None:\n"),
    ],
    "thread_started_outside_lock": [
        ("publish", "publish", "threads", "2"),
        ("subscription.put", "    self._ensure_thread()", "self._ensure_thread()"),
    ],
    "stale_cache": [
        ("list_find_list", "sell_last", "result of A3", "TICKET v1"),
        ("service._load", "row.live", "self.cache.get(row) or row.live; self.cache[row] = product"),
        ("service._load_for_update", "row.live", "row.live; self.cache.pop(row, None)"),
    ],
}
