"""Subscribers: each movement, in order, on a thread of their own."""

import logging
import queue
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest
from racing import PatientLock, race

from inventory import create_app
from inventory.batches import Operation, StockUpdate
from inventory.events import Feed, Subscription
from inventory.models import MovementType
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService

SECONDS = 10
"""How long a test waits for what must happen, before it fails."""


class Recorder:
    """A subscriber that remembers what it was called with, and by which thread."""

    def __init__(self, expected):
        self.calls = []
        self.threads = set()
        self._expected = expected
        self._complete = threading.Event()

    def __call__(self, product):
        self.calls.append(product)
        self.threads.add(threading.current_thread())
        if len(self.calls) == self._expected:
            self._complete.set()

    def wait(self):
        assert self._complete.wait(SECONDS)
        return self.calls


def service_of(app):
    """The service of an app."""
    return app.extensions["inventory"]


def test_a_subscriber_gets_every_movement_with_its_product():
    """Each change arrives with the product as it left it, the creation first."""
    recorder = Recorder(expected=7)
    service = service_of(create_app(subscribers=[recorder]))

    product = service.create_product("Laptop", "LTP-123", stock=20)
    service.add_stock(product.id, 1)
    service.reduce_stock(product.id, 2)
    updates = [StockUpdate(sku="LTP-123", operation=Operation.ADD, quantity=n) for n in (3, 4)]
    service.bulk_update(updates)
    service.delete_product(product.id)
    service.restore_product(product.id)

    assert recorder.wait() == service.list_movements(product.id)


def test_a_subscriber_has_one_thread_of_its_own():
    """It is neither the caller's nor another subscriber's, and keeps no process alive."""
    recorders = [Recorder(expected=5), Recorder(expected=5)]
    service = service_of(create_app(subscribers=recorders))
    for number in range(5):
        service.create_product("Laptop", f"LTP-{number}", stock=1)

    for recorder in recorders:
        recorder.wait()

    first, second = (recorder.threads for recorder in recorders)
    assert len(first) == len(second) == 1
    assert len({threading.current_thread(), *first, *second}) == 3
    assert all(thread.daemon for thread in first | second)


def test_without_subscribers_there_is_no_thread():
    """An app that nobody subscribes to starts no thread, as long as it has no alert to log."""
    before = set(threading.enumerate())
    service = service_of(create_app())
    product = service.create_product("Laptop", "LTP-123", stock=20)
    service.reduce_stock(product.id, 1)

    assert set(threading.enumerate()) <= before


def test_a_subscriber_that_raises_is_logged_and_goes_on(caplog):
    """A failure is logged with its traceback, and the next movement is delivered, to all."""
    recorder, other = Recorder(expected=2), Recorder(expected=2)

    def fragile(product):
        recorder(product)
        raise SystemExit("broken pipe")

    service = service_of(create_app(subscribers=[fragile, other]))
    product = service.create_product("Laptop", "LTP-123", stock=20)
    service.add_stock(product.id, 1)

    recorder.wait()
    other.wait()
    assert "fragile failed on version 1" in caplog.text
    assert "broken pipe" in caplog.text


@pytest.fixture
def blocked():
    """A subscriber that does not return until the test is over."""
    release = threading.Event()
    yield lambda *_: release.wait()
    release.set()


def test_a_subscriber_that_blocks_delays_nobody(blocked):
    """Changes are made, and other subscribers told, while one of them never returns."""
    recorder = Recorder(expected=100)
    service = service_of(create_app(subscribers=[blocked, recorder]))

    for number in range(100):
        service.create_product("Laptop", f"LTP-{number}", stock=1)

    assert len(recorder.wait()) == 100


def test_no_lock_is_held_while_a_subscriber_is_called():
    """A subscriber may change the very product that it is told of."""
    added = threading.Event()

    def top_up(product):
        if product.movement is MovementType.REDUCED:
            service.add_stock(product.id, 10)
            added.set()

    service = service_of(create_app(subscribers=[top_up]))
    product = service.create_product("Laptop", "LTP-123", stock=5)
    threading.Thread(target=service.reduce_stock, args=(product.id, 1), daemon=True).start()

    assert added.wait(SECONDS)
    assert service.get_product(product.id).stock == 14


def test_what_does_not_fit_is_lost_and_logged_once(caplog):
    """Past 10,000 waiting versions what comes is lost, and many losses are one line of the log."""
    release, last = threading.Event(), threading.Event()

    def slow(product):
        release.wait()
        if product.version == 10_001:
            last.set()

    subscription = Subscription(slow)
    service = InventoryService(InMemoryProductRepository(), publish=subscription.put)
    product = service.create_product("Laptop", "LTP-123", stock=1)
    for _ in range(10_049):
        service.add_stock(product.id, 1)

    assert "queue full" not in caplog.text
    release.set()
    subscription.drain(time.monotonic() + SECONDS)
    assert caplog.text.count("queue full") == 1
    lost = int(caplog.text.partition("queue full: ")[2].split()[0])
    assert lost in (49, 50)  # one version may be with the subscriber already
    assert len(service.list_movements(product.id, limit=20_000)) == 10_050


