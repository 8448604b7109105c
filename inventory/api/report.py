"""The catalogue as a CSV file."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from flask import Blueprint, Response

from inventory.api import current_service
from inventory.api.answers import product_json
from inventory.api.parsing import stock_status, takes_query
from inventory.models import Product, StockStatus

blueprint = Blueprint("report", __name__, url_prefix="/reports")

_COLUMNS = ("id", "name", "sku", "stock", "reorderLevel", "status", "createdAt", "updatedAt")
_ROWS_AT_A_TIME = 500
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"  # how one starts, the last four in full width


@blueprint.get("/inventory.csv")
@takes_query(status=stock_status)
def inventory_report(status: StockStatus | None = None) -> Response:
    """Stream the catalogue as CSV, to be saved as a file."""
    response = Response(_csv(current_service().iterate_products(status)), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=inventory.csv"
    return response


def _csv(products: Iterator[Product]) -> Iterator[str]:
    """Yield the report, some rows at a time: RFC 4180, where a row ends in CR LF."""
    yield ",".join(_COLUMNS) + "\r\n"
    while rows := [_csv_row(product) for product in islice(products, _ROWS_AT_A_TIME)]:
        lines = io.StringIO(newline="")
        csv.DictWriter(lines, _COLUMNS).writerows(rows)
        yield lines.getvalue()


def _csv_row(product: Product) -> dict[str, Any]:
    row = {**product_json(product._replace(lots=())), "status": product.status}
    for column in ("name", "sku"):
        if row[column][0] in _FORMULA:
            row[column] = f"'{row[column]}"  # so that no spreadsheet runs it as a formula
    return row
