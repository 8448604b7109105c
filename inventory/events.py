"""Delivery of movements to subscribers: outside every lock, each on a thread of its own."""

import atexit
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from inventory.models import Product, StockMovement

Subscriber = Callable[[StockMovement, Product], object]
"""Called with each movement, and the product as that very change left it."""

log = logging.getLogger(__name__)

CAPACITY = 10_000
"""How many movements may wait for one subscriber."""


class Subscription:
    """A subscriber, with the queue and the thread that bring it its movements one at a time.

    The thread starts with the first movement.

    Args:
        subscriber: what to call. What it raises is logged, and it gets the next movement.
        wants: which movements to bring; must be quick and take no lock.
        capacity: how many may wait. What does not fit is lost to this subscriber, and logged.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        *,
        wants: Callable[[StockMovement, Product], bool] = lambda *_: True,
        capacity: int = CAPACITY,
    ) -> None:
        self._subscriber = subscriber
        self._name = getattr(subscriber, "__qualname__", type(subscriber).__qualname__)
        self._wants = wants
        self._queue: queue.Queue[tuple[StockMovement, Product]] = queue.Queue(capacity)
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._reporter: threading.Timer | None = None
        self._lock = threading.Lock()  # guards the count, and that there is one thread of each

    def put(self, movement: StockMovement, product: Product) -> None:
        """Have the movement delivered. Neither waits for the subscriber nor fails."""
        if not self._wants(movement, product):
            return
        try:
            self._queue.put_nowait((movement, product))
        except queue.Full:
            self._count_loss()
        if not self._thread:
            self._start()

    def drain(self, deadline: float) -> int:
        """Wait for the queue to be empty, until `time.monotonic()` is `deadline` at the latest.

        Returns how many movements are not delivered.
        """
        self._log_losses()
        done = self._queue.all_tasks_done
        with done:
            done.wait_for(
                lambda: not self._queue.unfinished_tasks, max(0, deadline - time.monotonic())
            )
            return self._queue.unfinished_tasks

    def _start(self) -> None:
        with self._lock:
            if not self._thread:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                with suppress(RuntimeError):  # no more threads just now: the next movement tries
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while True:
            movement, product = self._queue.get()
            try:
                self._subscriber(movement, product)
            except BaseException:
                log.exception(
                    "%s failed on version %d of product %s",
                    self._name,
                    movement.version,
                    movement.product_id,
                )
            finally:
                self._queue.task_done()

    def _count_loss(self) -> None:
        """Count a movement that is lost, and have all that are lost in one second logged once.

        Not here, where the caller may hold a lock: a log handler is somebody's code.
        """
        with self._lock:
            self._lost += 1
            if not self._reporter:
                reporter = threading.Timer(1, self._log_losses)
                reporter.daemon = True
                with suppress(RuntimeError):  # the next loss tries
                    reporter.start()
                    self._reporter = reporter

    def _log_losses(self) -> None:
        with self._lock:
            lost, self._lost, self._reporter = self._lost, 0, None
        if lost:
            log.error("queue full: %d movements are lost to %s", lost, self._name)


class Feed:
    """Brings each movement to every subscription, a product's in the order of its versions.

    Args:
        subscriptions: who gets the movements.
    """

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        self._subscriptions = list(subscriptions)
        atexit.register(self.close)

    def publish(self, movement: StockMovement, product: Product) -> None:
        """Queue a movement; the caller holds the product's lock, which makes the order."""
        for subscription in self._subscriptions:
            subscription.put(movement, product)

    def close(self, seconds: float = 2) -> None:
        """Wait so long for what is queued to be delivered, and log how much was not."""
        deadline = time.monotonic() + seconds
        left = sum(subscription.drain(deadline) for subscription in self._subscriptions)
        if left:
            log.error("%d movements were not delivered before the end", left)
