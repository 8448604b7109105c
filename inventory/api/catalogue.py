"""The catalogue, page by page."""

from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.endpoint import endpoint
from inventory.api.responses import json_response, product_json
from inventory.api.schemas import object_of

blueprint = Blueprint("catalogue", __name__, url_prefix="/products")


@blueprint.get("")
@endpoint(
    query=object_of(status=None, sku=None, limit=100, cursor=None),
    response=object_of("products", "next"),
)
def list_products(**query: Any) -> Response:
    """List products in order of creation.

    A page may contain fewer products than `limit`, or none, and still have a `next`. Pages are
    not a snapshot: each product is shown as it is when it is read.
    """
    page, cursor = current_service().list_products(**query)
    products = [product_json(product) for product in page]
    return json_response({"products": products, "next": cursor})
