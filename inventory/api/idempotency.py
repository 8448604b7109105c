"""Safe retries: a request that comes again with its `Idempotency-Key` is answered, not repeated."""

import hashlib
import re
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from flask import Response, current_app, request
from werkzeug.exceptions import UnprocessableEntity

from inventory.api import View, current_actor
from inventory.api.parsing import read_body
from inventory.errors import InvalidValueError
from inventory.service import Actor


class _Answer(NamedTuple):
    """What is remembered of a request that was done, and of its response."""

    digest: bytes
    body: bytes
    status: int
    headers: list[tuple[str, str]]


def idempotent(view: View) -> View:
    """Make a view answer a repeated request with its first response, and change nothing.

    A request is the same where its key, method, path and body are. Only a success is remembered:
    what was refused, or failed through a defect, is judged afresh when it comes again.
    """

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return view(**arguments)
        key = key.strip(" \t")
        if not re.fullmatch("[!-~]{1,255}", key):
            raise InvalidValueError("Idempotency-Key must be 1 to 255 visible ASCII characters")
        # The body is read before the key is claimed: one that never arrives keeps nobody waiting.
        head = f"{request.method} {request.path}\n".encode()
        digest = hashlib.sha256(head + read_body()).digest()
        keys: IdempotencyKeys = current_app.extensions["idempotency"]
        return keys.answer(current_actor(), key, digest, lambda: view(**arguments))

    return wrapper


class IdempotencyKeys:
    """The responses to requests that had a key and were done.

    Of each caller the latest `capacity` are kept, and no more than `size` bytes of their bodies.
    """

    def __init__(self, capacity: int = 10_000, size: int = 64 * 1024 * 1024) -> None:
        self._capacity, self._size = capacity, size
        self._answers: dict[Actor, OrderedDict[str, _Answer]] = defaultdict(OrderedDict)
        self._bytes: Counter[Actor] = Counter()
        self._under_way: set[tuple[Actor, str]] = set()
        # Guards the three above, so that to look for a key and to claim it is one step, and is
        # notified when a key is under way no longer. Nobody holds it during the work.
        self._changed = threading.Condition()

    def answer(
        self, caller: Actor, key: str, digest: bytes, work: Callable[[], Response]
    ) -> Response:
        """Do the work for the first request under a key, and repeat its response for the others.

        A request waits for whatever is under way under its key.

        Raises:
            UnprocessableEntity: a request with another digest was done under the key.
        """
        with self._changed:
            self._changed.wait_for(lambda: (caller, key) not in self._under_way)
            if key in self._answers[caller]:
                self._answers[caller].move_to_end(key)
                answer = self._answers[caller][key]
                if answer.digest != digest:
                    raise UnprocessableEntity("Idempotency-Key was used with another request")
                headers = [*answer.headers, ("Idempotency-Replayed", "true")]
                return Response(answer.body, answer.status, headers)
            self._under_way.add((caller, key))
        try:
            first = work()
            answer = _Answer(digest, first.data, first.status_code, [*first.headers])
            with self._changed:
                self._remember(caller, key, answer)
            return first
        finally:
            with self._changed:
                self._under_way.remove((caller, key))
                self._changed.notify_all()

    def _remember(self, caller: Actor, key: str, answer: _Answer) -> None:
        latest = self._answers[caller]
        latest[key] = answer
        self._bytes[caller] += len(answer.body)
        while len(latest) > self._capacity or self._bytes[caller] > self._size:
            _, oldest = latest.popitem(last=False)
            self._bytes[caller] -= len(oldest.body)
