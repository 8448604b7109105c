"""The routes of products and their stock."""

from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from inventory.api import current_service
from inventory.api.auth import actor
from inventory.api.idempotency import idempotent
from inventory.api.parsing import (
    expected_versions,
    expiry,
    page_limit,
    read_object,
    read_updates,
    stock_status,
    takes_query,
    version,
)
from inventory.api.representations import (
    movement_json,
    product_json,
    product_response,
    result_json,
    status_json,
    stock_response,
)

products = Blueprint("products", __name__, url_prefix="/products")


@products.post("")
@idempotent
def create_product() -> ResponseReturnValue:
    """Create a product."""
    body = read_object(required=("name", "sku"), optional=("stock", "reorderLevel", "expiresAt"))
    product = current_service().create_product(
        body["name"],
        body["sku"],
        body.get("stock", 0),
        body.get("reorderLevel", 0),
        expires_at=expiry(body),
        actor=actor(),
    )
    response = product_response(product)
    response.status_code = 201
    response.location = url_for("products.get_product", product_id=product.id)
    return response


@products.put("/<product_id>/add")
@idempotent
def add_stock(product_id: str) -> ResponseReturnValue:
    """Add units to a product's stock."""
    body = read_object(required=("quantity",), optional=("expiresAt",))
    product = current_service().add_stock(
        product_id,
        body["quantity"],
        expires_at=expiry(body),
        expected_versions=expected_versions(),
        actor=actor(),
    )
    return stock_response(product)


@products.put("/<product_id>/reduce")
@idempotent
def reduce_stock(product_id: str) -> ResponseReturnValue:
    """Take units from a product's stock, or none where there are not enough."""
    body = read_object(required=("quantity",))
    product = current_service().reduce_stock(
        product_id, body["quantity"], expected_versions=expected_versions(), actor=actor()
    )
    return stock_response(product)


@products.get("/<product_id>")
def get_product(product_id: str) -> ResponseReturnValue:
    """Show a product."""
    response = product_response(current_service().get_product(product_id))
    # Werkzeug's make_conditional would judge an If-Match too, and send the product with a 412.
    if "If-None-Match" in request.headers:
        etag, _ = response.get_etag()
        if request.if_none_match.contains_weak(etag or ""):
            response.status_code = 304  # for which Werkzeug sends no body
    return response


@products.get("/<product_id>/status")
def get_status(product_id: str) -> ResponseReturnValue:
    """Show whether a product needs to be reordered."""
    return status_json(current_service().get_product(product_id))


@products.get("")
@takes_query(status=stock_status, sku=str, limit=page_limit, cursor=str)
def list_products(**query: Any) -> ResponseReturnValue:
    """Show a page of the catalogue, in order of creation."""
    page, cursor = current_service().list_products(**query)
    return {"products": [product_json(product) for product in page], "next": cursor}


@products.post("/bulk-update")
@idempotent
def bulk_update() -> ResponseReturnValue:
    """Change the stock of several products, or of none."""
    updates = read_updates()
    changed = current_service().bulk_update(updates, actor=actor())
    return {"success": True, "results": [result_json(product) for product in changed]}


@products.delete("/<product_id>")
def delete_product(product_id: str) -> ResponseReturnValue:
    """Take a product out of the catalogue."""
    current_service().delete_product(
        product_id, expected_versions=expected_versions(), actor=actor()
    )
    return "", 204


@products.post("/<product_id>/restore")
@idempotent
def restore_product(product_id: str) -> ResponseReturnValue:
    """Bring a deleted product back as it was."""
    product = current_service().restore_product(product_id, actor=actor())
    return product_response(product)


@products.get("/<product_id>/movements")
@takes_query(after=version, limit=page_limit)
def list_movements(product_id: str, **query: int) -> ResponseReturnValue:
    """Show what has happened to a product, deleted or not."""
    movements = current_service().list_movements(product_id, **query)
    return {"movements": [movement_json(movement) for movement in movements]}
