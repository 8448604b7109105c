"""Batches: bulk-update."""

from functools import partial
from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.answers import json_response
from inventory.api.idempotency import idempotent
from inventory.api.parsing import read_fields, takes_body
from inventory.errors import InvalidValueError
from inventory.models import Product, check_integer, checked_sku
from inventory.service import BatchItem, BySku

MAX_ITEMS = 1000
ITEM_REQUIRED = ("operation", "quantity")
ITEM_OPTIONAL = {"productId": None, "sku": None, "expiresAt": None}

blueprint = Blueprint("batches", __name__, url_prefix="/products")


@blueprint.post("/bulk-update")
@idempotent
@takes_body("updates")
def bulk_update(body: dict[str, Any]) -> Response:
    """Change the stock of several products, or of none."""
    changed = current_service().bulk_update(_read_items(body["updates"]))
    results = [{"productId": product.id, "newStock": product.stock} for product in changed]
    return json_response({"success": True, "results": results})


def _read_items(items: object) -> list[BatchItem]:
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidValueError(f"updates must be a list of 1 to {MAX_ITEMS} items")
    batch = []
    for index, item in enumerate(items):
        try:
            batch.append(_read_item(item))
        except InvalidValueError as error:
            raise error.prefixed(f"updates[{index}]: ") from None
    return batch


def _read_item(item: Any) -> BatchItem:
    fields = read_fields(item, ITEM_REQUIRED, ITEM_OPTIONAL)
    operation, quantity = fields["operation"], fields["quantity"]
    if ("productId" in item) == ("sku" in item):
        raise InvalidValueError("exactly one of productId and sku is required")
    if "sku" in item:
        target: str | BySku = BySku(checked_sku(item["sku"]))
    elif isinstance(item["productId"], str):
        target = item["productId"]
    else:
        raise InvalidValueError("productId must be a string")
    check_integer("quantity", quantity, minimum=1)
    if operation == "add":
        change = partial(Product.added, quantity=quantity, expires_at=fields["expiresAt"])
    elif operation != "reduce":
        raise InvalidValueError("operation must be add or reduce")
    elif "expiresAt" in item:
        raise InvalidValueError("expiresAt is only allowed with operation add")
    else:
        change = partial(Product.reduced, quantity=quantity)
    return BatchItem(target, change)
