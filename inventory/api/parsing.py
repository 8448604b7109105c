"""Strict parsing of bodies, query parameters and conditional headers."""

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from inventory.api.schemas import TAGS, Schema
from inventory.errors import InvalidValueError
from inventory.service import Expected

MAX_BODY = 1024 * 1024  # bytes

_TAGS = re.compile(TAGS)
_STRONG_VERSION = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')
# RFC 3339; fromisoformat checks the ranges, but accepts hour 24 in later Python versions.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT(?!24)\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:[0-5]\d)", re.ASCII
)


def read_body() -> bytes:
    """Return the complete body of the request.

    Raises:
        RequestEntityTooLarge: it is larger than `MAX_BODY`.
        BadRequest: it is incomplete, or its framing is malformed.
    """
    try:
        body = request.get_data()
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - servers raise different errors for a malformed chunk
        raise BadRequest from None
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge
    length = request.environ.get("CONTENT_LENGTH", "").strip(" \t")
    coding = request.environ.get("HTTP_TRANSFER_ENCODING", "").strip(" \t").lower()
    if coding and (coding != "chunked" or length):
        raise BadRequest
    if length and length != str(len(body)):  # not every server checks this
        raise BadRequest
    return body


def parse_body(body: bytes, schema: Schema) -> dict[str, Any]:
    """Parse a JSON object; see `parse_fields`. The body may be empty if it has no fields.

    Raises:
        InvalidValueError: the body is not a JSON object in UTF-8, or has invalid fields.
    """
    if not body:
        if not schema["properties"]:
            return {}
        raise InvalidValueError("body is empty, and must be a JSON object")
    try:
        value = _DECODER.decode(body.decode())
    except json.JSONDecodeError as error:
        position = f"line {error.lineno} column {error.colno}"
        raise InvalidValueError(f"body is not valid JSON: {error.msg}: {position}") from None
    except UnicodeDecodeError:
        raise InvalidValueError("body must be in UTF-8") from None
    except RecursionError:
        raise InvalidValueError("body is nested too deeply") from None
    if not isinstance(value, dict):
        raise InvalidValueError("body must be a JSON object")
    return parse_fields(value, schema)


def parse_fields(given: Any, schema: Schema) -> dict[str, Any]:
    """Return the fields of a JSON object, with the defaults of absent ones.

    Only the value of `expiresAt` is parsed here, because JSON has no type for times.

    Raises:
        InvalidValueError: `given` is not an object, a field is unknown or missing, or `expiresAt`
            is malformed.
    """
    if not isinstance(given, dict):
        raise InvalidValueError("must be a JSON object")
    fields = {}
    for name, field in schema["properties"].items():
        fields[name] = given.get(name, field.get("default"))
    for name in given:
        if name not in fields:
            raise InvalidValueError(f"unknown field {name[:60]!r}")
    for name in schema["required"]:
        if name not in given:
            raise InvalidValueError(f"{name} is required")
    if "expiresAt" in given:
        fields["expiresAt"] = _parse_expiry(given["expiresAt"])
    return fields


def parse_query(schema: Schema) -> dict[str, Any]:
    """Return the query parameters of the request, with the defaults of absent ones.

    Raises:
        InvalidValueError: a parameter is unknown, repeated or malformed.
    """
    try:
        unquote_to_bytes(request.environ.get("QUERY_STRING", "").encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise InvalidValueError("query must be percent-encoded UTF-8") from None
    parameters = {}
    for name, texts in request.args.lists():
        if name not in schema["properties"]:
            raise InvalidValueError(f"unknown query parameter {name[:60]!r}")
        if len(texts) > 1:
            raise InvalidValueError(f"{name} must be given only once")
        parameters[name] = _parse_parameter(name, texts[0], schema["properties"][name])
    return parse_fields(parameters, schema)


def _parse_parameter(name: str, text: str, schema: Schema) -> str | int:
    if "enum" in schema and text not in schema["enum"]:
        raise InvalidValueError(f"{name} must be {' or '.join(schema['enum'])}")
    if schema["type"] != "integer":
        return text
    minimum, maximum = schema["minimum"], schema["maximum"]
    if not re.fullmatch("[0-9]{1,39}", text) or not minimum <= int(text) <= maximum:
        raise InvalidValueError(f"{name} must be an integer from {minimum} to {maximum}")
    return int(text)


def expected_versions() -> Expected:
    """Return the versions that `If-Match` names, or None if it is absent or `*`.

    The comparison is strong (RFC 9110, 13.1.1), so a weak tag matches no version.

    Raises:
        InvalidValueError: the header is neither `*` nor a list of quoted tags.
    """
    tags = request.environ.get("HTTP_IF_MATCH", "*").strip(" \t")
    if tags == "*":
        return None
    if not _TAGS.fullmatch(tags):
        raise InvalidValueError('If-Match must be * or a list of tags in quotes, such as "1"')
    return {int(version) for version in _STRONG_VERSION.findall(tags)}


def reject_if_match() -> None:
    """Raise `InvalidValueError` for an `If-Match` on a change that would ignore it."""
    if "HTTP_IF_MATCH" in request.environ:
        raise InvalidValueError("If-Match is only supported on add, reduce and DELETE")


def matches_if_none_match(etag: str) -> bool:
    """Return whether `If-None-Match` names this tag. A malformed header is ignored."""
    tags = request.environ.get("HTTP_IF_NONE_MATCH", "").strip(" \t")
    return tags == "*" or (etag in tags and bool(_TAGS.fullmatch(tags)))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidValueError(f"{name[:60]} must be given only once")
        fields[name] = value
    return fields


def _parse_integer(literal: str) -> int:
    # Python does not convert more than 4,300 digits. The first 40 characters of a longer literal
    # are out of range as well, with the same sign.
    return int(literal[:40])


def _parse_expiry(text: Any) -> datetime:
    # Not a string, no such day, or outside the years 1 to 9999 in UTC.
    with suppress(TypeError, ValueError, OverflowError):
        if _DATE_TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    raise InvalidValueError("expiresAt must be an RFC 3339 date-time, such as 2099-12-31T23:59:59Z")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys, parse_int=_parse_integer)