def test_losses_after_a_report_are_counted_afresh(caplog):
    """Each loss is told once, whether before the next delivery or at the end."""
    taken, release = queue.Queue(), threading.Semaphore(0)

    def slow(product):
        taken.put(product)
        release.acquire()

    subscription = Subscription(slow, capacity=1)
    service = InventoryService(InMemoryProductRepository(), publish=subscription.put)
    product = service.create_product("Laptop", "LTP-123", stock=1)
    for lost in (2, 3):
        taken.get(timeout=SECONDS)
        for _ in range(1 + lost):  # one waits
            service.add_stock(product.id, 1)
        release.release()
    taken.get(timeout=SECONDS)
    release.release()
    subscription.drain(time.monotonic() + SECONDS)

    lost = [record.args[0] for record in caplog.records if "queue full" in record.message]
    assert lost == [2, 3]


def test_what_is_lost_last_is_logged_at_the_end(blocked, caplog):
    """Losses that are not reported yet when the process ends are reported then."""
    feed = Feed([Subscription(blocked, capacity=1)])
    service = InventoryService(InMemoryProductRepository(), publish=feed.publish)
    product = service.create_product("Laptop", "LTP-123", stock=1)
    for _ in range(9):
        service.add_stock(product.id, 1)

    feed.close(0.01)

    assert "queue full: " in caplog.text


def test_a_thread_that_cannot_start_is_started_later(monkeypatch):
    """Where no thread is to be had, changes are made, and delivered as soon as there is one."""
    recorder = Recorder(expected=2)
    service = service_of(create_app(subscribers=[recorder]))

    def no_more_threads(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr("threading.Thread.start", no_more_threads)
        product = service.create_product("Laptop", "LTP-123", stock=1)
    service.add_stock(product.id, 1)

    assert [version.version for version in recorder.wait()] == [1, 2]


def test_a_subscription_starts_one_thread(monkeypatch):
    """However many publish the first movement at once, one thread delivers them all."""
    threads = []

    class Thread:
        def __init__(self, **options):
            threads.append(self)

        def start(self):
            pass

    patience = SimpleNamespace(Lock=PatientLock, Thread=Thread)
    monkeypatch.setattr("inventory.events.threading", patience)
    for seed in (None, *range(6)):
        threads.clear()
        subscription = Subscription(lambda *_: None)
        race(*[partial(subscription.put, None)] * 4, seed=seed)
        assert len(threads) == 1


def test_closing_waits_for_what_is_queued():
    """What is queued when the process ends is delivered first."""
    recorder = Recorder(expected=1000)
    feed = Feed([Subscription(recorder)])
    service = InventoryService(InMemoryProductRepository(), publish=feed.publish)
    for number in range(1000):
        service.create_product("Laptop", f"LTP-{number}", stock=1)

    feed.close(SECONDS)

    assert len(recorder.calls) == 1000


def test_the_end_waits_two_seconds(monkeypatch):
    """What is not delivered by then keeps no process from ending."""
    monkeypatch.setattr("inventory.events.time.monotonic", lambda: 100)
    deadlines = []

    Feed([SimpleNamespace(drain=lambda deadline: deadlines.append(deadline) or 0)]).close()

    assert deadlines == [102]


def test_closing_counts_what_is_not_delivered(blocked, caplog):
    """What cannot be delivered in time is one line of the log."""
    feed = Feed([Subscription(blocked), Subscription(blocked)])
    service = InventoryService(InMemoryProductRepository(), publish=feed.publish)
    for number in range(5):
        service.create_product("Laptop", f"LTP-{number}", stock=1)

    feed.close(0.01)

    assert [record.message for record in caplog.records] == [
        "10 versions were not delivered before the end"
    ]


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_each_products_movements_come_in_order(patient_locks, seed):
    """Whatever threads do at once, a product's movements are published in version order."""
    published = []
    service = InventoryService(InMemoryProductRepository(), publish=published.append)
    old = service.create_product("Old", "OLD", stock=9)

    def find_and_add():
        for product in service.list_products(sku="NEW")[0]:
            service.add_stock(product.id, 1)

    race(
        partial(service.create_product, "New", "NEW"),
        *[find_and_add] * 4,
        *[partial(service.reduce_stock, old.id, 1)] * 4,
        seed=seed,
    )

    for product in service.iterate_products():
        mine = [version for version in published if version.id == product.id]
        assert mine == service.list_movements(product.id)


def test_the_creation_is_published_before_anybody_can_change_the_product(patient_locks):
    """Wherever the creator is stopped, who finds the new product changes it only after that."""
    for line in range(120):
        published = []
        service = InventoryService(
            InMemoryProductRepository(),
            publish=lambda product, published=published: published.append(product.movement),
        )

        def find_and_add(service=service):
            for product in service.iterate_products():
                service.add_stock(product.id, 1)

        race(partial(service.create_product, "New", "NEW"), find_and_add, switch=line)

        assert published[0] == "CREATED"


def test_the_log_is_quiet_where_all_goes_well(caplog):
    """Delivery leaves nothing in the log at info level and above."""
    caplog.set_level(logging.INFO)
    recorder = Recorder(expected=1)
    feed = Feed([Subscription(recorder)])
    InventoryService(InMemoryProductRepository(), publish=feed.publish).create_product("L", "L")

    feed.close(SECONDS)

    assert len(recorder.calls) == 1
    assert caplog.records == []
