"""What a request holds, read strictly: a typo never turns into a silent default."""

import json
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Response, current_app, request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from inventory.api import View
from inventory.errors import InvalidValueError
from inventory.models import StockStatus
from inventory.service import Expected

MAX_BODY = 1024 * 1024  # bytes

_TAGS = re.compile(r'(?:W/)?"[^"]*"(?:[ \t]*,[ \t]*(?:W/)?"[^"]*")*')
_VERSION_TAG = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')
# RFC 3339, which has no hour 24; that the rest is a time, fromisoformat sees.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:[0-5]\d)", re.ASCII
)


def takes_body(*required: str, **optional: Any) -> Callable[[View], View]:
    """Let a view take a JSON object, as `body`: fields that it must have and that it may have."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(**arguments: Any) -> Response:
            return view(**arguments, body=read_fields(_parse(read_body()), required, optional))

        wrapper.body_fields = required, optional  # type: ignore[attr-defined]
        return wrapper

    return decorate


def takes_no_fields(view: View) -> View:
    """Let a view take an empty body, or an empty object."""

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        if body := read_body():
            read_fields(_parse(body), (), {})
        return view(**arguments)

    return wrapper


def read_body() -> bytes:
    """Return the request's body, whole.

    Raises:
        RequestEntityTooLarge: it is larger than `MAX_BODY`.
        BadRequest: it did not arrive whole, or is framed wrongly.
    """
    try:
        body = request.get_data()
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - each server has errors of its own for a broken chunk
        raise BadRequest from None
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge
    length = request.environ.get("CONTENT_LENGTH", "").strip(" \t")
    coding = request.environ.get("HTTP_TRANSFER_ENCODING", "").strip(" \t").lower()
    if coding and (coding != "chunked" or length):
        raise BadRequest
    if length and length != str(len(body)):  # which not every server compares
        raise BadRequest
    return body


def read_fields(given: Any, required: Collection[str], optional: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a JSON object, with the defaults of those that are left out.

    A field that is unknown, repeated or missing is refused. What a field may hold is for the model
    to say, but for `expiresAt`, which is parsed here: JSON has no type for times.
    """
    if not isinstance(given, dict):
        raise InvalidValueError("must be a JSON object")
    for name in given:
        if name not in required and name not in optional:
            raise InvalidValueError(f"unknown field {name[:60]!r}")
    for name in required:
        if name not in given:
            raise InvalidValueError(f"{name} is required")
    fields = {**optional, **given}
    if "expiresAt" in given:
        fields["expiresAt"] = _parse_expiry(given["expiresAt"])
    return fields


def takes_query(**parsers: Callable[[str], Any]) -> Callable[[View], View]:
    """Let a view take query parameters, each with what parses it; without this it takes none."""

    def decorate(view: View) -> View:
        view.query_parsers = parsers  # type: ignore[attr-defined]
        return view

    return decorate


def parse_query() -> None:
    """Turn the present request's query into arguments of its view, or refuse it by name."""
    query = request.environ.get("QUERY_STRING")
    if not query or request.endpoint is None or request.view_args is None:
        return
    try:
        unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise InvalidValueError("query must be percent-encoded UTF-8") from None
    parsers = getattr(current_app.view_functions[request.endpoint], "query_parsers", {})
    for name, texts in request.args.lists():
        if name not in parsers:
            raise InvalidValueError(f"unknown query parameter {name[:60]!r}")
        if len(texts) > 1:
            raise InvalidValueError(f"{name} must be given only once")
        try:
            request.view_args[name] = parsers[name](texts[0])
        except InvalidValueError as refusal:
            raise refusal.prefixed(f"{name} ") from None


def integer(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return what parses an integer of a query."""

    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,39}", text) or not minimum <= int(text) <= maximum:
            raise InvalidValueError(f"must be an integer from {minimum} to {maximum}")
        return int(text)

    return parse


def stock_status(text: str) -> StockStatus:
    """Return the status that is named in a query."""
    if text not in list(StockStatus):
        raise InvalidValueError(f"must be {' or '.join(StockStatus)}")
    return StockStatus(text)


def expected_versions() -> Expected:
    """Return the versions that `If-Match` names, or None where it is absent or `*`.

    Tags are compared as strong ones (RFC 9110, 13.1.1), so a weak one names no version.
    """
    tags = request.environ.get("HTTP_IF_MATCH", "*").strip(" \t")
    if tags == "*":
        return None
    if not _TAGS.fullmatch(tags):
        raise InvalidValueError('If-Match must be * or a list of tags in quotes, such as "1"')
    return {int(version) for version in _VERSION_TAG.findall(tags)}


def check_if_match() -> None:
    """Raise `InvalidValueError` if `If-Match` is malformed, or this change would ignore it."""
    if request.method == "POST" and "HTTP_IF_MATCH" in request.environ:
        raise InvalidValueError("If-Match is only supported on add, reduce and DELETE")
    expected_versions()


def _parse(body: bytes) -> object:
    if not body:
        raise InvalidValueError("body is empty, and must be a JSON object")
    try:
        value = _DECODER.decode(body.decode())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InvalidValueError(f"body is not valid JSON: {error.msg}: {place}") from None
    except UnicodeDecodeError:
        raise InvalidValueError("body must be in UTF-8") from None
    except RecursionError:
        raise InvalidValueError("body is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidValueError("body must be a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidValueError(f"{name[:60]} must be given only once")
        fields[name] = value
    return fields


def _parse_integer(literal: str) -> int:
    # 40 characters of a longer literal are still out of range, with the same sign, and Python
    # refuses to convert more than 4,300 digits.
    return int(literal[:40])


def _parse_expiry(text: Any) -> datetime:
    with suppress(TypeError, ValueError, OverflowError):  # no text, no such day, past year 9999
        if _DATE_TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    raise InvalidValueError("expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_parse_integer)
