"""The contract for machines, and the root that leads to it."""

import json
from typing import Any

from flask import Blueprint, Response, current_app, request

from inventory.api import current_actor
from inventory.api.answers import json_response
from inventory.api.roles import MANAGERS_MAY

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/")
def get_root() -> Response:
    """Show where to begin."""
    paths = {
        "products": "/products",
        "report": "/reports/inventory.csv",
        "openapi": "/openapi.json",
    }
    return json_response({name: request.root_path + path for name, path in paths.items()})


@blueprint.get("/openapi.json")
def get_document() -> Response:
    """Show the contract as an OpenAPI 3.1 document, with the address of this server."""
    with blueprint.open_resource("openapi.json") as file:
        document = json.load(file)
    document["servers"] = [{"url": request.root_url.rstrip("/")}]
    if current_actor() is not None:
        _add_roles(document)
    return Response(json.dumps(document, indent=2) + "\n", content_type="application/json")


def _add_roles(document: dict[str, Any]) -> None:
    """Say who may do what, as the table of roles has it."""
    document["security"] = [{"bearer": []}]
    components = document["components"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    challenge = {"description": "Bearer", "required": True, "schema": {"type": "string"}}
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    components["responses"] |= {
        "Unauthorized": {
            "description": "The token is missing or unknown.",
            "headers": {"WWW-Authenticate": challenge},
            "content": refusal,
        },
        "Forbidden": {"description": "The role does not allow it.", "content": refusal},
    }
    routes = current_app.url_map.bind("")
    for path, operations in document["paths"].items():
        for method in operations.keys() - {"parameters"}:
            responses = operations[method]["responses"]
            responses["401"] = {"$ref": "#/components/responses/Unauthorized"}
            endpoint, _ = routes.match(path, method.upper())
            if endpoint not in MANAGERS_MAY:
                responses["403"] = {"$ref": "#/components/responses/Forbidden"}
