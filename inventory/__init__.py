"""An inventory API: products, their stock, and changes of it that stay right under concurrency."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask

from inventory.api.errors import register_error_handlers
from inventory.api.idempotency import IdempotencyKeys
from inventory.api.parsing import MAX_BODY, refuse_unknown_parameters
from inventory.api.products import products
from inventory.api.reports import reports
from inventory.api.representations import JSONProvider
from inventory.models import utc_now
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService


def create_app(
    config: Mapping[str, Any] | None = None, *, clock: Callable[[], datetime] = utc_now
) -> Flask:
    """Build an app with an empty inventory of its own.

    Args:
        config: settings that go before the defaults, as in `Flask.config`.
        clock: returns the present time, aware and in UTC.
    """
    app = Flask(__name__, static_folder=None)
    app.json = JSONProvider(app)
    app.url_map.merge_slashes = False  # a doubled slash is no such path, and not an HTML redirect
    # One byte over the limit: Werkzeug cuts a chunked body there, which shows that it is too large.
    app.config.from_mapping(MAX_CONTENT_LENGTH=MAX_BODY + 1)
    app.config.from_mapping(config)

    app.extensions["inventory"] = InventoryService(InMemoryProductRepository(), clock=clock)
    app.extensions["idempotency"] = IdempotencyKeys()

    app.before_request(refuse_unknown_parameters)
    app.register_blueprint(products)
    app.register_blueprint(reports)
    register_error_handlers(app)
    return app
