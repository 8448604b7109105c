"""The OpenAPI document: statements that could be false although it is generated."""

import json
import re

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from inventory import create_app
from inventory.api.schemas import FIELDS
from tests.support import MAX

TOKENS = {"INVENTORY_TOKENS": "ann:admin:a,bob:manager:b"}
TYPES = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
COMPONENTS = "Name Sku Expiry StockStatus MovementType Lot Product Movement BatchItem BatchResult"
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
    "getProduct": [(200, None, ""), (404, None, "x"), (304, None, "")],
    "getStatus": [(200, None, ""), (404, None, "x")],
    "listProducts": [(200, None, "")],
    "bulkUpdate": [(200, {"updates": [ADD]}, ""), (404, {"updates": [{**ADD, "sku": "x"}]}, "")],
    "listMovements": [(200, None, ""), (404, None, "x")],
    "deleteProduct": [(204, None, ""), (404, None, "x")],
    "restoreProduct": [(200, None, ""), (404, None, "x"), (409, None, "")],
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


def violations(value, schema, document):
    """Yield the parts of a value that violate a schema, for the keywords that are used here."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if TYPES.get(type(value), "null") not in schema["type"] or value not in schema.get(
        "enum", [value]
    ):
        yield value
    elif "properties" in schema:
        yield from (
            set(schema["required"]) - value.keys() | value.keys() - schema["properties"].keys()
        )
        for name in value.keys() & schema["properties"].keys():
            yield from violations(value[name], schema["properties"][name], document)
    elif "items" in schema:
        for item in value:
            yield from violations(item, schema["items"], document)


@pytest.mark.parametrize("name", REQUESTS)
def test_responses_are_as_declared(client, laptop, document, operations, name):
    """A request produces each declared error that does not follow from the method."""
    path, method, operation = operations[name]
    produced = {"400", "412", "413", "422"}
    for status, body, product_id in REQUESTS[name]:
        if name == "restoreProduct":
            client.delete(f"/products/{laptop['id']}")
        if (name, status) == ("restoreProduct", 409):
            client.post("/products", json={"name": "Heir", "sku": "LTP-123"})
        url = path.format(id=product_id or laptop["id"])
        headers = {"If-None-Match": "*"} if status == 304 else {}

        response = client.open(url, method=method, json=body, headers=headers)

        assert response.status_code == status
        produced.add(str(status))
        declared = operation["responses"][str(status)]
        headers = declared.get("headers", {})
        assert {key for key in headers if headers[key]["required"]} <= set(response.headers.keys())
        for media_type, content in declared.get("content", {}).items():
            assert response.mimetype == media_type
            assert not [
                *violations(
                    response.json if response.is_json else response.text,
                    content["schema"],
                    document,
                )
            ]
    assert operation["responses"].keys() <= produced


def test_operation_ids_are_unique_and_references_resolve(document, operations):
    text = json.dumps(document)
    assert sorted(re.findall(r'"operationId": "(\w+)", "tags"', text)) == sorted(REQUESTS)
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "(.*?)"', text)) == schemas
    takers = {name for name, (path, *_) in operations.items() if "{id}" in path}
    assert operations["createProduct"][2]["responses"]["201"]["links"].keys() == takers


def test_the_document_uses_the_vocabulary_of_openapi_and_json_schema(document):
    text = json.dumps(document)
    components = document["components"]["schemas"].keys()
    assert components == {*COMPONENTS.split(), "StockChange", "Error"}
    keys = set(re.findall(r'"([\w$]+)": ', text)) - FIELDS.keys() - components - REQUESTS.keys()
    assert {key for key in keys if not key.isdigit()} <= set(VOCABULARY.split())
    for key, values in {
        "in": {"path", "query", "header"},
        "format": {"uuid", "date-time", "uri-reference"},
        "type": {*TYPES.values()},
    }.items():
        assert set(re.findall(rf'"{key}": "([^"]*)"', text)) == values


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
    assert (schema["required"], [*schema["properties"]]) == (
        ["quantity"],
        ["quantity", "expiresAt"],
    )
    assert schema["properties"]["quantity"].items() >= {"minimum": 1, "maximum": MAX}.items()
    assert [*operation["responses"]] == ["200", "400", "404", "412", "413", "422"]
    assert [*success["headers"]] == ["ETag", "Idempotency-Replayed"]
    assert success["content"]["application/json"]["schema"]["$ref"].endswith("/StockChange")
    sku, key = (FIELDS[name].get("pattern") for name in ("sku", "Idempotency-Key"))
    assert [bool(re.search(sku, text)) for text in ("Größe 7", "a\u200b")] == [True, False]
    assert [bool(re.search(key, text)) for text in ("k" * 255, "k k")] == [True, False]


def test_roles_add_security_401_and_403():
    client = create_app(TOKENS).test_client()
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
