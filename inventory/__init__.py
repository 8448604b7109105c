"""An inventory API: products and their stock, with atomic changes."""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask

from inventory.alerts import Webhook, log_alert, low_stock_alerts
from inventory.api import batches, catalogue, current_actor, history, openapi, products, report
from inventory.api.errors import error_response
from inventory.api.idempotency import IdempotencyKeys
from inventory.api.parsing import MAX_BODY
from inventory.api.roles import make_authorizer
from inventory.events import Subscriber, Subscription
from inventory.models import Commit, utc_now
from inventory.repository import InMemoryProductRepository
from inventory.service import InventoryService


def create_app(
    config: Mapping[str, Any] | None = None,
    *,
    subscribers: Iterable[Subscriber] = (),
    clock: Callable[[], datetime] = utc_now,
) -> Flask:
    """Create an app with an empty inventory of its own.

    Args:
        config: settings of Flask, and two that override the environment: `INVENTORY_WEBHOOK_URL`,
            to which low-stock alerts are posted, and `INVENTORY_TOKENS`, which enables roles.
        subscribers: called with each version of each product, on one thread per subscriber.
        clock: returns the current time, aware and in UTC.

    Raises:
        SettingError: a setting is malformed; the message names it.
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # /products//a is a 404, not a redirect in HTML
    # One byte above the limit: Werkzeug truncates a chunked body here, and `read_body` rejects it.
    app.config.from_mapping(config, MAX_CONTENT_LENGTH=MAX_BODY + 1)
    # Remove both from the config: they may be secret.
    webhook_url = app.config.pop("INVENTORY_WEBHOOK_URL", os.environ.get("INVENTORY_WEBHOOK_URL"))
    tokens = app.config.pop("INVENTORY_TOKENS", os.environ.get("INVENTORY_TOKENS"))

    subscriptions = [Subscription(log_alert, select=low_stock_alerts)]
    if webhook_url is not None:
        webhook = Webhook(webhook_url, clock=clock)
        subscriptions.append(Subscription(webhook, select=low_stock_alerts))
    subscriptions += map(Subscription, subscribers)

    def publish(commit: Commit) -> None:
        for subscription in subscriptions:
            subscription.put(commit)

    repository = InMemoryProductRepository(publish=publish)
    app.extensions["inventory"] = InventoryService(repository, clock=clock, actor=current_actor)
    app.extensions["idempotency"] = IdempotencyKeys()

    if tokens is not None:
        app.before_request(make_authorizer(tokens))
    for module in (products, history, catalogue, batches, report, openapi):
        app.register_blueprint(module.blueprint)
    app.extensions["openapi"] = openapi.build_document(app, roles=tokens is not None)
    app.register_error_handler(Exception, error_response)
    return app
