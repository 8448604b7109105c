"""The audit log of a product; deleting and restoring it."""

from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.endpoint import endpoint
from inventory.api.responses import json_response, no_content, product_json
from inventory.api.schemas import PRODUCT, object_of
from inventory.models import Product, timestamp
from inventory.service import Expected

blueprint = Blueprint("history", __name__, url_prefix="/products/<product_id>")


@blueprint.get("/movements")
@endpoint(query=object_of(after=0, limit=100), response=object_of("movements"))
def list_movements(product_id: str, after: int, limit: int) -> Response:
    """List the changes of a product, deleted or not.

    Movements are immutable. The sum of all `change` values up to a movement equals its `stock`.
    """
    versions = current_service().list_movements(product_id, after=after, limit=limit)
    return json_response({"movements": [movement_json(product) for product in versions]})


@blueprint.delete("")
@endpoint(body=object_of(), response=None, status=204)
def delete_product(product_id: str, expected: Expected) -> Response:
    """Delete a product.

    Its SKU can be reused, its movements remain, and it can be restored.
    """
    current_service().delete_product(product_id, expected=expected)
    return no_content()


@blueprint.post("/restore")
@endpoint(body=object_of(), response=PRODUCT, errors=(409,), versioned=True)
def restore_product(product_id: str) -> Response:
    """Restore a deleted product.

    Units that have expired meanwhile are written off.
    """
    product = current_service().restore_product(product_id)
    return json_response(product_json(product), version=product.version)


def movement_json(product: Product) -> dict[str, Any]:
    """Return the change that produced a version, as clients see it."""
    return {
        "version": product.version,
        "type": product.movement,
        "change": product.change,
        "stock": product.stock,
        "at": timestamp(product.updated_at),
        "actor": product.actor,
    }
