"""Subscribers: each version, in order, on a thread of their own."""

import logging
import queue
import threading
import time
from types import SimpleNamespace

import pytest

from inventory import create_app
from inventory.batches import Operation, StockUpdate
from inventory.events import Feed, Subscription
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService
from tests.support import SECONDS


class Recorder:
    """A subscriber that remembers what it was called with, and by which thread."""

    def __init__(self):
        self.versions = queue.Queue()
        self.threads = set()

    def __call__(self, product):
        self.threads.add(threading.current_thread())
        self.versions.put(product)

    def take(self, number):
        """The next so many versions, waited for."""
        return [self.versions.get(timeout=SECONDS) for _ in range(number)]


@pytest.fixture
def blocked():
    """A subscriber that does not return until the test is over."""
    release = threading.Event()
    yield lambda _: release.wait()
    release.set()


def serving(*subscribers):
    """A service whose versions go to these subscribers."""
    return create_app(subscribers=subscribers).extensions["inventory"]


def publishing_to(*subscriptions):
    """A service whose versions go to these subscriptions, and their feed."""
    feed = Feed(subscriptions)
    return InventoryService(InMemoryProductRepository(), publish=feed.publish), feed


def create(service, number):
    """Create so many products."""
    return [service.create_product("Laptop", f"LTP-{n}", stock=1) for n in range(number)]


def test_a_subscriber_gets_every_version():
    recorder = Recorder()
    service = serving(recorder)

    product = service.create_product("Laptop", "LTP-123", stock=20)
    service.reduce_stock(product.id, 2)
    service.bulk_update([StockUpdate(Operation.ADD, n, sku="LTP-123") for n in (3, 4)])
    service.delete_product(product.id)
    service.restore_product(product.id)

    assert recorder.take(6) == service.list_movements(product.id)


def test_a_subscriber_has_one_thread_of_its_own():
    """It is neither the caller's nor another subscriber's, and keeps no process alive."""
    recorders = [Recorder(), Recorder()]
    create(serving(*recorders), 5)

    for recorder in recorders:
        recorder.take(5)

    threads = recorders[0].threads | recorders[1].threads
    assert len(recorders[0].threads) == len(recorders[1].threads) == 1
    assert len(threads - {threading.current_thread()}) == 2
    assert all(thread.daemon for thread in threads)


def test_without_subscribers_there_is_no_thread():
    """An app that nobody subscribes to starts no thread, as long as it has no alert to log."""
    before = set(threading.enumerate())
    create(serving(), 1)

    assert set(threading.enumerate()) <= before


def test_a_subscriber_that_raises_is_logged_and_goes_on(caplog):
    """A failure is logged with its traceback, and the next version is delivered, to all."""
    recorder, other = Recorder(), Recorder()

    def fragile(product):
        recorder(product)
        raise SystemExit("broken pipe")

    create(serving(fragile, other), 2)

    recorder.take(2)
    other.take(2)
    assert "fragile failed on version 1" in caplog.text
    assert "broken pipe" in caplog.text


def test_a_subscriber_that_blocks_delays_nobody(blocked):
    recorder = Recorder()
    create(serving(blocked, recorder), 100)

    assert len(recorder.take(100)) == 100


def test_no_lock_is_held_while_a_subscriber_is_called():
    """A subscriber may change the very product that it is told of."""
    added = queue.Queue()

    def top_up(product):
        if product.movement == "REDUCED":
            added.put(service.add_stock(product.id, 10))

    service = serving(top_up)
    product = service.create_product("Laptop", "LTP-123", stock=5)
    service.reduce_stock(product.id, 1)

    assert added.get(timeout=SECONDS).stock == 14


def test_what_does_not_fit_is_lost_and_logged_once(caplog):
    """Past 10,000 waiting versions what comes is lost, and many losses are one line of the log."""
    release = threading.Event()
    subscription = Subscription(lambda _: release.wait())
    service, _ = publishing_to(subscription)
    create(service, 10_050)

    assert "queue full" not in caplog.text
    release.set()
    subscription.drain(time.monotonic() + SECONDS)
    [line] = [record.args[0] for record in caplog.records if "queue full" in record.message]
    assert line in (49, 50)  # one version may be with the subscriber already


def test_losses_after_a_report_are_counted_afresh(caplog):
    """Each loss is told once, whether before the next delivery or at the end."""
    taken, release = queue.Queue(), threading.Semaphore(0)

    def slow(product):
        taken.put(product)
        release.acquire()

    service, feed = publishing_to(Subscription(slow, capacity=1))
    [product] = create(service, 1)
    for lost in (2, 3):
        taken.get(timeout=SECONDS)
        for _ in range(1 + lost):  # one waits
            service.add_stock(product.id, 1)
        release.release()
    taken.get(timeout=SECONDS)
    release.release()
    feed.close(SECONDS)

    lost = [record.args[0] for record in caplog.records if "queue full" in record.message]
    assert lost == [2, 3]


def test_a_thread_that_cannot_start_is_started_later(monkeypatch):
    recorder = Recorder()
    service = serving(recorder)

    def no_more_threads(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr("threading.Thread.start", no_more_threads)
        [product] = create(service, 1)
    service.add_stock(product.id, 1)

    assert [product.version for product in recorder.take(2)] == [1, 2]


def test_the_end_waits_for_what_is_queued_and_is_quiet(caplog):
    """What is queued when the process ends is delivered first, without a word in the log."""
    caplog.set_level(logging.INFO)
    recorder = Recorder()
    service, feed = publishing_to(Subscription(recorder))
    create(service, 1000)

    feed.close(SECONDS)

    assert recorder.versions.qsize() == 1000
    assert caplog.records == []


def test_the_end_counts_what_is_not_delivered(blocked, caplog):
    service, feed = publishing_to(Subscription(blocked), Subscription(blocked, capacity=5))
    create(service, 9)

    feed.close(0)

    *lost, left = [record.message for record in caplog.records]
    assert "queue full: " in lost[0]
    assert left in [f"{number} versions were not delivered before the end" for number in (14, 15)]


def test_the_end_waits_two_seconds(monkeypatch):
    """When the interpreter ends, what is not delivered by then does not keep it."""
    monkeypatch.setattr("inventory.events.time.monotonic", lambda: 100)
    at_the_end, deadlines = [], []
    monkeypatch.setattr("inventory.events.atexit.register", at_the_end.append)

    Feed([SimpleNamespace(drain=lambda deadline: deadlines.append(deadline) or 0)])
    at_the_end[0]()

    assert deadlines == [102]


def test_who_is_told_of_a_version_finds_it():
    """A version is published once it is stored, so that a read shows it, or a later one."""
    found = []

    def look(product):
        found.append(service.get_product(product.id).version - product.version)

    service = InventoryService(InMemoryProductRepository(), publish=look)
    [product] = create(service, 1)
    service.add_stock(product.id, 1)
    service.bulk_update([StockUpdate(Operation.ADD, 1, sku="LTP-0")] * 2)

    assert found == [0, 0, 1, 0]
