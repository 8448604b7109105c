"""What a request holds, read strictly: a typo never turns into a silent default."""

import json
import re
from collections.abc import Callable, Collection, Container
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from inventory.api import View
from inventory.errors import InvalidValueError, prefix_refusals
from inventory.models import Operation, StockStatus, StockUpdate

MAX_BODY = 1024 * 1024
"""The largest body that is read, in bytes."""

MAX_ITEMS = 1000
"""The most that one request may change, or ask to see."""

_REPEATED = object()  # stands for the value of a key that an object has twice

_VERSION_TAG = re.compile(r'\s*"[1-9][0-9]{0,17}"\s*')


def read_object(*, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of the JSON object that the request's body is, whatever its type says.

    Which fields there are is judged here; what they may hold is for the model to say.

    Raises:
        InvalidValueError: the body is no JSON object in UTF-8, or a field is unknown, repeated
            or missing.
        RequestEntityTooLarge: the body is larger than `MAX_BODY`.
    """
    data = request.get_data()
    if len(data) > MAX_BODY:
        raise RequestEntityTooLarge
    try:
        body = _DECODER.decode(data.decode())
    except ValueError:
        raise InvalidValueError("body must be a JSON object in UTF-8") from None
    except RecursionError:
        raise InvalidValueError("body is nested too deeply") from None
    if not isinstance(body, dict):
        raise InvalidValueError("body must be a JSON object in UTF-8")
    return _checked_fields(body, required, optional)


def read_updates() -> list[StockUpdate]:
    """Return the items of the batch that the request's body is.

    Raises:
        InvalidValueError: as `read_object`, also for each item.
        RequestEntityTooLarge: the body is larger than `MAX_BODY`.
    """
    items = read_object(required=("updates",))["updates"]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidValueError(f"updates must be a list of 1 to {MAX_ITEMS} items")
    updates = []
    for index, item in enumerate(items):
        with prefix_refusals(f"updates[{index}]: "):
            updates.append(_update(item))
    return updates


def expiry(fields: dict[str, Any]) -> datetime | None:
    """Return the field `expiresAt`, or None where there is none.

    Raises:
        InvalidValueError: it is not an ISO 8601 date-time with an offset or `Z`.
    """
    if "expiresAt" not in fields:
        return None
    text = fields["expiresAt"]
    try:
        if "T" in text and (at := datetime.fromisoformat(text)).tzinfo:
            return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidValueError("expiresAt must be an ISO 8601 date-time with an offset or Z")


def expected_versions() -> Container[int] | None:
    """Return the versions that `If-Match` names, or None where it is absent or `*`.

    Tags are compared as strong ones (RFC 9110, 13.1.1), so a weak one names no version, and
    neither does one without quotes, which Werkzeug would let pass.
    """
    tags = request.headers.get("If-Match", "*").split(",")
    if tags == ["*"]:
        return None
    return {int(tag.strip()[1:-1]) for tag in tags if _VERSION_TAG.fullmatch(tag)}


def takes_query(**parsers: Callable[[str], Any]) -> Callable[[View], View]:
    """Let a view take query parameters: each is parsed from its text, and passed on by its name.

    A view without this takes none; see `refuse_unknown_parameters`.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(**arguments: Any) -> ResponseReturnValue:
            for name, text in request.args.items():
                with prefix_refusals(f"{name} "):
                    arguments[name] = parsers[name](text)
            return view(**arguments)

        wrapper.query_parameters = parsers.keys()  # type: ignore[attr-defined]
        return wrapper

    return decorate


def refuse_unknown_parameters() -> None:
    """Refuse query parameters that the route does not have, before each request.

    Raises:
        InvalidValueError: a parameter is unknown or repeated; the message names it.
    """
    if not request.query_string or request.endpoint is None:
        return
    view = current_app.view_functions[request.endpoint]
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise InvalidValueError("query must be percent-encoded UTF-8") from None
    for name, texts in request.args.lists():
        if name not in getattr(view, "query_parameters", ()):
            raise InvalidValueError(f"unknown query parameter {_quoted(name)}")
        if len(texts) > 1:
            raise InvalidValueError(f"{name} must be given only once")


def page_limit(text: str) -> int:
    """Return how many items a page may hold, 1 to `MAX_ITEMS`."""
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_ITEMS:
        raise InvalidValueError(f"must be an integer from 1 to {MAX_ITEMS}")
    return int(text)


def version(text: str) -> int:
    """Return the version of a product, or 0 for none."""
    if not re.fullmatch("[0-9]+", text):
        raise InvalidValueError("must be an integer of at least 0")
    return _integer(text)


def stock_status(text: str) -> StockStatus:
    """Return the status that is named."""
    try:
        return StockStatus(text)
    except ValueError:
        raise InvalidValueError(f"must be {' or '.join(StockStatus)}") from None


def _update(item: object) -> StockUpdate:
    if not isinstance(item, dict):
        raise InvalidValueError("must be a JSON object")
    _checked_fields(item, ("operation", "quantity"), ("productId", "sku", "expiresAt"))
    for name in ("productId", "sku"):
        if name in item and not isinstance(item[name], str):
            raise InvalidValueError(f"{name} must be a string")
    if item["operation"] not in list(Operation):
        raise InvalidValueError(f"operation must be {' or '.join(Operation)}")
    return StockUpdate(
        product_id=item.get("productId"),
        sku=item.get("sku"),
        operation=Operation(item["operation"]),
        quantity=item["quantity"],
        expires_at=expiry(item),
    )


def _checked_fields(
    fields: dict[str, Any], required: Collection[str], optional: Collection[str]
) -> dict[str, Any]:
    for name, value in fields.items():
        if name not in required and name not in optional:
            raise InvalidValueError(f"unknown field {_quoted(name)}")
        if value is _REPEATED:
            raise InvalidValueError(f"{name} must be given only once")
    for name in required:
        if name not in fields:
            raise InvalidValueError(f"{name} is required")
    return fields


def _quoted(name: str) -> str:
    return repr(name[:60])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        fields[name] = _REPEATED if name in fields else value
    return fields


def _integer(literal: str) -> int:
    # 40 characters of a longer literal are still out of range, with the same sign, and Python
    # refuses to convert more than 4,300 digits.
    return int(literal[:40])


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
