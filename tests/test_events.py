"""Subscriptions: every version is delivered, in order per product, on a thread of their own."""

import os
import queue
import signal
import threading
import time

import pytest

from inventory import create_app
from inventory.events import Subscription, drain_all
from inventory.repository import InMemoryProductRepository
from inventory.service import BatchItem, InventoryService
from tests.support import TIMEOUT, add


class Recorder:
    """A subscriber that records its calls and the threads that made them."""

    def __init__(self):
        self.versions = queue.Queue()
        self.threads = set()

    def __call__(self, product):
        self.threads.add(threading.current_thread())
        self.versions.put(product)

    def take(self, number):
        """Wait for the next `number` versions and return them."""
        return [self.versions.get(timeout=TIMEOUT) for _ in range(number)]


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def blocked():
    """A subscriber that blocks until the test is over."""
    release = threading.Event()
    yield lambda _: release.wait()
    release.set()


def service_with(subscription):
    return InventoryService(InMemoryProductRepository(publish=subscription.put))


def test_subscribers_get_every_version_on_a_daemon_thread_of_their_own(recorder):
    other = Recorder()
    service = create_app(subscribers=[recorder, other]).extensions["inventory"]

    product = service.create_product("Laptop", "LTP-123", stock=20)
    service.reduce_stock(product.id, 2)
    service.bulk_update([BatchItem(product.id, add(3)), BatchItem(product.id, add(4))])
    service.delete_product(product.id)
    service.restore_product(product.id)

    assert recorder.take(6) == other.take(6) == service.list_movements(product.id)
    [one], [two] = recorder.threads, other.threads
    assert len({one, two, threading.current_thread()}) == 3
    assert one.daemon


def test_a_subscriber_that_blocks_delays_no_change_and_misses_no_version(recorder):
    """For example, a webhook whose receiver is slow."""
    release = threading.Event()
    service = service_with(Subscription(lambda product: release.wait() and recorder(product)))
    product = service.create_product("Laptop", "LTP-123")
    for _ in range(20):
        service.bulk_update([BatchItem(product.id, add(1))] * 1000)

    release.set()

    assert [version.version for version in recorder.take(20_001)] == [*range(1, 20_002)]


@pytest.fixture
def fragile(recorder):
    """A service whose subscriber records each version and then raises."""

    def fragile(product):
        recorder(product)
        raise SystemExit("broken pipe")

    return service_with(Subscription(fragile))


def test_an_exception_is_logged_and_delivery_continues(fragile, recorder, caplog):
    fragile.create_product("Laptop", "LTP-1")
    fragile.create_product("Laptop", "LTP-2")

    recorder.take(2)
    assert "fragile failed on version 1" in caplog.text
    assert "broken pipe" in caplog.text


def test_a_log_handler_that_raises_does_not_end_the_thread(fragile, recorder, caplog, monkeypatch):
    monkeypatch.setattr(caplog.handler, "emit", None)
    fragile.create_product("Laptop", "LTP-1")
    fragile.create_product("Laptop", "LTP-2")

    recorder.take(2)
    assert len(recorder.threads) == 1


def test_a_thread_that_cannot_start_is_started_by_the_next_version(recorder, monkeypatch):
    service = service_with(Subscription(recorder))

    def no_more_threads(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr("threading.Thread.start", no_more_threads)
        product = service.create_product("Laptop", "LTP-123")
    service.add_stock(product.id, 1)

    assert [product.version for product in recorder.take(2)] == [1, 2]


def test_a_thread_that_is_not_alive_is_replaced(recorder):
    subscription = Subscription(recorder)
    subscription._thread = threading.Thread()  # noqa: SLF001

    service_with(subscription).create_product("Laptop", "LTP-123")

    assert len(recorder.take(1)) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_delivers_its_own_versions_only(blocked):
    read, write = os.pipe()

    def subscriber(product):
        if os.getpid() == parent:
            blocked(product)
        else:
            os.write(write, product.sku.encode())

    parent = os.getpid()
    service = service_with(Subscription(subscriber))
    service.create_product("Laptop", "PARENT")
    if os.fork() == 0:
        signal.alarm(TIMEOUT)  # ends the child if it blocks
        service.create_product("Laptop", "CHILD")
        drain_all(TIMEOUT)
        os._exit(0)

    os.close(write)  # so that the read ends with the child
    assert os.read(read, 100) == b"CHILD"
    os.wait()


def test_shutdown_waits_for_deliveries(recorder, caplog):
    subscription = Subscription(recorder)
    service = service_with(subscription)
    for number in range(1000):
        service.create_product("Laptop", f"LTP-{number}")

    subscription.drain(time.monotonic() + TIMEOUT)

    assert recorder.versions.qsize() == 1000
    assert caplog.records == []


def test_shutdown_logs_the_number_of_undelivered_versions(blocked, caplog):
    """A version in progress counts: whether its delivery succeeds is unknown."""
    subscription = Subscription(blocked)
    service = service_with(subscription)
    for number in range(9):
        service.create_product("Laptop", f"LTP-{number}")

    subscription.drain(time.monotonic())

    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.message.startswith("9 versions not delivered to blocked.")
    assert record.message.endswith(" before shutdown")


def test_shutdown_has_one_deadline_for_all_apps(monkeypatch):
    monkeypatch.setattr("inventory.events.time.monotonic", lambda: 100)
    deadlines = []
    monkeypatch.setattr(Subscription, "drain", lambda _, deadline: deadlines.append(deadline))
    subscriptions = [Subscription(print), Subscription(print)]

    drain_all()

    assert len(deadlines) >= len(subscriptions)
    assert set(deadlines) == {102}
