"""The OpenAPI document: statements that could be false although it is generated."""

import json
import re

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from inventory import create_app
from inventory.api.schemas import FIELDS
from inventory.models import MovementType, StockStatus
from tests.support import MAX

TYPES = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
VOCABULARY = """
    $ref additionalProperties anyOf components contact content default delete description enum
    examples format get headers identifier in info items license links maxItems maxLength maximum
    minItems minLength minimum name openapi operationId parameters paths pattern post properties
    put required requestBody responses schema schemas security servers summary tags title type
    url version
"""
OPERATIONS = """
    createProduct addStock reduceStock getProduct getStatus listProducts bulkUpdate listMovements
    deleteProduct restoreProduct inventoryReport getRoot getDocument
"""
BODIES = {
    "createProduct": {"name": "P", "sku": "P", "stock": 1, "expiresAt": "2099-12-01T00:00:00Z"},
    "addStock": {"quantity": 1},
    "reduceStock": {"quantity": 1},
    "bulkUpdate": {"updates": [{"sku": "LTP-123", "operation": "add", "quantity": 1}]},
}


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


@pytest.mark.parametrize("name", OPERATIONS.split())
def test_a_successful_response_is_as_declared(client, laptop, document, operations, name):
    path, method, operation = operations[name]
    status, declared = next(iter(operation["responses"].items()))
    if name == "restoreProduct":
        client.delete(f"/products/{laptop['id']}")

    response = client.open(path.format(id=laptop["id"]), method=method, json=BODIES.get(name))

    assert response.status_code == int(status)
    required = {key for key, header in declared["headers"].items() if header["required"]}
    assert required <= {*response.headers.keys()}
    assert ("ETag" in declared["headers"]) == ("ETag" in response.headers)
    for media_type, content in declared.get("content", {}).items():
        assert response.mimetype == media_type
        value = response.json if response.is_json else response.text
        assert is_valid(value, content["schema"], document)


def test_errors_are_declared_where_they_occur(client, document, operations):
    def declaring(status):
        return {name for name in operations if status in operations[name][2]["responses"]}

    with_id = {name for name, (path, *_) in operations.items() if "{id}" in path}
    assert declaring("401") == declaring("403") == set()  # roles are off
    assert declaring("304") == {"getProduct"}
    assert declaring("404") == {*with_id, "bulkUpdate"}
    assert declaring("409") == {"createProduct", "restoreProduct"}
    declared = operations["getProduct"][2]["responses"]["404"]["content"]["application/json"]
    assert is_valid(client.get("/products/x").json, declared["schema"], document)


def test_operation_ids_are_unique_and_references_resolve(document, operations):
    text = json.dumps(document)
    assert sorted(re.findall(r'"operationId": "(\w+)", "tags"', text)) == sorted(OPERATIONS.split())
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert {each.rpartition("/")[2] for each in schemas} >= {"Name", "Sku", "Expiry", "Product"}
    assert set(re.findall(r'"\$ref": "(.*?)"', text)) == schemas
    takers = {name for name, (path, *_) in operations.items() if "{id}" in path}
    assert operations["createProduct"][2]["responses"]["201"]["links"].keys() == takers


def test_the_document_uses_the_vocabulary_of_openapi_and_json_schema(document):
    keys = {*re.findall(r'"([a-zA-Z$]+)": ', json.dumps(document))}
    names = FIELDS.keys() | {*OPERATIONS.split()} | document["components"]["schemas"].keys()
    assert keys - names <= {*VOCABULARY.split()}


def test_add_stock_is_described_in_full(operations):
    path, method, operation = operations["addStock"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    success = operation["responses"]["200"]

    assert (path, method) == ("/products/{id}/add", "put")
    assert operation["summary"] == "Add units to the stock of a product"
    assert [(p["name"], p["in"], p["required"]) for p in operation["parameters"]] == [
        ("id", "path", True),
        ("If-Match", "header", False),
        ("Idempotency-Key", "header", False),
    ]
    assert (schema["required"], schema["additionalProperties"]) == (["quantity"], False)
    assert schema["properties"]["quantity"].items() >= {"minimum": 1, "maximum": MAX}.items()
    assert [*operation["responses"]] == ["200", "400", "404", "412", "413", "422"]
    assert [*success["headers"]] == ["ETag", "Idempotency-Replayed"]
    assert success["content"]["application/json"]["schema"]["$ref"].endswith("/StockChange")


def test_enumerations_list_the_accepted_values():
    assert FIELDS["operation"]["enum"] == ["add", "reduce"]
    assert FIELDS["status"]["enum"] == [*StockStatus]
    assert FIELDS["type"]["enum"] == [*MovementType]


def test_the_pattern_of_a_sku_matches_printable_characters():
    pattern = FIELDS["sku"]["pattern"]

    assert re.search(pattern, "Größe 7")
    assert not re.search(pattern, "a\u200b")


def test_roles_add_security_401_and_403():
    client = create_app({"INVENTORY_TOKENS": "bob:manager:b"}).test_client()
    document = client.get("/openapi.json", headers={"Authorization": "Bearer b"}).json

    create, reduce = (document["paths"][f"/products{rest}"] for rest in ("", "/{id}/reduce"))
    assert document["security"] == [{"bearer": []}]
    assert {"401", "403"} <= create["post"]["responses"].keys()
    assert [*create["post"]["responses"]["401"]["headers"]] == ["WWW-Authenticate"]
    assert {"401", "403"} & reduce["put"]["responses"].keys() == {"401"}


@pytest.mark.parametrize(
    ("host", "url"),
    [("xn--a", "http://xn--a/api"), ("[::1]:5000", "http://[::1]:5000/api"), ("a/b", "/api")],
)
def test_the_server_has_the_address_of_the_request(app, host, url):
    environ = EnvironBuilder(path="/openapi.json").get_environ()

    body, *_ = run_wsgi_app(app, {**environ, "HTTP_HOST": host, "SCRIPT_NAME": "/api"})

    assert json.loads(b"".join(body))["servers"] == [{"url": url}]
