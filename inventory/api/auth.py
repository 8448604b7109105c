"""Who may do what: tokens, roles, and the table of permissions."""

import hashlib
import hmac
import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from flask import g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, Unauthorized

from inventory.errors import SettingError


class Role(StrEnum):
    """What a caller is."""

    ADMIN = "admin"
    MANAGER = "manager"


_EVERY_ROLE = frozenset(Role)
_ADMIN = frozenset({Role.ADMIN})

PERMISSIONS = {
    "products.list_products": _EVERY_ROLE,
    "products.get_product": _EVERY_ROLE,
    "products.get_status": _EVERY_ROLE,
    "reports.inventory_csv": _EVERY_ROLE,
    "products.add_stock": _EVERY_ROLE,
    "products.reduce_stock": _EVERY_ROLE,
    "products.bulk_update": _EVERY_ROLE,
    "products.create_product": _ADMIN,
    "products.delete_product": _ADMIN,
    "products.restore_product": _ADMIN,
    "products.list_movements": _ADMIN,
}
"""Which roles may use which endpoint. One that is not listed is closed to all."""


class Caller(NamedTuple):
    """Somebody who has a token, of which only the SHA-256 digest is kept."""

    name: str
    role: Role
    digest: bytes


def authorizer(tokens: str) -> Callable[[], None]:
    """Return what refuses callers without a known token, or without the role, before each request.

    Args:
        tokens: who may call, as `name:role:token,…`.

    Raises:
        SettingError: `tokens` is malformed; the message names the entry and not the token.
    """
    callers = _parse(tokens)

    def authorize() -> None:
        caller = _identify(callers)
        if caller is None:
            raise Unauthorized(
                "Authentication required", www_authenticate=WWWAuthenticate("bearer")
            )
        g.actor = caller.name
        if request.endpoint is None or request.method == "OPTIONS":
            return  # which paths and methods there are, a known caller may be told
        roles = PERMISSIONS.get(request.endpoint, frozenset())
        if caller.role not in roles:
            who = f"Only {' or '.join(sorted(roles))}" if roles else "Nobody"
            raise Forbidden(f"{who} may do this")

    return authorize


def actor() -> str | None:
    """Return the name of the present request's caller, or None where roles are off."""
    name: str | None = g.get("actor")
    return name


def _identify(callers: list[Caller]) -> Caller | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    digest = _digest(token.strip(" "))
    # All are compared, each in constant time: how long it takes tells nothing about any token.
    matches = [caller for caller in callers if hmac.compare_digest(caller.digest, digest)]
    return matches[0] if matches else None


def _parse(tokens: str) -> list[Caller]:
    callers: list[Caller] = []
    for position, entry in enumerate(tokens.split(","), start=1):
        match = re.fullmatch(r"\s*([^:\s]+):(admin|manager):([!-~]+)\s*", entry)
        if not match or not match[1].isprintable():
            raise SettingError(
                f"INVENTORY_TOKENS: entry {position} must be name:role:token, "
                f"where role is {' or '.join(Role)}"
            )
        name, role, token = match.groups()
        caller = Caller(name, Role(role), _digest(token))
        for earlier in callers:
            if caller.name == earlier.name or caller.digest == earlier.digest:
                raise SettingError(
                    f"INVENTORY_TOKENS: entry {position} has the name or the token of another"
                )
        callers.append(caller)
    return callers


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
