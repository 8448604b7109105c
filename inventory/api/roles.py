"""Roles: authentication by token, and authorization."""

import hashlib
import re
from collections.abc import Callable

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from inventory.api import ACTOR
from inventory.errors import SettingError

MANAGER_ENDPOINTS = {
    "products.get_product",
    "products.get_status",
    "products.add_stock",
    "products.reduce_stock",
    "batches.bulk_update",
    "catalogue.list_products",
    "report.inventory_report",
    "openapi.get_root",
    "openapi.get_document",
}
"""The endpoints that a manager may call. All others require the role admin, except OPTIONS."""

_ENTRY = re.compile(r"\s*([^:\s]+):(admin|manager):([!-~]+)\s*")


def make_authorizer(tokens: str) -> Callable[[], None]:
    """Return a `before_request` hook that authenticates the token and authorizes the role.

    Args:
        tokens: `name:role:token,…`

    Raises:
        SettingError: `tokens` is malformed; the message names the entry and not the token.
    """
    callers = _parse(tokens)

    def authorize() -> None:
        scheme, _, token = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        # Look up the digest, so that the time of the look-up reveals nothing about a token.
        caller = callers.get(_digest(token.strip(" \t"))) if scheme.lower() == "bearer" else None
        if caller is None:
            challenge = WWWAuthenticate("bearer")
            raise Unauthorized("Authentication required", www_authenticate=challenge)
        request.environ[ACTOR], role = caller
        if request.endpoint is None or request.method == "OPTIONS":
            return  # 404, 405 and OPTIONS are open to any authenticated caller
        if role != "admin" and request.endpoint not in MANAGER_ENDPOINTS:
            raise Forbidden("Admin role required")

    return authorize


def _parse(tokens: str) -> dict[bytes, tuple[str, str]]:
    """Return the name and role of each caller, by the digest of the token."""
    callers: dict[bytes, tuple[str, str]] = {}
    for position, entry in enumerate(tokens.split(","), start=1):
        match = _ENTRY.fullmatch(entry)
        if not match or not match[1].isprintable():
            rule = "must be name:role:token, where role is admin or manager"
        elif _digest(match[3]) in callers or match[1] in dict(callers.values()):
            rule = "repeats a name or a token"
        else:
            callers[_digest(match[3])] = match[1], match[2]
            continue
        raise SettingError(f"INVENTORY_TOKENS: entry {position} {rule}")
    return callers


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
