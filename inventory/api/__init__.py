"""The HTTP layer: blueprints and the helpers that they share. No business rules."""

from flask import current_app, has_request_context, request

from inventory.service import InventoryService

ACTOR = "inventory.actor"  # key of the caller's name in the WSGI environment


def current_service() -> InventoryService:
    """Return the service of the current app."""
    service: InventoryService = current_app.extensions["inventory"]
    return service


def current_actor() -> str | None:
    """Return the name of the caller, or None if roles are off or outside a request."""
    return request.environ.get(ACTOR) if has_request_context() else None
