"""The five core endpoints: a product and its stock.

`endpoint` parses the request as declared. It passes the fields of the body as `body` and, on PUT,
the versions that `If-Match` names as `expected`. The model validates the values.
"""

from typing import Any

from flask import Blueprint, Response, request

from inventory.api import current_service
from inventory.api.endpoint import endpoint
from inventory.api.responses import json_response, product_json
from inventory.api.schemas import PRODUCT, STOCK_CHANGE, object_of
from inventory.models import Product
from inventory.service import Expected

blueprint = Blueprint("products", __name__, url_prefix="/products")


@blueprint.post("")
@endpoint(
    body=object_of("name", "sku", stock=0, reorderLevel=0, expiresAt=None),
    response=PRODUCT,
    status=201,
    errors=(409,),
    versioned=True,
)
def create_product(body: dict[str, Any]) -> Response:
    """Create a product.

    Its SKU must not be in use in any letter case. `expiresAt` requires a stock of at least 1.
    """
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
@endpoint(body=object_of("quantity", expiresAt=None), response=STOCK_CHANGE, versioned=True)
def add_stock(product_id: str, body: dict[str, Any], expected: Expected) -> Response:
    """Add units to the stock of a product.

    Units with an `expiresAt` form a lot; a product has at most 1,000 lots.
    """
    product = current_service().add_stock(
        product_id, body["quantity"], expires_at=body["expiresAt"], expected=expected
    )
    return _stock_response(product)


@blueprint.put("/<product_id>/reduce")
@endpoint(body=object_of("quantity"), response=STOCK_CHANGE, versioned=True)
def reduce_stock(product_id: str, body: dict[str, Any], expected: Expected) -> Response:
    """Take units from the stock of a product.

    All of the quantity is taken, or nothing if the stock is smaller. Units with the earliest
    expiry are taken first, units without an expiry last.
    """
    product = current_service().reduce_stock(product_id, body["quantity"], expected=expected)
    return _stock_response(product)


@blueprint.get("/<product_id>")
@endpoint(response=PRODUCT, versioned=True)
def get_product(product_id: str) -> Response:
    """Get a product."""
    product = current_service().get_product(product_id)
    return json_response(product_json(product), version=product.version)


@blueprint.get("/<product_id>/status")
@endpoint(response=object_of("sku", "stock", "reorderLevel", "status"))
def get_status(product_id: str) -> Response:
    """Get the stock status of a product: whether it needs to be reordered."""
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
