"""Safe retries: a request that comes again with its `Idempotency-Key` is answered, not repeated."""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnprocessableEntity

from inventory.api import View
from inventory.api.auth import actor
from inventory.errors import InvalidValueError

Key = tuple[str | None, str]
"""A caller's name, where roles are on, and the `Idempotency-Key`."""


def idempotent(view: View) -> View:
    """Make a view answer a repeated request with its first response, and change nothing.

    What makes two requests the same is their key, method, path and body. Only a success is
    remembered: what was refused, or failed through a defect, is judged afresh when it comes again.

    Raises:
        InvalidValueError: the key is not 1 to 255 visible ASCII characters.
        UnprocessableEntity: the key came before with another request.
    """

    @wraps(view)
    def wrapper(**arguments: Any) -> ResponseReturnValue:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(**arguments)
        if not re.fullmatch("[!-~]{1,255}", key):
            raise InvalidValueError("Idempotency-Key must be 1 to 255 visible ASCII characters")
        keys: IdempotencyKeys = current_app.extensions["idempotency"]
        return keys.answer(
            (actor(), key), _digest(), lambda: current_app.make_response(view(**arguments))
        )

    return wrapper


class _Request:
    """The first request under a key; `answer` is None while it is under way, or if it failed."""

    __slots__ = ("answer", "digest", "done")

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.done = threading.Event()
        self.answer: tuple[bytes, int, list[tuple[str, str]]] | None = None


class IdempotencyKeys:
    """The answers to the latest requests that had a key.

    Args:
        capacity: how many answers are kept; the least recently used goes first.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._answered: OrderedDict[Key, _Request] = OrderedDict()
        self._under_way: dict[Key, _Request] = {}
        # Guards both: to look for a key and to claim it is one step. Never held during the work.
        self._lock = threading.Lock()

    def answer(self, key: Key, digest: bytes, work: Callable[[], Response]) -> Response:
        """Do the work for the first request under a key, and repeat its answer for the others.

        A twin that arrives while the first is under way waits for it.

        Args:
            key: who makes the request, and what they call it.
            digest: what the request is.
            work: makes the answer.

        Raises:
            UnprocessableEntity: the key came before with another request.
        """
        mine = _Request(digest)
        while True:
            with self._lock:
                if key in self._answered:
                    self._answered.move_to_end(key)
                    first = self._answered[key]
                else:
                    first = self._under_way.setdefault(key, mine)
            if first is mine:
                return self._do(key, mine, work)
            if first.digest != digest:
                raise UnprocessableEntity("Idempotency-Key was used with another request")
            first.done.wait()
            if first.answer:
                return Response(*first.answer)

    def _do(self, key: Key, mine: _Request, work: Callable[[], Response]) -> Response:
        try:
            response = work()
            headers = [*response.headers.to_wsgi_list(), ("Idempotency-Replayed", "true")]
            mine.answer = response.get_data(), response.status_code, headers
            return response
        finally:
            with self._lock:
                del self._under_way[key]
                if mine.answer:
                    self._answered[key] = mine
                    if len(self._answered) > self._capacity:
                        self._answered.popitem(last=False)
            mine.done.set()


def _digest() -> bytes:
    """Return what stands for the present request's method, path and body, in 32 bytes.

    The body is read here, before a key is claimed: one that never arrives keeps no retry waiting.
    """
    head = f"{request.method} {request.path}\n".encode()
    return hashlib.sha256(head + request.get_data()).digest()
