"""One shape for every refusal: `{"error": true, "message": "…"}`."""

import sys

from flask import Response, current_app
from werkzeug.exceptions import HTTPException, InternalServerError

from inventory import errors
from inventory.api.answers import json_response

_STATUS: dict[type[errors.InventoryError], int] = {  # 400 where none is named
    errors.ProductNotFoundError: 404,
    errors.DuplicateSkuError: 409,
    errors.ProductChangedError: 412,
}

_MESSAGES = {
    400: "The request is not well-formed HTTP, or did not arrive whole",
    404: "No such path",
    405: "Method not allowed for this path",
    413: "body must be at most 1 MiB",
    500: "Internal server error",
}


def error_response(error: Exception) -> Response:
    """Return the answer to any exception: a refusal of ours, one of Flask's, or a defect."""
    if isinstance(error, errors.InventoryError):
        return _answer(_STATUS.get(type(error), 400), str(error))
    if not isinstance(error, HTTPException):
        current_app.log_exception(sys.exc_info())
        error = InternalServerError()
    status = error.code or 500
    response = _answer(status, _MESSAGES.get(status, error.description))
    response.headers.extend(header for header in error.get_headers() if header[0] != "Content-Type")
    return response


def _answer(status: int, message: str | None) -> Response:
    return json_response({"error": True, "message": message}, status)
