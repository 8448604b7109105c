"""The OpenAPI document: statements that could be false although it is generated."""

import json
import re

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from inventory import create_app
from inventory.api.schemas import FIELDS
from tests.support import MAX

TYPES = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
VOCABULARY = """
    $ref additionalProperties anyOf components contact content default delete description enum
    examples format get headers identifier in info items license links maxItems maxLength maximum
    minItems minLength minimum name openapi operationId parameters paths pattern post properties
    put required requestBody responses schema schemas security servers summary tags title type
    url version
"""
ADD = {"sku": "LTP-123", "operation": "add", "quantity": 1}
PRODUCT = {"name": "Phone", "sku": "PHN-7", "stock": 1, "expiresAt": "2099-12-01T00:00:00Z"}
REQUESTS = {
    "createProduct": [(201, PRODUCT, ""), (409, {"name": "Other", "sku": "ltp-123"}, "")],
    "addStock": [(200, {"quantity": 1}, ""), (404, {"quantity": 1}, "x")],
    "reduceStock": [(200, {"quantity": 1}, ""), (404, {"quantity": 1}, "x")],
    "getProduct": [(200, None, ""), (404, None, "x")],
    "getStatus": [(200, None, ""), (404, None, "x")],
    "listProducts": [(200, None, "")],
    "bulkUpdate": [(200, {"updates": [ADD]}, ""), (404, {"updates": [{**ADD, "sku": "x"}]}, "")],
    "listMovements": [(200, None, ""), (404, None, "x")],
    "deleteProduct": [(204, None, ""), (404, None, "x")],
    "restoreProduct": [(200, None, ""), (404, None, "x")],
    "inventoryReport": [(200, None, "")],
    "getRoot": [(200, None, "")],
    "getDocument": [(200, None, "")],
}
"""For each operation: the status, the body of the request, and the id if it is not the laptop's."""


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


@pytest.fixture
def operations(document):
    """The operations by id, each with its path and method."""
    items = [(path, *each) for path, item in document["paths"].items() for each in item.items()]
    return {item[2]["operationId"]: item for item in items}


def is_valid(value, schema, document):
    """Return whether a value satisfies a schema: references, types, enums and properties."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    items, fields = schema.get("items"), schema.get("properties")
    return (
        TYPES.get(type(value), "null") in schema["type"]
        and value in schema.get("enum", [value])
        and (not items or all(is_valid(item, items, document) for item in value))
        and (not fields or {*schema["required"]} <= value.keys() <= fields.keys())
        and (not fields or all(is_valid(value[name], fields[name], document) for name in value))
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_responses_are_as_declared(client, laptop, document, operations, name):
    """The requests produce each declared status that does not follow from the method."""
    path, method, operation = operations[name]
    if name == "restoreProduct":
        client.delete(f"/products/{laptop['id']}")
    for status, body, product_id in REQUESTS[name]:
        url = path.format(id=product_id or laptop["id"])

        response = client.open(url, method=method, json=body)

        assert response.status_code == status
        declared = operation["responses"][str(status)]
        required = {key for key, header in declared["headers"].items() if header["required"]}
        assert required <= {*response.headers.keys()}
        for media_type, content in declared.get("content", {}).items():
            assert response.mimetype == media_type
            value = response.json if response.is_json else response.text
            assert is_valid(value, content["schema"], document)
    produced = {str(status) for status, *_ in REQUESTS[name]}
    assert operation["responses"].keys() - produced <= {"304", "400", "409", "412", "413", "422"}


def test_operation_ids_are_unique_and_references_resolve(document, operations):
    text = json.dumps(document)
    assert sorted(re.findall(r'"operationId": "(\w+)", "tags"', text)) == sorted(REQUESTS)
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "(.*?)"', text)) == schemas
    takers = {name for name, (path, *_) in operations.items() if "{id}" in path}
    assert operations["createProduct"][2]["responses"]["201"]["links"].keys() == takers


def test_the_document_uses_the_vocabulary_of_openapi_and_json_schema(document):
    keys = {*re.findall(r'"([a-zA-Z$]+)": ', json.dumps(document))}
    names = FIELDS.keys() | REQUESTS.keys() | document["components"]["schemas"].keys()
    assert keys - names <= {*VOCABULARY.split()}


def test_add_stock_is_described_in_full(operations):
    path, method, operation = operations["addStock"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    success = operation["responses"]["200"]

    assert (path, method) == ("/products/{id}/add", "put")
    assert operation["summary"] == "Add units to the stock of a product"
    assert operation["description"].startswith("Units with an `expiresAt` form a lot, of which")
    assert [(p["name"], p["in"], p["required"]) for p in operation["parameters"]] == [
        ("id", "path", True),
        ("If-Match", "header", False),
        ("Idempotency-Key", "header", False),
    ]
    assert schema["required"] == ["quantity"]
    assert [*schema["properties"]] == ["quantity", "expiresAt"]
    assert schema["properties"]["quantity"].items() >= {"minimum": 1, "maximum": MAX}.items()
    assert [*operation["responses"]] == ["200", "400", "404", "412", "413", "422"]
    assert [*success["headers"]] == ["ETag", "Idempotency-Replayed"]
    assert success["content"]["application/json"]["schema"]["$ref"].endswith("/StockChange")


def test_roles_add_security_401_and_403():
    client = create_app({"INVENTORY_TOKENS": "bob:manager:b"}).test_client()
    document = client.get("/openapi.json", headers={"Authorization": "Bearer b"}).json

    create, reduce = (document["paths"][f"/products{rest}"] for rest in ("", "/{id}/reduce"))
    assert document["security"] == [{"bearer": []}]
    assert {"401", "403"} <= create["post"]["responses"].keys()
    assert {"401", "403"} & reduce["put"]["responses"].keys() == {"401"}


@pytest.mark.parametrize(
    ("host", "url"),
    [("xn--a", "http://xn--a/api"), ("[::1]:5000", "http://[::1]:5000/api"), ("a/b", "/api")],
)
def test_the_server_has_the_address_of_the_request(app, host, url):
    environ = EnvironBuilder(path="/openapi.json").get_environ()
    environ |= {"HTTP_HOST": host, "SCRIPT_NAME": "/api"}

    body, *_ = run_wsgi_app(app, environ)

    assert json.loads(b"".join(body))["servers"] == [{"url": url}]
