"""Descriptions of fields, parameters and headers, as JSON Schema (draft 2020-12)."""

from itertools import groupby
from typing import Any

from inventory.lots import MAX_LOTS
from inventory.models import MAX_NAME, MAX_QUANTITY, MAX_SKU, MovementType, StockStatus

Schema = dict[str, Any]

MAX_ITEMS = 1000  # of a batch, and of a page


def object_of(*required: str, **optional: Any) -> Schema:
    """Return the schema of an object with these `FIELDS`; optional ones come with a default."""
    properties = {name: FIELDS[name] for name in required}
    for name, default in optional.items():
        properties[name] = FIELDS[name] if default is None else FIELDS[name] | {"default": default}
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _string(description: str, **keywords: Any) -> Schema:
    return {"type": "string", "description": description, **keywords}


def _integer(description: str, minimum: int, maximum: int, example: int) -> Schema:
    limits = {"minimum": minimum, "maximum": maximum}
    return {"type": "integer", "description": description, "examples": [example], **limits}


def _array(description: str, items: Schema, maximum: int) -> Schema:
    return {"type": "array", "description": description, "items": items, "maxItems": maximum}


def _printable_ranges() -> str:
    """Return the printable characters up to U+FFFF, for a character class.

    Unicode properties and higher ranges are not portable between regular expression engines.
    """
    groups = groupby(map(chr, range(0x10000)), str.isprintable)
    ranges = ([*characters] for is_printable, characters in groups if is_printable)
    return "".join(f"{characters[0]}-{characters[-1]}" for characters in ranges)


_ID = {"format": "uuid", "examples": ["9f2c4a6e-1b3d-4e5f-8a7b-0c1d2e3f4a5b"]}
_TIME = {"format": "date-time", "examples": ["2026-11-22T06:26:00.123456Z"]}
_TAG = '"[!#-~\x80-\xff]*"'  # opaque-tag of RFC 9110, 8.8.3
TAGS = rf"(?:W/)?{_TAG}(?:[ \t]*,[ \t]*(?:W/)?{_TAG})*"
KEY = "[!-~]{1,255}"

FIELDS: dict[str, Schema] = {
    "id": _string("Id of a product: a UUID, accepted in any letter case.", **_ID),
    "productId": _string("Id of a product: a UUID, accepted in any letter case.", **_ID),
    "name": _string(
        "Name of the product, without leading and trailing whitespace, which is stripped. Control "
        "characters and line separators within it are rejected.",
        title="Name",
        minLength=1,
        maxLength=MAX_NAME,
        examples=["Laptop"],
    ),
    "sku": _string(
        "Stock keeping unit: printable characters, stripped like `name`. Unique among products "
        "that are not deleted, by Unicode canonical caseless matching (`ltp-123` is `LTP-123`). "
        "The pattern describes the stripped value, without characters above U+FFFF.",
        title="Sku",
        minLength=1,
        maxLength=MAX_SKU,
        pattern=f"^[{_printable_ranges()}]+$",
        examples=["LTP-123"],
    ),
    "stock": _integer("Units on hand.", 0, MAX_QUANTITY, 20),
    "newStock": _integer("Units on hand right after this change.", 0, MAX_QUANTITY, 17),
    "reorderLevel": _integer(
        "The status is `LOW_STOCK` at this stock and below.", 0, MAX_QUANTITY, 5
    ),
    "quantity": _integer("Number of units.", 1, MAX_QUANTITY, 3),
    "status": _string(
        "`LOW_STOCK` if the stock is at or below the reorder level, otherwise `IN_STOCK`.",
        title="StockStatus",
        enum=list(StockStatus),
    ),
    "createdAt": _string("Time of the creation, UTC.", **_TIME),
    "updatedAt": _string("Time of the latest change, UTC.", **_TIME),
    "expiresAt": _string(
        "When the units stop being stock: an RFC 3339 date-time in the future, with upper-case `T` "
        "and `Z` or an offset. Digits beyond microseconds are truncated.",
        title="Expiry",
        format="date-time",
        examples=["2099-12-01T00:00:00Z"],
    ),
    "success": {"type": "boolean", "description": "Always true."},
    "error": {"type": "boolean", "description": "Always true."},
    "message": _string(
        "The reason, with the name of the field if there is one.", examples=["Product not found"]
    ),
    "operation": _string("Whether units are added or taken.", enum=["add", "reduce"]),
    "version": _integer("Version that the change produced, without gaps.", 1, MAX_QUANTITY, 2),
    "type": _string("Type of the change.", title="MovementType", enum=list(MovementType)),
    "change": _integer("Units added, or removed if negative.", -MAX_QUANTITY, MAX_QUANTITY, -3),
    "at": _string("Time of the change, UTC.", **_TIME),
    "actor": {
        "type": ["string", "null"],
        "description": "Name of the caller if roles are enabled; null for a write-off.",
    },
    "next": {
        "type": ["string", "null"],
        "description": "The `cursor` of the next page, or null on the last page.",
        "format": "uuid",
    },
    "cursor": _string("`next` of an earlier page; cannot be combined with `sku`.", format="uuid"),
    "limit": _integer("Maximum number of items on the page.", 1, MAX_ITEMS, 100),
    "after": _integer("Only movements after this version.", 0, MAX_QUANTITY, 0),
    "If-Match": {
        "description": "Change the product only if its `ETag` is in this list, or if this is `*`.",
        "anyOf": [{"type": "string", "enum": ["*"]}, {"type": "string", "pattern": f"^{TAGS}$"}],
    },
    "If-None-Match": _string("Respond with 304 if the product's `ETag` is in this list."),
    "Idempotency-Key": _string(
        "Unique per request. A retry with the same key receives the stored response.",
        pattern=f"^{KEY}$",
    ),
    "ETag": _string("Version of the product, in quotes.", pattern='^"[1-9][0-9]*"$'),
    "Location": _string("Path of the new product.", format="uri-reference"),
    "Idempotency-Replayed": _string("Present if this is a stored response.", enum=["true"]),
    "Content-Disposition": _string("The report is an attachment."),
    "WWW-Authenticate": _string("The scheme `Bearer`."),
}

LOT = object_of("quantity", "expiresAt") | {"title": "Lot"}
FIELDS["lots"] = _array("Units that expire, earliest first; absent if none do.", LOT, MAX_LOTS)

PRODUCT = object_of(
    "id", "name", "sku", "stock", "reorderLevel", "createdAt", "updatedAt", lots=None
) | {"title": "Product"}
FIELDS["products"] = _array("Products in order of creation.", PRODUCT, MAX_ITEMS)

MOVEMENT = object_of("version", "type", "change", "stock", "at", "actor") | {"title": "Movement"}
FIELDS["movements"] = _array("Changes in the order of their versions.", MOVEMENT, MAX_ITEMS)

BATCH_ITEM = object_of("operation", "quantity", productId=None, sku=None, expiresAt=None) | {
    "title": "BatchItem",
    "description": "Exactly one of `productId` and `sku` is required, and `expiresAt` is only "
    "allowed with the operation `add`.",
}
FIELDS["updates"] = _array("Applied in order.", BATCH_ITEM, MAX_ITEMS) | {"minItems": 1}

BATCH_RESULT = object_of("productId", "newStock") | {"title": "BatchResult"}
FIELDS["results"] = _array("One result per item, in their order.", BATCH_RESULT, MAX_ITEMS)

STOCK_CHANGE = object_of("success", "productId", "newStock") | {"title": "StockChange"}
ERROR = object_of("error", "message") | {"title": "Error"}
