"""Batches: from the items of a request to its answer."""

from typing import Any

from flask import Blueprint, Response

from inventory.api import current_actor, current_service
from inventory.api.answers import json_response
from inventory.api.idempotency import idempotent
from inventory.api.parsing import deny_if_match, read_fields, takes_body
from inventory.batches import Operation, StockUpdate
from inventory.errors import InvalidValueError

MAX_ITEMS = 1000
ITEM_REQUIRED = ("operation", "quantity")
ITEM_OPTIONAL = {"productId": None, "sku": None, "expiresAt": None}

blueprint = Blueprint("batches", __name__, url_prefix="/products")


@blueprint.post("/bulk-update")
@idempotent
@takes_body("updates")
def bulk_update(body: dict[str, Any]) -> Response:
    """Change the stock of several products, or of none."""
    deny_if_match()
    changed = current_service().bulk_update(_read_updates(body["updates"]), actor=current_actor())
    results = [{"productId": product.id, "newStock": product.stock} for product in changed]
    return json_response({"success": True, "results": results})


def _read_updates(items: object) -> list[StockUpdate]:
    """Return the items of a batch, all of which are read before the first is applied."""
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise InvalidValueError(f"updates must be a list of 1 to {MAX_ITEMS} items")
    updates = []
    for index, item in enumerate(items):
        try:
            updates.append(_read_update(item))
        except InvalidValueError as refusal:
            raise refusal.prefixed(f"updates[{index}]: ") from None
    return updates


def _read_update(item: Any) -> StockUpdate:
    fields = read_fields(item, ITEM_REQUIRED, ITEM_OPTIONAL)
    for name in ("productId", "sku"):
        if name in item and not isinstance(item[name], str):
            raise InvalidValueError(f"{name} must be a string")
    if fields["operation"] not in list(Operation):
        raise InvalidValueError(f"operation must be {' or '.join(Operation)}")
    operation = Operation(fields["operation"])
    named = fields["productId"], fields["sku"]
    return StockUpdate(operation, fields["quantity"], *named, fields["expiresAt"])
