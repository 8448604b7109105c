"""One shape for every refusal: `{"error": true, "message": "…"}`."""

import sys
from typing import Any

from flask import Flask, current_app, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from inventory.errors import (
    DuplicateSkuError,
    InventoryError,
    ProductChangedError,
    ProductNotFoundError,
)

_STATUS: dict[type[InventoryError], int] = {  # 400 where none is named
    ProductNotFoundError: 404,
    DuplicateSkuError: 409,
    ProductChangedError: 412,
}

_DEFECT = "Internal server error"

_HTTP_MESSAGES = {
    400: "The request is not well-formed HTTP",
    404: "No such path",
    405: "Method not allowed for this path",
    413: "body must be at most 1 MiB",
    500: _DEFECT,
}


def register_error_handlers(app: Flask) -> None:
    """Answer every refusal, of ours or of Flask's, and every defect in that shape."""
    app.register_error_handler(InventoryError, _refusal)
    app.register_error_handler(HTTPException, _http_refusal)
    app.register_error_handler(Exception, _defect)


def _refusal(error: InventoryError) -> ResponseReturnValue:
    return _body(str(error)), _STATUS.get(type(error), 400)


def _http_refusal(error: HTTPException) -> ResponseReturnValue:
    response = error.get_response()  # with the headers that belong to it, such as Allow
    message = _HTTP_MESSAGES.get(response.status_code, error.description)
    response.data = jsonify(_body(message)).data
    response.content_type = "application/json"
    return response


def _defect(_: Exception) -> ResponseReturnValue:
    current_app.log_exception(sys.exc_info())
    return _body(_DEFECT), 500


def _body(message: str | None) -> dict[str, Any]:
    return {"error": True, "message": message}
