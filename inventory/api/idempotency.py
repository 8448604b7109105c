"""Safe retries: a request that comes again with its `Idempotency-Key` is answered, not repeated."""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import UnprocessableEntity

from inventory.api import View, current_actor
from inventory.api.parsing import read_body
from inventory.errors import InvalidValueError

Key = tuple[str | None, str]  # the caller's name, where callers have names, and the header


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
        if not re.fullmatch("[!-~]{1,255}", key):
            raise InvalidValueError("Idempotency-Key must be 1 to 255 visible ASCII characters")
        # The body is read before the key is claimed: one that never arrives keeps nobody waiting.
        head = f"{request.method} {request.path}\n".encode()
        digest = hashlib.sha256(head + read_body()).digest()
        keys: IdempotencyKeys = current_app.extensions["idempotency"]
        return keys.answer((current_actor(), key), digest, lambda: view(**arguments))

    return wrapper


class IdempotencyKeys:
    """The responses to the latest requests that had a key and were done.

    Args:
        capacity: how many are kept; the least recently used goes first.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        # For each key, what the request was, and the arguments of its response.
        self._done: OrderedDict[Key, tuple[bytes, tuple[Any, ...]]] = OrderedDict()
        self._under_way: set[Key] = set()
        # Guards both, so that to look for a key and to claim it is one step, and is notified when
        # a key is under way no longer. Nobody holds it during the work.
        self._changed = threading.Condition()

    def answer(self, key: Key, digest: bytes, work: Callable[[], Response]) -> Response:
        """Do the work for the first request under a key, and repeat its response for the others.

        A request waits for whatever is under way under its key.

        Raises:
            UnprocessableEntity: a request with another digest was done under the key.
        """
        with self._changed:
            self._changed.wait_for(lambda: key not in self._under_way)
            if key in self._done:
                self._done.move_to_end(key)
                done, remembered = self._done[key]
                if done != digest:
                    raise UnprocessableEntity("Idempotency-Key was used with another request")
                return Response(*remembered)
            self._under_way.add(key)
        try:
            response = work()
            headers = [*response.headers, ("Idempotency-Replayed", "true")]
            remembered = response.get_data(), response.status_code, headers
            with self._changed:
                self._done[key] = digest, remembered
                if len(self._done) > self._capacity:
                    self._done.popitem(last=False)
            return response
        finally:
            with self._changed:
                self._under_way.remove(key)
                self._changed.notify_all()
