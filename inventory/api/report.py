"""The catalogue as a CSV report."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.endpoint import endpoint
from inventory.api.responses import product_json
from inventory.api.schemas import object_of
from inventory.models import Product, StockStatus

blueprint = Blueprint("report", __name__, url_prefix="/reports")

_COLUMNS = ("id", "name", "sku", "stock", "reorderLevel", "status", "createdAt", "updatedAt")
_ROWS_PER_CHUNK = 500
_FORMULA_START = "=+-@\uff1d\uff0b\uff0d\uff20"  # the last four are in full width


@blueprint.get("/inventory.csv")
@endpoint(
    query=object_of(status=None),
    response={"type": "string", "description": "One row per product, RFC 4180."},
    media_type="text/csv",
)
def inventory_report(status: StockStatus | None) -> Response:
    """Download the catalogue as CSV.

    A cell that a spreadsheet would execute as a formula is prefixed with `'`. The report is
    streamed, and is not a snapshot across products.
    """
    response = Response(_csv(current_service().iterate_products(status)), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=inventory.csv"
    return response


def _csv(products: Iterator[Product]) -> Iterator[str]:
    """Yield the header, then chunks of rows."""
    yield ",".join(_COLUMNS) + "\r\n"
    while rows := [_csv_row(product) for product in islice(products, _ROWS_PER_CHUNK)]:
        lines = io.StringIO(newline="")
        csv.DictWriter(lines, _COLUMNS).writerows(rows)
        yield lines.getvalue()


def _csv_row(product: Product) -> dict[str, Any]:
    row = {**product_json(product._replace(lots=())), "status": product.status}
    for column in ("name", "sku"):
        if row[column][0] in _FORMULA_START:
            row[column] = f"'{row[column]}"
    return row
