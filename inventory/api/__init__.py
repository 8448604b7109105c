"""HTTP in, HTTP out: no rule of the business lives here."""

from flask import current_app, has_request_context, request

from inventory.service import InventoryService

ACTOR = "inventory.actor"  # where the WSGI environment has the caller's name, if it is known


def current_service() -> InventoryService:
    """Return the service of the app that answers the present request."""
    service: InventoryService = current_app.extensions["inventory"]
    return service


def current_actor() -> str | None:
    """Return the name of the caller, or None if roles are off or outside a request."""
    return request.environ.get(ACTOR) if has_request_context() else None
