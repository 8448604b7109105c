"""Safe retries: a request that is repeated with its `Idempotency-Key` replays its response."""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from flask import Response, current_app, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import UnprocessableEntity

from inventory.api import current_actor
from inventory.api.schemas import KEY
from inventory.errors import InvalidValueError


class StoredResponse(NamedTuple):
    """A successful response, and the digest of the request that produced it."""

    digest: bytes
    body: bytes
    status: int
    headers: list[tuple[str, str]]


class IdempotencyKeys:
    """Stored responses by caller and key. Thread-safe.

    Args:
        capacity: responses kept per caller; the oldest one is evicted first.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._stored: dict[str | None, dict[str, StoredResponse]] = defaultdict(dict)
        self._in_flight: set[tuple[str | None, str]] = set()
        # Guards `_stored` and `_in_flight`, so that check-then-claim of a key is atomic. Notified
        # when an in-flight key finishes. Not held while a request is executed.
        self._changed = threading.Condition()

    def execute_once(
        self, caller: str | None, key: str, digest: bytes, execute: Callable[[], Response]
    ) -> Response:
        """Execute a request and store its response, or return the response stored under its key.

        Blocks while another request of the caller with the same key is in flight. A request that
        raises stores nothing.

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
            response = execute()
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


def execute_with_key(body: bytes, execute: Callable[[], Response]) -> Response:
    """Execute the current request, which has an `Idempotency-Key`, or replay its response.

    Requests match on key, method, path and body. The body is complete before the key is claimed,
    so a connection that breaks within it does not block a retry.

    Raises:
        InvalidValueError: the key is malformed.
        UnprocessableEntity: the key was used with a different request.
    """
    key = request.environ["HTTP_IDEMPOTENCY_KEY"].strip(" \t")
    if not re.fullmatch(KEY, key):
        raise InvalidValueError("Idempotency-Key must be 1 to 255 visible ASCII characters")
    digest = hashlib.sha256(f"{request.method} {request.path!r}\n".encode() + body).digest()
    keys: IdempotencyKeys = current_app.extensions["idempotency"]
    return keys.execute_once(current_actor(), key, digest, execute)
