"""The catalogue, page by page."""

from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.answers import json_response, product_json
from inventory.api.parsing import integer, stock_status, takes_query

blueprint = Blueprint("catalogue", __name__, url_prefix="/products")


@blueprint.get("")
@takes_query(status=stock_status, sku=str, limit=integer(1, 1000), cursor=str)
def list_products(limit: int = 100, **query: Any) -> Response:
    """Show a page of the catalogue, in order of creation."""
    page, following = current_service().list_products(limit=limit, **query)
    products = [product_json(product) for product in page]
    return json_response({"products": products, "next": following})
