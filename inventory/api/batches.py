"""Batches: changes of many products, all or none."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.endpoint import endpoint
from inventory.api.parsing import parse_fields
from inventory.api.responses import json_response
from inventory.api.schemas import BATCH_ITEM, MAX_ITEMS, object_of
from inventory.errors import InvalidValueError
from inventory.models import Product, check_integer, checked_sku
from inventory.service import BatchItem

blueprint = Blueprint("batches", __name__, url_prefix="/products")


@blueprint.post("/bulk-update")
@endpoint(body=object_of("updates"), response=object_of("success", "results"), errors=(404,))
def bulk_update(body: dict[str, Any]) -> Response:
    """Change the stock of several products, all or none.

    The items are applied in order; a product may occur any number of times. If an item is
    rejected, no item is applied, and the message starts with the item, such as `updates[3]: `.
    """
    products = current_service().bulk_update(_parse_items(body["updates"]))
    results = [{"productId": product.id, "newStock": product.stock} for product in products]
    return json_response({"success": True, "results": results})


def _parse_items(items: object) -> list[BatchItem]:
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidValueError(f"updates must be a list of 1 to {MAX_ITEMS} items")
    batch = []
    for index, item in enumerate(items):
        try:
            batch.append(_parse_item(item))
        except InvalidValueError as error:
            raise error.prefixed(f"updates[{index}]: ") from None
    return batch


def _parse_item(item: Any) -> BatchItem:
    fields = parse_fields(item, BATCH_ITEM)
    if ("productId" in item) == ("sku" in item):
        raise InvalidValueError("exactly one of productId and sku is required")
    target = checked_sku(item["sku"]) if "sku" in item else item["productId"]
    if not isinstance(target, str):
        raise InvalidValueError("productId must be a string")
    check_integer("quantity", fields["quantity"], minimum=1)
    change = partial(Product.added, quantity=fields["quantity"], expires_at=fields["expiresAt"])
    if fields["operation"] == "reduce":
        if "expiresAt" in item:
            raise InvalidValueError("expiresAt is only allowed with operation add")
        change = partial(Product.reduced, quantity=fields["quantity"])
    elif fields["operation"] != "add":
        raise InvalidValueError("operation must be add or reduce")
    return BatchItem(target, change, by_sku="sku" in item)
