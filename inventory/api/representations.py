"""Products and stock as clients see them."""

from typing import Any

from flask import Response, jsonify
from flask.json.provider import DefaultJSONProvider

from inventory.models import Product, StockMovement, timestamp


class UnsortedJSON(DefaultJSONProvider):
    """Flask's JSON, with the keys in the order in which they were written."""

    sort_keys = False


def product_json(product: Product) -> dict[str, Any]:
    """Return all that clients see of a product."""
    representation: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "sku": product.sku,
        "stock": product.stock,
        "reorderLevel": product.reorder_level,
        "createdAt": timestamp(product.created_at),
        "updatedAt": timestamp(product.updated_at),
    }
    if product.lots:
        representation["lots"] = [
            {"quantity": lot.quantity, "expiresAt": timestamp(lot.expires_at)}
            for lot in product.lots
        ]
    return representation


def status_json(product: Product) -> dict[str, Any]:
    """Return whether a product needs to be reordered, and why."""
    return {
        "sku": product.sku,
        "stock": product.stock,
        "reorderLevel": product.reorder_level,
        "status": product.status,
    }


def result_json(product: Product) -> dict[str, Any]:
    """Return what a change of stock led to."""
    return {"productId": product.id, "newStock": product.stock}


def movement_json(movement: StockMovement) -> dict[str, Any]:
    """Return what one change did."""
    return {
        "version": movement.version,
        "type": movement.type,
        "change": movement.change,
        "stock": movement.stock,
        "at": timestamp(movement.at),
        "actor": movement.actor,
    }


def product_response(product: Product) -> Response:
    """Return the answer that shows a product."""
    return _versioned(product, product_json(product))


def stock_response(product: Product) -> Response:
    """Return the answer to a change of a product's stock."""
    return _versioned(product, {"success": True, **result_json(product)})


def _versioned(product: Product, body: dict[str, Any]) -> Response:
    """Return JSON whose strong entity tag is the product's version (RFC 9110, 8.8.3)."""
    response = jsonify(body)
    response.set_etag(str(product.version))
    return response
