"""Safe retries: a request that comes again with its `Idempotency-Key` is answered, not repeated."""

import hashlib
import re
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import UnprocessableEntity

from inventory.api import View, current_actor
from inventory.api.parsing import read_body
from inventory.errors import InvalidValueError

Caller = str | None  # a name, where callers have names
_Answer = tuple[bytes, bytes, int, list[tuple[str, str]]]  # digest, body, status, headers


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
        self._answers: dict[Caller, OrderedDict[str, _Answer]] = defaultdict(OrderedDict)
        self._bytes: Counter[Caller] = Counter()
        self._under_way: set[tuple[Caller, str]] = set()
        # Guards the three above, so that to look for a key and to claim it is one step, and is
        # notified when a key is under way no longer. Nobody holds it during the work.
        self._changed = threading.Condition()

    def answer(
        self, caller: Caller, key: str, digest: bytes, work: Callable[[], Response]
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
                done, body, status, headers = self._answers[caller][key]
                if done != digest:
                    raise UnprocessableEntity("Idempotency-Key was used with another request")
                return Response(body, status, [*headers, ("Idempotency-Replayed", "true")])
            self._under_way.add((caller, key))
        try:
            first = work()
            answer = digest, first.data, first.status_code, [*first.headers]
            with self._changed:
                self._remember(caller, key, answer)
            return first
        finally:
            with self._changed:
                self._under_way.remove((caller, key))
                self._changed.notify_all()

    def _remember(self, caller: Caller, key: str, answer: _Answer) -> None:
        latest = self._answers[caller]
        latest[key] = answer
        self._bytes[caller] += len(answer[1])
        while len(latest) > self._capacity or self._bytes[caller] > self._size:
            self._bytes[caller] -= len(latest.popitem(last=False)[1][1])
