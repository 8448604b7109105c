"""Safe retries: a request that comes again with its `Idempotency-Key` is answered, not repeated."""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnprocessableEntity

from inventory.api.parsing import View
from inventory.errors import InvalidValueError


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
        return keys.answer(key, lambda: current_app.make_response(view(**arguments)))

    return wrapper


class _Answer(NamedTuple):
    """What the first request under a key was, and how it was answered."""

    request: bytes
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class IdempotencyKeys:
    """The answers to the latest requests that had a key.

    Args:
        capacity: how many answers are kept; the least recently used goes first.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._under_way: dict[str, threading.Event] = {}
        # Guards both: to look for a key and to claim it is one step. Never held during the work.
        self._lock = threading.Lock()

    def answer(self, key: str, work: Callable[[], Response]) -> Response:
        """Do the work for the first request under a key, and repeat its answer for the others.

        A request that arrives while the first is under way waits for it.

        Raises:
            UnprocessableEntity: the key came before with another request.
        """
        while True:
            with self._lock:
                answer = self._answers.get(key)
                twin = self._under_way.get(key)
                if answer:
                    self._answers.move_to_end(key)
                elif not twin:
                    self._under_way[key] = threading.Event()
            if answer:
                return _replayed(answer)
            if not twin:
                return self._first(key, work)
            twin.wait()

    def _first(self, key: str, work: Callable[[], Response]) -> Response:
        answer = None
        try:
            response = work()
            headers = response.headers.to_wsgi_list()
            answer = _Answer(_digest(), response.status_code, headers, response.get_data())
            return response
        finally:
            with self._lock:
                if answer:
                    self._answers[key] = answer
                    if len(self._answers) > self._capacity:
                        self._answers.popitem(last=False)
                self._under_way.pop(key).set()


def _replayed(answer: _Answer) -> Response:
    if answer.request != _digest():
        raise UnprocessableEntity("Idempotency-Key was used with another request")
    response = Response(answer.body, answer.status, answer.headers)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _digest() -> bytes:
    """Return what stands for the present request's method, path and body, in 32 bytes."""
    head = f"{request.method} {request.path}\n".encode()
    return hashlib.sha256(head + request.get_data()).digest()
