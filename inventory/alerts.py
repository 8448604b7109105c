"""Low-stock alerts: what is one, the log line, the webhook."""

import base64
import io
import json
import logging
import re
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import UUID, uuid5

from inventory.errors import SettingError
from inventory.models import MovementType, Product, StockStatus, timestamp

log = logging.getLogger(__name__)
SILENCE = 5  # seconds for which a receiver may be silent
ATTEMPT = 10  # seconds that an attempt to post an alert may take in all


def is_low_stock_alert(product: Product) -> bool:
    """Whether the change that made this version took the product to `LOW_STOCK`."""
    if product.status is StockStatus.IN_STOCK:
        return False
    stock_before = product.stock - product.change
    return product.movement is MovementType.CREATED or stock_before > product.reorder_level


def alert_id(product: Product) -> str:
    """Return the alert's own id, the same whenever it is asked for."""
    return str(uuid5(UUID(product.id), str(product.version)))


def log_alert(product: Product) -> None:
    """Log an alert as a warning."""
    log.warning(
        "LOW_STOCK: %s has %d left, reorder level %d (product %s, alert %s, at %s)",
        repr(product.sku)[1:-1],  # what cannot be printed is shown escaped
        product.stock,
        product.reorder_level,
        product.id,
        alert_id(product),
        timestamp(product.updated_at),
    )


class Webhook:
    """Posts alerts to a URL, as JSON. Anything but a 2xx answer is a failure, redirects included.

    Args:
        url: http or https. A user and password in it are sent as Basic authentication.
        pauses: seconds to wait after each failed attempt but the last.

    Raises:
        SettingError: the URL is not one. The message does not repeat it: it may be a secret.
    """

    def __init__(self, url: str, pauses: Sequence[float] = (0.5, 1, 2, 4)) -> None:
        parts = _split_url(url)
        secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if secure else 80)
        self._tls = ssl.create_default_context() if secure else None
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            encoded = base64.b64encode(credentials.encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"
        self._pauses = pauses

    def __call__(self, product: Product) -> None:
        """Post an alert, several times if need be; one that is given up is logged as an error."""
        alert = {
            "event": "stock.low",
            "id": alert_id(product),
            "productId": product.id,
            "sku": product.sku,
            "stock": product.stock,
            "reorderLevel": product.reorder_level,
            "at": timestamp(product.updated_at),
        }
        for pause in (*self._pauses, None):
            failure = self._post(json.dumps(alert).encode())
            if failure is None:
                return
            if pause is not None:
                time.sleep(pause)
        log.error("alert %s is given up, the webhook failed: %s", alert_id(product), failure)

    def _post(self, body: bytes) -> str | None:
        """Make one attempt; return what went wrong, if anything did."""
        deadline = time.monotonic() + ATTEMPT
        try:
            with _connect(self._host, self._port, deadline) as sock:
                status = self._exchange(sock, deadline, body)
        except (OSError, HTTPException, ValueError) as error:
            return type(error).__name__  # and not its text, in which the URL may stand
        return None if status in range(200, 300) else f"status {status}"

    def _exchange(self, sock: socket.socket, deadline: float, body: bytes) -> int:
        connection = HTTPConnection(self._host, self._port)
        sock.settimeout(_seconds_left(deadline))
        if self._tls:
            connection.default_port = 443
            sock = self._tls.wrap_socket(sock, server_hostname=self._host)
        with sock, HTTPResponse(_Answer(sock, deadline)) as response:  # type: ignore[arg-type]
            connection.sock = sock
            connection.request("POST", self._target, body, self._headers)
            response.begin()
            return response.status


class _Answer(io.RawIOBase):
    """What a receiver sends, up to a deadline, even if it is a byte now and then."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_seconds_left(self._deadline))
        return self._sock.recv_into(buffer)


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """Return a connection to the first address of the host that takes one."""
    failure: OSError = TimeoutError()
    for *_, (address, *_) in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            return socket.create_connection((str(address), port), _seconds_left(deadline))
        except OSError as error:
            failure = error
    raise failure


def _seconds_left(deadline: float) -> float:
    """Return how long a receiver may be silent now, or raise `TimeoutError`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(SILENCE, left)


def _split_url(url: str) -> SplitResult:
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and re.fullmatch("[!-~]+", url):
            _ = parts.port  # which may be no number
            return parts
    raise SettingError("INVENTORY_WEBHOOK_URL must be an http or https URL")
