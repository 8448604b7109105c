"""The way from a view to its app's service."""

from flask import current_app

from inventory.service import InventoryService


def current_service() -> InventoryService:
    """Return the service of the app that answers the present request."""
    service: InventoryService = current_app.extensions["inventory"]
    return service
