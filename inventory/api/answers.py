"""Products as clients see them, and the JSON that carries them."""

import json
from typing import Any

from flask import Response

from inventory.models import Product, timestamp

encode_json = json.JSONEncoder(separators=(",", ":")).encode
"""Returns a value as JSON, its keys in the order in which they were written."""


def json_response(body: Any, status: int = 200, *, version: int | None = None) -> Response:
    """Return an answer in JSON, with a product's version as its `ETag` (RFC 9110, 8.8.3)."""
    response = Response(encode_json(body) + "\n", status, content_type="application/json")
    if version is not None:
        response.headers["ETag"] = f'"{version}"'
    return response


def product_json(product: Product) -> dict[str, Any]:
    """Return all that clients see of a product."""
    shown: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "sku": product.sku,
        "stock": product.stock,
        "reorderLevel": product.reorder_level,
        "createdAt": timestamp(product.created_at),
        "updatedAt": timestamp(product.updated_at),
    }
    if product.lots:
        shown["lots"] = [
            {"quantity": lot.quantity, "expiresAt": timestamp(lot.expires_at)}
            for lot in product.lots
        ]
    return shown
