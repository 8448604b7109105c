"""Delivery of versions to subscribers, outside the row locks, on one thread per subscriber."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from weakref import WeakSet

from inventory.models import Commit, Product

Subscriber = Callable[[Product], object]
"""Called with each selected version; those of one product arrive in order."""

log = logging.getLogger(__name__)


class Subscription:
    """An unbounded queue of versions, and the thread that delivers them to a subscriber.

    An exception from the subscriber is logged, and delivery continues with the next version.

    Args:
        subscriber: may block, and may call the service.
        select: returns the versions of a commit to deliver. It is called under a row lock, so it
            must be quick and must not raise.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        *,
        select: Callable[[Commit], Sequence[Product]] = lambda commit: commit.versions,
    ) -> None:
        self._subscriber = subscriber
        self._name = getattr(subscriber, "__qualname__", type(subscriber).__qualname__)
        self._select = select
        self.reset()
        _subscriptions.add(self)

    def reset(self) -> None:
        """Start with an empty queue and no thread, initially and in a forked child."""
        self._undelivered: deque[Product] = deque()  # the first one may be in progress
        self._thread: threading.Thread | None = None
        # Guards `_undelivered` and `_thread`. Notified when `_undelivered` changes.
        self._changed = threading.Condition()

    def put(self, commit: Commit) -> None:
        """Queue the selected versions of a commit. Does not block on the subscriber."""
        if selected := self._select(commit):
            with self._changed:
                self._undelivered.extend(selected)
                self._changed.notify_all()
                self._ensure_thread()

    def drain(self, deadline: float) -> None:
        """Wait for delivery until `time.monotonic()` is `deadline`, then log the rest."""
        with self._changed:
            seconds = max(0, deadline - time.monotonic())
            self._changed.wait_for(lambda: not self._undelivered, seconds)
            left = len(self._undelivered)
        if left:
            log.error("%d versions not delivered to %s before shutdown", left, self._name)

    def _ensure_thread(self) -> None:
        """Start the thread if none is alive. The caller holds `_changed`."""
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            with suppress(Exception):  # out of threads or memory: the next put retries
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._undelivered)
                product = self._undelivered[0]
            try:
                self._subscriber(product)
            except BaseException:
                with suppress(BaseException):  # a log handler may raise, too
                    version = product.version, product.id
                    log.exception("%s failed on version %d of product %s", self._name, *version)
            finally:
                with self._changed:
                    self._undelivered.popleft()
                    self._changed.notify_all()


_subscriptions: WeakSet[Subscription] = WeakSet()


@atexit.register
def drain_all(seconds: float = 2) -> None:
    """At shutdown, wait up to `seconds` in total for the deliveries of every app."""
    deadline = time.monotonic() + seconds
    for subscription in list(_subscriptions):
        subscription.drain(deadline)


def _reset_all() -> None:
    for subscription in list(_subscriptions):
        subscription.reset()


# The parent delivers its own versions, and a child does not inherit its threads. Fork before the
# first request: a lock that another thread holds would stay locked in the child.
os.register_at_fork(after_in_child=_reset_all)
