"""The root, and the contract as an OpenAPI 3.1 document, which is generated from the endpoints."""

import json
import re
import sys
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request
from werkzeug.routing import Rule

from inventory.api.endpoint import Endpoint, endpoint
from inventory.api.responses import json_response
from inventory.api.roles import MANAGER_ENDPOINTS
from inventory.api.schemas import ERROR, FIELDS, Schema

blueprint = Blueprint("openapi", __name__)

_HOST = re.compile(r"([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?", re.ASCII)
_REASONS = {
    304: "The product is at a version that `If-None-Match` names.",
    400: "The body, a field, a header or a query parameter violates a rule, or stock is short.",
    401: "The token is missing or unknown.",
    403: "The role does not permit it.",
    404: "No such product, or it is deleted; for a restore, no deleted product has this id.",
    409: "Another product has this SKU, by canonical caseless matching.",
    412: "The version of the product does not match `If-Match`.",
    413: "The body is larger than 1 MiB.",
    422: "The `Idempotency-Key` was already used with a different request.",
}


@blueprint.get("/")
@endpoint(
    response={
        "type": "object",
        "additionalProperties": {"type": "string", "format": "uri-reference"},
    }
)
def get_root() -> Response:
    """Get the paths to start from."""
    paths = {
        "products": "/products",
        "report": "/reports/inventory.csv",
        "openapi": "/openapi.json",
    }
    return json_response({name: request.root_path + path for name, path in paths.items()})


@blueprint.get("/openapi.json")
@endpoint(response={"type": "object"})
def get_document() -> Response:
    """Get this OpenAPI document, with the address of this server."""
    host, url = request.environ.get("HTTP_HOST", ""), request.root_path or "/"
    if _HOST.fullmatch(host):
        url = f"{request.scheme}://{host}{request.root_path}"
    document = current_app.extensions["openapi"] | {"servers": [{"url": url}]}
    return Response(json.dumps(document, indent=2) + "\n", content_type="application/json")


def build_document(app: Flask, *, roles: bool) -> dict[str, Any]:
    """Return the document of an app with all of its blueprints, without `servers`."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if isinstance(view, Endpoint):
            path = paths.setdefault(rule.rule.replace("<product_id>", "{id}"), {})
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                path[method.lower()] = _operation(rule, method, view, roles=roles)
    operations = [operation for path in paths.values() for operation in path.values()]
    _add_links(operations)
    schemas: dict[str, Schema] = {}
    bearer = {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inventory API",
            "version": "1.0.0",
            "summary": "Products and their stock, with atomic changes.",
            "description": "Integers are exact up to 10^38 - 1. A client that parses numbers as "
            "floating point loses precision above 2^53.",
            "contact": {"name": "The operator of this server"},
            "license": {"name": "No license", "identifier": "LicenseRef-None"},
        },
        "security": [{"bearer": []}] if roles else [],
        "tags": [
            {"name": name, "description": str(sys.modules[each.import_name].__doc__).split("\n")[0]}
            for name, each in app.blueprints.items()
        ],
        "paths": _extract_schemas(paths, schemas),
        "components": {"schemas": schemas} | (bearer if roles else {}),
    }


def _operation(rule: Rule, method: str, view: Endpoint, *, roles: bool) -> dict[str, Any]:
    is_change, is_conditional = view.body is not None, method in ("PUT", "DELETE")
    is_cacheable = view.versioned and not is_change
    parameters = [_parameter("id", "path", FIELDS["id"])] if rule.arguments else []
    parameters += [_parameter(n, "query", field) for n, field in view.query["properties"].items()]
    request_headers = {
        "If-Match": is_conditional,
        "If-None-Match": is_cacheable,
        "Idempotency-Key": is_change,
    }
    parameters += [
        _parameter(n, "header", FIELDS[n]) for n, used in request_headers.items() if used
    ]
    response_headers = {
        "ETag": view.versioned,
        "Location": view.status == HTTPStatus.CREATED,
        "Content-Disposition": view.media_type == "text/csv",
        "Idempotency-Replayed": is_change,
    }
    success = {"description": HTTPStatus(view.status).phrase, "headers": _headers(response_headers)}
    if view.response:
        success["content"] = {view.media_type: {"schema": view.response}}
    errors = {
        304: is_cacheable,
        400: True,
        401: roles,
        403: roles and rule.endpoint not in MANAGER_ENDPOINTS,
        404: bool(rule.arguments),
        412: is_conditional,
        413: is_change,
        422: is_change,
    } | dict.fromkeys(view.errors, True)
    name, *words = view.view.__name__.split("_")
    summary, _, description = (view.__doc__ or "").partition("\n\n")
    operation = {
        "operationId": name + "".join(map(str.capitalize, words)),
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": summary.rstrip("."),
        "description": " ".join(description.split()) or summary,
        "parameters": parameters,
        "responses": {
            str(view.status): success,
            **{str(status): _error(status) for status, used in sorted(errors.items()) if used},
        },
    }
    if view.body and view.body["properties"]:
        content = {"application/json": {"schema": view.body}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": schema["description"],
        "schema": schema,
    }


def _headers(used: dict[str, bool]) -> dict[str, Any]:
    return {
        name: {
            "description": FIELDS[name]["description"],
            "required": name != "Idempotency-Replayed",
            "schema": FIELDS[name],
        }
        for name in used
        if used[name]
    }


def _error(status: int) -> dict[str, Any]:
    is_cached, is_anonymous = status == HTTPStatus.NOT_MODIFIED, status == HTTPStatus.UNAUTHORIZED
    return {
        "description": _REASONS[status],
        "headers": _headers({"ETag": is_cached, "WWW-Authenticate": is_anonymous}),
        "content": {} if is_cached else {"application/json": {"schema": ERROR}},
    }


def _add_links(operations: list[dict[str, Any]]) -> None:
    """Link each response with a product's id as a field to the operations that take one."""
    targets = [
        each["operationId"]
        for each in operations
        if any(parameter["in"] == "path" for parameter in each["parameters"])
    ]
    for operation in operations:
        success = next(iter(operation["responses"].values()))
        for media in success.get("content", {}).values():
            for name in {"id", "productId"} & media["schema"].get("properties", {}).keys():
                parameters = {"id": f"$response.body#/{name}"}
                success["links"] = {
                    target: {"operationId": target, "parameters": parameters} for target in targets
                }


def _extract_schemas(node: Any, schemas: dict[str, Schema]) -> Any:
    """Return a copy in which titled schemas are references to `schemas`, which collects them."""
    if isinstance(node, list):
        return [_extract_schemas(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    extracted = {key: _extract_schemas(value, schemas) for key, value in node.items()}
    if "title" not in node or "type" not in node:
        return extracted
    schemas[node["title"]] = extracted
    return {"$ref": f"#/components/schemas/{node['title']}"}
