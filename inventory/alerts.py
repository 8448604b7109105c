"""Low-stock alerts: the condition, the log line and the webhook."""

import base64
import json
import logging
import re
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import UUID, uuid5

from inventory.errors import SettingError
from inventory.models import Commit, Product, StockStatus, timestamp, utc_now

log = logging.getLogger(__name__)
TIMEOUT = 5  # seconds without data from the receiver
RETRY_PERIOD = timedelta(minutes=15)  # after the alert was raised
FIRST_BACKOFF, MAX_BACKOFF = 0.5, 60  # seconds between attempts


def low_stock_alerts(commit: Commit) -> tuple[Product, ...]:
    """Return the new version if the commit took the product to `LOW_STOCK`, otherwise nothing."""
    after = commit.versions[-1]
    was_low = commit.before and commit.before.status is StockStatus.LOW_STOCK
    return (after,) if after.status is StockStatus.LOW_STOCK and not was_low else ()


def alert_id(product: Product) -> str:
    """Return the id of an alert, the same for every attempt to deliver it."""
    return str(uuid5(UUID(product.id), str(product.version)))


def log_alert(product: Product) -> None:
    """Log an alert as a warning."""
    log.warning(
        "LOW_STOCK: %s has %d left, reorder level %d (product %s, alert %s, at %s)",
        repr(product.sku)[1:-1],  # escapes unprintable characters
        product.stock,
        product.reorder_level,
        product.id,
        alert_id(product),
        timestamp(product.updated_at),
    )


class Webhook:
    """A subscriber that posts alerts to a URL as JSON.

    Only a 2xx response is a success; redirects are not followed. A failed attempt is repeated with
    exponential backoff until `RETRY_PERIOD` is over. A running attempt is not cut off while the
    receiver sends some data every `TIMEOUT` seconds.

    Args:
        url: http or https. A user and a password in it are sent as Basic authentication.
        clock: returns the current time, aware and in UTC.

    Raises:
        SettingError: the URL is malformed. The message does not repeat it: it may be secret.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        parts = _split_url(url)
        self._connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host_and_port = parts.netloc.rpartition("@")[2]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            encoded = base64.b64encode(credentials.encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"
        self._clock = clock

    def __call__(self, product: Product) -> None:
        """Post an alert until it succeeds, or abandon it and log an error."""
        alert = {
            "event": "stock.low",
            "id": alert_id(product),
            "productId": product.id,
            "sku": product.sku,
            "stock": product.stock,
            "reorderLevel": product.reorder_level,
            "at": timestamp(product.updated_at),
        }
        body = json.dumps(alert).encode()
        # The clock may jump, and `updated_at` may be ahead of it: use it once, with an upper bound.
        age = max(self._clock() - product.updated_at, timedelta(0))
        deadline = time.monotonic() + (RETRY_PERIOD - age).total_seconds()
        backoff = FIRST_BACKOFF
        while failure := self._post(body):
            left = deadline - time.monotonic()
            if left <= 0:
                log.error("alert %s abandoned: %s", alert["id"], failure)
                return
            if backoff == FIRST_BACKOFF:
                log.warning("alert %s failed and will be retried: %s", alert["id"], failure)
            time.sleep(min(backoff, left))
            backoff = min(2 * backoff, MAX_BACKOFF)

    def _post(self, body: bytes) -> str | None:
        """Make one attempt; return the reason of a failure, or None."""
        try:
            with closing(self._connection(self._host_and_port, timeout=TIMEOUT)) as connection:
                connection.request("POST", self._target, body, self._headers)
                status = connection.getresponse().status
        except (OSError, HTTPException, ValueError) as error:
            return type(error).__name__  # str(error) may contain the URL, which may be secret
        return None if status in range(200, 300) else f"status {status}"


def _split_url(url: str) -> SplitResult:
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and re.fullmatch("[!-~]+", url):
            _ = parts.port  # raises ValueError if it is not a number
            return parts
    raise SettingError("INVENTORY_WEBHOOK_URL must be an http or https URL")
