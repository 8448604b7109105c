"""The five endpoints: a product and its stock."""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.http import parse_etags

from inventory.api import current_service
from inventory.api.answers import json_response, product_json
from inventory.api.idempotency import idempotent
from inventory.api.parsing import expected_versions, takes_body
from inventory.models import Product

blueprint = Blueprint("products", __name__, url_prefix="/products")


@blueprint.post("")
@idempotent
@takes_body("name", "sku", stock=0, reorderLevel=0, expiresAt=None)
def create_product(body: dict[str, Any]) -> Response:
    """Create a product."""
    product = current_service().create_product(
        body["name"],
        body["sku"],
        body["stock"],
        body["reorderLevel"],
        expires_at=body["expiresAt"],
    )
    response = json_response(product_json(product), 201, version=product.version)
    response.headers["Location"] = f"{request.root_path}/products/{product.id}"
    return response


@blueprint.put("/<product_id>/add")
@idempotent
@takes_body("quantity", expiresAt=None)
def add_stock(product_id: str, body: dict[str, Any]) -> Response:
    """Add units to a product's stock."""
    product = current_service().add_stock(
        product_id,
        body["quantity"],
        expires_at=body["expiresAt"],
        expected=expected_versions(),
    )
    return _stock_response(product)


@blueprint.put("/<product_id>/reduce")
@idempotent
@takes_body("quantity")
def reduce_stock(product_id: str, body: dict[str, Any]) -> Response:
    """Take units from a product's stock, or none where there are not enough."""
    product = current_service().reduce_stock(
        product_id, body["quantity"], expected=expected_versions()
    )
    return _stock_response(product)


@blueprint.get("/<product_id>")
def get_product(product_id: str) -> Response:
    """Show a product."""
    product = current_service().get_product(product_id)
    response = json_response(product_json(product), version=product.version)
    # Werkzeug's make_conditional would judge an If-Match too, and send the product with a 412.
    known = request.environ.get("HTTP_IF_NONE_MATCH")
    if known and parse_etags(known.strip(" \t")).contains_weak(str(product.version)):
        response.status_code = 304  # for which Werkzeug sends no body
    return response


@blueprint.get("/<product_id>/status")
def get_status(product_id: str) -> Response:
    """Show whether a product needs to be reordered."""
    product = current_service().get_product(product_id)
    return json_response(
        {
            "sku": product.sku,
            "stock": product.stock,
            "reorderLevel": product.reorder_level,
            "status": product.status,
        }
    )


def _stock_response(product: Product) -> Response:
    return json_response(
        {"success": True, "productId": product.id, "newStock": product.stock},
        version=product.version,
    )
