"""What a request holds, read strictly: a typo never turns into a silent default."""

import json
from collections.abc import Collection
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from inventory.errors import InvalidValueError

MAX_BODY = 1024 * 1024
"""The largest body that is read, in bytes."""

_REPEATED = object()


def read_object(*, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """Return the members of the JSON object that the request's body is, whatever its type says.

    Which members there are is judged here; what they may hold is for the model to say.

    Raises:
        InvalidValueError: the body is no JSON object in UTF-8, or a member is unknown, repeated
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
    return _check_members(body, required, optional)


def refuse_query() -> None:
    """Refuse query parameters where a route has none.

    Raises:
        InvalidValueError: the request has one; the message names it.
    """
    if request.query_string and request.url_rule:
        for name in request.args:
            raise InvalidValueError(f"unknown query parameter {_quoted(name)}")


def _check_members(
    body: object, required: Collection[str], optional: Collection[str]
) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidValueError("body must be a JSON object in UTF-8")
    for name, value in body.items():
        if name not in required and name not in optional:
            raise InvalidValueError(f"unknown field {_quoted(name)}")
        if value is _REPEATED:
            raise InvalidValueError(f"{name} must be given only once")
    for name in required:
        if name not in body:
            raise InvalidValueError(f"{name} is required")
    return body


def _quoted(name: str) -> str:
    return f"{name!r:.80}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        members[name] = _REPEATED if name in members else value
    return members


def _integer(literal: str) -> int:
    # 40 characters of a longer literal are still out of range, with the same sign, and Python
    # refuses to convert more than 4,300 digits.
    return int(literal[:40])


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)
