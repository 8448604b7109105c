"""Safe retries: a request that is repeated with its `Idempotency-Key` changes nothing."""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from flask import Response, current_app, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import UnprocessableEntity

from inventory.api import View, current_actor
from inventory.api.parsing import check_if_match, read_body
from inventory.errors import InvalidValueError


class StoredResponse(NamedTuple):
    """A successful response, and the digest of the request that produced it."""

    digest: bytes
    body: bytes
    status: int
    headers: list[tuple[str, str]]


def idempotent(view: View) -> View:
    """Return the stored response to a repeated request instead of calling the view.

    Requests match on key, method, path and body. Only successful responses are stored.
    """

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        check_if_match()
        key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return view(**arguments)
        key = key.strip(" \t")
        if not re.fullmatch("[!-~]{1,255}", key):
            raise InvalidValueError("Idempotency-Key must be 1 to 255 visible ASCII characters")
        # Read the body before claiming the key: an incomplete body must not block its retry.
        head = f"{request.method} {request.path}\n".encode()
        digest = hashlib.sha256(head + read_body()).digest()
        keys: IdempotencyKeys = current_app.extensions["idempotency"]
        return keys.execute_once(current_actor(), key, digest, lambda: view(**arguments))

    return wrapper


class IdempotencyKeys:
    """Stored responses by caller and key. Thread-safe.

    Args:
        capacity: responses kept per caller; the oldest one is evicted first.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._stored: dict[str | None, dict[str, StoredResponse]] = defaultdict(dict)
        self._in_flight: set[tuple[str | None, str]] = set()
        # Guards `_stored` and `_in_flight`: makes check-then-claim of a key atomic. Notified when
        # a key is no longer in flight. Not held while the work is done.
        self._changed = threading.Condition()

    def execute_once(
        self, caller: str | None, key: str, digest: bytes, work: Callable[[], Response]
    ) -> Response:
        """Do the work and store its response, or return the response stored under the key.

        Blocks while another request of the caller with the same key is in flight.

        Raises:
            UnprocessableEntity: the response stored under the key has another digest.
        """
        with self._changed:
            self._changed.wait_for(lambda: (caller, key) not in self._in_flight)
            stored = self._stored[caller].get(key)
            if stored is None:
                self._in_flight.add((caller, key))
        if stored:
            if stored.digest != digest:
                message = "Idempotency-Key was already used with a different request"
                raise UnprocessableEntity(message)
            response = Response(stored.body, stored.status)
            response.headers = Headers([*stored.headers, ("Idempotency-Replayed", "true")])
            return response
        try:
            response = work()
            headers = [*response.headers]
            stored = StoredResponse(digest, response.data, response.status_code, headers)
            with self._changed:
                responses = self._stored[caller]
                responses[key] = stored
                if len(responses) > self._capacity:
                    del responses[next(iter(responses))]
            return response
        finally:
            with self._changed:
                self._in_flight.remove((caller, key))
                self._changed.notify_all()
