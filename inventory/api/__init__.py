"""HTTP in, HTTP out: no rule of the business lives here."""

from collections.abc import Callable

from flask import current_app
from flask.typing import ResponseReturnValue

from inventory.service import InventoryService

View = Callable[..., ResponseReturnValue]


def current_service() -> InventoryService:
    """Return the service of the app that answers the present request."""
    service: InventoryService = current_app.extensions["inventory"]
    return service
