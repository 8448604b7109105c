"""Responses: products as JSON."""

import json
from typing import Any

from flask import Response

from inventory.models import Product, timestamp

encode_json = json.JSONEncoder(separators=(",", ":")).encode
"""Encodes a value as compact JSON; keys keep their order."""


def json_response(body: Any, status: int = 200, *, version: int | None = None) -> Response:
    """Return a JSON response, with the version of a product as its `ETag` if given."""
    response = Response(encode_json(body) + "\n", status, content_type="application/json")
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
    return response


def no_content() -> Response:
    """Return a 204 response, without the `Content-Type` that Flask would add."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def product_json(product: Product) -> dict[str, Any]:
    """Return a product as clients see it; `lots` is absent if there are none."""
    body: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "sku": product.sku,
        "stock": product.stock,
        "reorderLevel": product.reorder_level,
        "createdAt": timestamp(product.created_at),
        "updatedAt": timestamp(product.updated_at),
    }
    if product.lots:
        body["lots"] = [
            {"quantity": lot.quantity, "expiresAt": timestamp(lot.expires_at)}
            for lot in product.lots
        ]
    return body
