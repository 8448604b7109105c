"""The routes of reports."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from inventory.api import current_service
from inventory.api.parsing import stock_status, takes_query
from inventory.models import Product, timestamp

reports = Blueprint("reports", __name__, url_prefix="/reports")

_COLUMNS = "id", "name", "sku", "stock", "reorderLevel", "status", "createdAt", "updatedAt"
_ROWS_AT_A_TIME = 500


@reports.get("/inventory.csv")
@takes_query(status=stock_status)
def inventory_csv(**query: Any) -> ResponseReturnValue:
    """Stream the catalogue as CSV, to be saved as a file."""
    products = current_service().iterate_products(**query)
    response = Response(_csv(products), mimetype="text/csv")
    response.headers["Content-Disposition"] = "attachment; filename=inventory.csv"
    return response


def _csv(products: Iterator[Product]) -> Iterator[str]:
    """Yield the lines of the report, some at a time: RFC 4180, whose lines end in CR LF."""
    yield ",".join(_COLUMNS) + "\r\n"
    while rows := [_row(product) for product in islice(products, _ROWS_AT_A_TIME)]:
        lines = io.StringIO(newline="")
        csv.writer(lines).writerows(rows)
        yield lines.getvalue()


def _row(product: Product) -> tuple[str | int, ...]:
    return (
        product.id,
        _inert(product.name),
        _inert(product.sku),
        product.stock,
        product.reorder_level,
        product.status,
        timestamp(product.created_at),
        timestamp(product.updated_at),
    )


def _inert(text: str) -> str:
    """Return text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
