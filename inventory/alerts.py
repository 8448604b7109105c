"""Low-stock alerts: what is one, the log line, the webhook."""

import base64
import json
import logging
import re
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit
from uuid import UUID, uuid5

from inventory.errors import SettingError
from inventory.models import MovementType, Product, StockMovement, StockStatus, timestamp

log = logging.getLogger(__name__)

TIMEOUT = 5
"""Seconds for which a receiver may be silent."""

PAUSES = (0.5, 1, 2, 4)
"""Seconds between attempts, the last of which is given up."""


def is_low_stock_alert(movement: StockMovement, product: Product) -> bool:
    """Whether this change took the product to `LOW_STOCK`, or created it there."""
    if product.status is StockStatus.IN_STOCK:
        return False
    stock_before = movement.stock - movement.change
    return movement.type is MovementType.CREATED or stock_before > product.reorder_level


def alert_id(movement: StockMovement) -> str:
    """Return the alert's own id, the same whenever it is asked for."""
    return str(uuid5(UUID(movement.product_id), str(movement.version)))


def log_alert(movement: StockMovement, product: Product) -> None:
    """Log an alert as a warning."""
    log.warning(
        "LOW_STOCK: %s has %d left, reorder level %d (product %s, alert %s)",
        product.sku,
        movement.stock,
        product.reorder_level,
        product.id,
        alert_id(movement),
    )


class Webhook:
    """Posts alerts to a URL, as JSON.

    Anything but a 2xx answer is a failure, a redirect included, and is tried again.

    Args:
        url: http or https. A user and password in it are sent as Basic authentication.
        pauses: seconds to wait after each failed attempt but the last.

    Raises:
        SettingError: the URL is not one. The message does not repeat it: it may be a secret.
    """

    def __init__(self, url: str, pauses: Sequence[float] = PAUSES) -> None:
        self._url, self._headers = _parse_url(url)
        self._pauses = pauses
        self._opener = urllib.request.build_opener(_NoRedirects)

    def __call__(self, movement: StockMovement, product: Product) -> None:
        """Post an alert, several times if need be; one that is given up is logged as an error."""
        body = json.dumps(_alert_json(movement, product)).encode()
        for pause in (*self._pauses, None):
            failure = self._post(body)
            if failure is None:
                return
            if pause is not None:
                time.sleep(pause)
        log.error("alert %s is given up, the webhook failed: %s", alert_id(movement), failure)

    def _post(self, body: bytes) -> str | None:
        """Make one attempt; return what went wrong, if anything did."""
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 - http(s)
        try:
            with self._opener.open(request, timeout=TIMEOUT):
                return None
        except urllib.error.HTTPError as error:
            with error:
                return f"status {error.code}"
        except (OSError, HTTPException, ValueError) as error:
            return type(error).__name__  # and not its text, in which the URL may stand


def _parse_url(url: str) -> tuple[str, dict[str, str]]:
    """Return the URL without user and password, and the headers that carry them instead."""
    parts, host, port = urlsplit(""), "", None
    with suppress(ValueError):
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch("[!-~]+", url):
        raise SettingError("INVENTORY_WEBHOOK_URL must be an http or https URL")
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port is None else f"{host}:{port}"
    headers = {"Content-Type": "application/json"}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, "")), headers


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _alert_json(movement: StockMovement, product: Product) -> dict[str, Any]:
    return {
        "event": "stock.low",
        "id": alert_id(movement),
        "productId": product.id,
        "sku": product.sku,
        "stock": movement.stock,
        "reorderLevel": product.reorder_level,
        "at": timestamp(movement.at),
    }
