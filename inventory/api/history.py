"""What versions make possible: the audit log, deleting, restoring."""

from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.answers import json_response, product_json
from inventory.api.idempotency import idempotent
from inventory.api.parsing import (
    expected_versions,
    integer,
    takes_no_fields,
    takes_query,
)
from inventory.models import MAX_QUANTITY, Product, timestamp

blueprint = Blueprint("history", __name__, url_prefix="/products/<product_id>")


@blueprint.get("/movements")
@takes_query(after=integer(0, MAX_QUANTITY), limit=integer(1, 1000))
def list_movements(product_id: str, after: int = 0, limit: int = 100) -> Response:
    """Show the audit log of a product, deleted or not: one movement for each change."""
    versions = current_service().list_movements(product_id, after=after, limit=limit)
    return json_response({"movements": [movement_json(product) for product in versions]})


@blueprint.delete("")
@idempotent
@takes_no_fields
def delete_product(product_id: str) -> Response:
    """Take a product out of the catalogue."""
    current_service().delete_product(product_id, expected=expected_versions())
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


@blueprint.post("/restore")
@idempotent
@takes_no_fields
def restore_product(product_id: str) -> Response:
    """Bring a deleted product back as it was."""
    product = current_service().restore_product(product_id)
    return json_response(product_json(product), version=product.version)


def movement_json(product: Product) -> dict[str, Any]:
    """Return what the change did that made this version."""
    return {
        "version": product.version,
        "type": product.movement,
        "change": product.change,
        "stock": product.stock,
        "at": timestamp(product.updated_at),
        "actor": product.actor,
    }
