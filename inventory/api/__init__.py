"""HTTP in, HTTP out: no rule of the business lives here."""

from collections.abc import Callable

from flask import Response, current_app, request

from inventory.service import InventoryService

View = Callable[..., Response]

ACTOR = "inventory.actor"  # where the WSGI environment has the caller's name, if it is known


def current_service() -> InventoryService:
    """Return the service of the app that answers the present request."""
    service: InventoryService = current_app.extensions["inventory"]
    return service


def current_actor() -> str | None:
    """Return the name of the present request's caller, or None where callers have no names."""
    name: str | None = request.environ.get(ACTOR)
    return name
