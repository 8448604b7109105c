"""An inventory API: products, their stock, and changes of it that stay right under concurrency."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from flask import Flask

from inventory.alerts import Webhook, is_low_stock_alert, log_alert
from inventory.api.auth import authorizer
from inventory.api.errors import register_error_handlers
from inventory.api.idempotency import IdempotencyKeys
from inventory.api.parsing import MAX_BODY, refuse_unknown_parameters
from inventory.api.products import products
from inventory.api.reports import reports
from inventory.api.representations import UnsortedJSON
from inventory.events import Feed, Subscriber, Subscription
from inventory.models import utc_now
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService

_SETTINGS = ("INVENTORY_WEBHOOK_URL", "INVENTORY_TOKENS")


def create_app(
    config: Mapping[str, Any] | None = None,
    *,
    subscribers: Iterable[Subscriber] = (),
    clock: Callable[[], datetime] = utc_now,
) -> Flask:
    """Build an app with an empty inventory of its own.

    Args:
        config: settings that go before those of the environment, as in `Flask.config`.
            `INVENTORY_WEBHOOK_URL` is where low-stock alerts are posted, and `INVENTORY_TOKENS`
            who may call, as `name:role:token,…`; without it everybody may do everything.
        subscribers: are called with each movement, and the product as it left it, each on a
            thread of its own.
        clock: returns the present time, aware and in UTC.

    Raises:
        SettingError: the app cannot start with a setting; the message names it.
    """
    app = Flask(__name__, static_folder=None)
    app.json = UnsortedJSON(app)
    app.url_map.merge_slashes = False  # a doubled slash is no such path, and not an HTML redirect
    # One byte over the limit: Werkzeug cuts a chunked body there, which shows that it is too large.
    app.config.from_mapping(MAX_CONTENT_LENGTH=MAX_BODY + 1)
    app.config.from_mapping({name: os.environ.get(name) for name in _SETTINGS})
    app.config.from_mapping(config)

    # Not left in the config: both may be secret.
    webhook_url, tokens = (app.config.pop(name) for name in _SETTINGS)

    feed = Feed([*map(Subscription, subscribers), *_alerts(webhook_url)])
    app.extensions["inventory"] = InventoryService(
        InMemoryProductRepository(), clock=clock, publish=feed.publish
    )
    app.extensions["idempotency"] = IdempotencyKeys()

    if tokens is not None:
        app.before_request(authorizer(tokens))
    app.before_request(refuse_unknown_parameters)
    app.register_blueprint(products)
    app.register_blueprint(reports)
    register_error_handlers(app)
    return app


def _alerts(webhook_url: str | None) -> Iterator[Subscription]:
    # Each has a queue that only alerts can fill, and a slow webhook does not delay the log.
    yield Subscription(log_alert, wants=is_low_stock_alert)
    if webhook_url is not None:
        yield Subscription(Webhook(webhook_url), wants=is_low_stock_alert)
