"""The routes of products and their stock."""

from flask import Blueprint, current_app, url_for
from flask.typing import ResponseReturnValue

from inventory.api.parsing import read_object
from inventory.api.representations import product_json, status_json, stock_json
from inventory.service import InventoryService

products = Blueprint("products", __name__, url_prefix="/products")


@products.post("")
def create_product() -> ResponseReturnValue:
    """Create a product."""
    body = read_object(required=("name", "sku"), optional=("stock", "reorderLevel"))
    product = _service().create_product(
        body["name"], body["sku"], body.get("stock", 0), body.get("reorderLevel", 0)
    )
    location = url_for("products.get_product", product_id=product.id)
    return product_json(product), 201, {"Location": location}


@products.put("/<product_id>/add")
def add_stock(product_id: str) -> ResponseReturnValue:
    """Add units to a product's stock."""
    body = read_object(required=("quantity",))
    return stock_json(_service().add_stock(product_id, body["quantity"]))


@products.put("/<product_id>/reduce")
def reduce_stock(product_id: str) -> ResponseReturnValue:
    """Take units from a product's stock, or none where there are not enough."""
    body = read_object(required=("quantity",))
    return stock_json(_service().reduce_stock(product_id, body["quantity"]))


@products.get("/<product_id>")
def get_product(product_id: str) -> ResponseReturnValue:
    """Show a product."""
    return product_json(_service().get_product(product_id))


@products.get("/<product_id>/status")
def get_status(product_id: str) -> ResponseReturnValue:
    """Show whether a product needs to be reordered."""
    return status_json(_service().get_product(product_id))


def _service() -> InventoryService:
    service: InventoryService = current_app.extensions["inventory"]
    return service
