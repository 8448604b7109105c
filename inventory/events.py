"""Delivery of new versions to subscribers: outside every lock, each on a thread of its own."""

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from inventory.models import Product

Subscriber = Callable[[Product], object]
"""Called with each version of each product, which says what changed and what it led to."""

log = logging.getLogger(__name__)


class Subscription:
    """A subscriber, and the thread that brings it the versions one at a time, in order.

    Args:
        subscriber: what to call. What it raises is logged, and it gets the next version.
        wants: which versions to bring; must be quick and take no lock.
        capacity: how many may wait. What does not fit is lost to this subscriber, and logged.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        *,
        wants: Callable[[Product], bool] = lambda _: True,
        capacity: int = 10_000,
    ) -> None:
        self._subscriber = subscriber
        self._name = getattr(subscriber, "__qualname__", type(subscriber).__qualname__)
        self._wants = wants
        self._queue: queue.Queue[Product] = queue.Queue(capacity)
        self._lock = threading.Lock()  # guards the two below
        self._thread: threading.Thread | None = None
        self._lost = 0

    def put(self, product: Product) -> None:
        """Queue a version. Neither waits for the subscriber nor fails."""
        if not self._wants(product):
            return
        try:
            self._queue.put_nowait(product)
        except queue.Full:
            with self._lock:
                self._lost += 1
        if self._thread is None:
            self._start()

    def drain(self, deadline: float) -> int:
        """Wait until all is delivered or `time.monotonic()` is `deadline`; return what is not."""
        done = self._queue.all_tasks_done
        with done:
            seconds = max(0, deadline - time.monotonic())
            done.wait_for(lambda: not self._queue.unfinished_tasks, seconds)
            left = self._queue.unfinished_tasks
        self._log_losses()
        return left

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                with suppress(RuntimeError):  # no more threads just now: the next version tries
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while True:
            product = self._queue.get()
            try:
                self._log_losses()
                self._subscriber(product)
            except BaseException:
                change = product.version, product.id
                log.exception("%s failed on version %d of product %s", self._name, *change)
            finally:
                self._queue.task_done()

    def _log_losses(self) -> None:
        # Not where they happen: a product is locked there, and a log handler is somebody's code.
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            log.error("queue full: %d versions are lost to %s", lost, self._name)


class Feed:
    """Brings each version to every subscription."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        self._subscriptions = list(subscriptions)
        atexit.register(self.close)

    def publish(self, product: Product) -> None:
        """Queue a version; the caller holds the product's lock, which makes the order."""
        for subscription in self._subscriptions:
            subscription.put(product)

    def close(self, seconds: float = 2) -> None:
        """Wait so long for what is queued to be delivered, and log how much was not."""
        deadline = time.monotonic() + seconds
        left = sum(subscription.drain(deadline) for subscription in self._subscriptions)
        if left:
            log.error("%d versions were not delivered before the end", left)
