"""Every error as JSON: `{"error": true, "message": "…"}`."""

import sys

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException, InternalServerError

from inventory import errors
from inventory.api.responses import json_response

_STATUS: dict[type[errors.InventoryError], int] = {  # any other is a 400
    errors.ProductNotFoundError: 404,
    errors.DuplicateSkuError: 409,
    errors.ProductChangedError: 412,
}

_MESSAGES = {
    400: "Malformed or incomplete HTTP request",
    404: "No such path",
    405: "Method not allowed for this path",
    413: "body must be at most 1 MiB",
    500: "Internal server error",
}


def error_response(error: Exception) -> Response:
    """Map a domain error, an `HTTPException` or an unexpected exception to a JSON error."""
    if isinstance(error, errors.InventoryError):
        return _json_error(_STATUS.get(type(error), 400), str(error))
    if not isinstance(error, HTTPException):
        current_app.log_exception(sys.exc_info())
        error = InternalServerError()
    # Flask stores a routing error on the request, to which the error's traceback refers. Break the
    # cycle: with the server's `GC_THRESHOLDS` it might never be collected.
    request.routing_exception = None
    status = error.code or 500
    response = _json_error(status, _MESSAGES.get(status, error.description))
    response.headers.extend(header for header in error.get_headers() if header[0] != "Content-Type")
    return response


def _json_error(status: int, message: str | None) -> Response:
    return json_response({"error": True, "message": message}, status)
