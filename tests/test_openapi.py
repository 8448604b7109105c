"""The OpenAPI document is true of the running app, and says all of it."""

import inspect
import json
import re
from uuid import uuid4

import pytest

from inventory import create_app
from inventory.api.batches import ITEM_OPTIONAL, ITEM_REQUIRED
from inventory.models import MAX_QUANTITY, MovementType, StockStatus
from tests.support import ROOT, Clock

DOCUMENT = json.loads((ROOT / "inventory/api/openapi.json").read_text())
ID = DOCUMENT["components"]["parameters"]["Id"]["example"]
OTHER, KEY = {"json": {"name": "Other", "sku": "other"}}, {"header": {"Idempotency-Key": "k"}}
TOKENS = {"INVENTORY_TOKENS": "ann:admin:a,bob:manager:b"}
TYPES = {dict: "object", list: "array", str: "string", int: "integer", bool: "boolean"}
FORMATS = {"uuid": "[-0-9a-f]{36}", "uri-reference": "/.*", "date-time": "[-0-9]{10}T.*Z"}
TEXTS = ["k" * 255, "k" * 256, "", "/", "*", '"1"', '1"', "2099-12-01", "2099-12-01T00:00:00Z", ID]
IDS = []  # for the next products


def expanded(node):
    """A part of the document, with what each reference stands for put beside it."""
    if not isinstance(node, dict):
        return [*map(expanded, node)] if isinstance(node, list) else node
    target = DOCUMENT if "$ref" in node else {}
    for step in node.get("$ref", "").split("/")[1:]:
        target = target[step]
    return {key: expanded(value) for key, value in {**target, **node}.items()}


SCHEMAS = expanded(DOCUMENT["components"]["schemas"])
UPDATES = SCHEMAS["Update"]["oneOf"]
OPERATIONS = {}  # by their ids, in order
for path, item in expanded(DOCUMENT["paths"]).items():
    shared = item.pop("parameters", [])
    for method, operation in item.items():
        body = operation.get("requestBody", {"content": {"application/json": {}}})
        operation |= {"path": path, "method": method, "body": body["content"]["application/json"]}
        operation["parameters"] = shared + operation.get("parameters", [])
        OPERATIONS[operation["operationId"]] = operation


def samples(schema):
    """Values at a schema's bounds, past them, and of other forms, with whether it allows each."""
    if "anyOf" in schema:
        return [*dict(pair for part in reversed(schema["anyOf"]) for pair in samples(part)).items()]
    if "enum" in schema:
        return [("other", False), *((value, True) for value in schema["enum"])]
    if schema["type"] == "string" and not schema.keys() & {"minLength", "maxLength"}:
        pattern = FORMATS[schema["format"]] if "format" in schema else schema.get("pattern", ".*")
        return [(text, bool(re.fullmatch(pattern, text))) for text in TEXTS]
    update = {"productId": ID, "operation": "add", "quantity": 1}
    make = {"string": "k".__mul__, "array": [update].__mul__}.get(schema["type"], int)
    least, most = (-(10**50), 10**50) if make is int else (0, 2000)
    for kind in ("imum", "Length", "Items"):
        least, most = schema.get(f"min{kind}", least), schema.get(f"max{kind}", most)
    sizes = (least - 1, False), (most + 1, False), (least, True), (most, True)
    return [(make(size), allowed) for size, allowed in sizes]


def ask(client, name, token="a", **changes):
    """Send the example of a request, perhaps with another body, query, header or path."""
    operation = OPERATIONS[name]
    sent = {"query": {}, "header": {}, "path": {}, "json": operation["body"].get("example")}
    for each in (each for each in operation["parameters"] if "example" in each):
        sent[each["in"]][each["name"]] = each["example"]
    sent |= changes
    given = {"query_string": sent["query"], "json": sent["json"], "method": operation["method"]}
    headers = {"Authorization": f"Bearer {token}", **sent["header"]}
    return client.open(operation["path"].format(**sent["path"]), headers=headers, **given)


@pytest.fixture(autouse=True)
def _the_first_product_has_the_id_of_the_examples(monkeypatch):
    monkeypatch.setattr("inventory.models.uuid4", lambda: IDS.pop() if IDS else uuid4())


def begin(until="createProduct", **settings):
    """Return a client of an app that was sent the examples which come before one."""
    IDS[:] = [ID]
    client = create_app(settings, clock=Clock()).test_client()
    for name in [*OPERATIONS][: [*OPERATIONS].index(until)]:
        ask(client, name)
    return client


def test_views_declare_what_is_described(routes):
    rules = [rule.methods - {"HEAD", "OPTIONS"} for rule in routes.url_map.iter_rules()]
    assert sum(map(len, rules)) == len([o for o in OPERATIONS.values() if o["summary"]])
    for name, operation in OPERATIONS.items():
        endpoint, _ = routes.url_map.bind("").match(operation["path"], operation["method"].upper())
        view = routes.view_functions[endpoint]
        assert re.sub("([A-Z])", r"_\1", name).lower() == view.__name__
        given = inspect.signature(view).parameters
        told = [each for each in operation["parameters"] if each["in"] == "query"]
        query = {each["name"]: each["schema"].get("default") for each in told}
        assert query.keys() == getattr(view, "query_parsers", {}).keys()
        assert all(query[key] == given[key].default for key in query if key in given)
        required, optional = getattr(view, "body_fields", ((), {}))
        schema = operation["body"].get("schema", {"required": [], "properties": {}})
        fields = {key: field.get("default") for key, field in schema["properties"].items()}
        assert (schema["required"], fields) == ([*required], dict.fromkeys(required) | optional)
    assert set.intersection(*(set(each["required"]) for each in UPDATES)) == {*ITEM_REQUIRED}
    links = OPERATIONS["createProduct"]["responses"]["201"]["links"].keys() | {"restoreProduct"}
    assert links == {name for name, each in OPERATIONS.items() if "{id}" in each["path"]}
    fields = {key for each in UPDATES for key in each["properties"]}
    assert fields == {*ITEM_REQUIRED, *ITEM_OPTIONAL}
    assert SCHEMAS["MovementType"]["enum"] == [*MovementType]
    assert SCHEMAS["StockStatus"]["enum"] == [*StockStatus]


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_sent_is_judged_as_described(name):
    """A value is accepted at a bound, and refused past it, of another form, or left out."""
    for each in OPERATIONS[name]["parameters"]:
        for value, allowed in samples(each["schema"]):
            answer = ask(begin(name), name, **{each["in"]: {each["name"]: value}})
            assert allowed == (answer.status_code not in (400, 404)), answer.request
    schema = OPERATIONS[name]["body"].get("schema")
    for judge in [] if not schema else [schema, *UPDATES] if name == "bulkUpdate" else [schema]:
        assert judge["additionalProperties"] is False
        fields = {key: samples(field) for key, field in judge["properties"].items()}
        sound = {key: fields[key][-1][0] for key in fields if key != "expiresAt"}
        sent = [(sound | {key: value}, ok) for key in fields for value, ok in fields[key]]
        sent += [({k: sound[k] for k in sound if k != key}, False) for key in judge["required"]]
        for body, allowed in sent:
            client, sku = begin(), "other" if name == "createProduct" else body.get("sku", "k")
            stock = MAX_QUANTITY if "reduce" in name + str(body) else 0
            ask(client, "createProduct", json={"name": "k", "sku": sku, "stock": stock})
            answer = ask(client, name, json={"updates": [body]} if judge in UPDATES else body)
            assert allowed == (answer.status_code < 300), (body, answer.text)


@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_are_as_listed_and_shown(name):
    """An example is answered as shown, and what is spoiled in any way as listed."""
    spoiled = [{}, {"query": {"unknown": 1}}, {"json": None}, {"json": {"unknown": 1}}]
    spoiled += [{"json": "k" * 2**20}, {"header": {"If-Match": '"0"', "If-None-Match": "*"}}]
    answers = [*(ask(begin(name), name, **change) for change in spoiled), ask(begin(), name)]
    before = [(name, {}), (name, KEY), ("createProduct", {}), ("createProduct", KEY | OTHER)]
    for first, way in before:
        client = begin(name)
        ask(client, first, **way)
        answers.append(ask(client, name, **KEY if way else {}))
    told = OPERATIONS[name]["responses"]
    assert {str(answer.status_code) for answer in answers} == told.keys()
    for status, response in told.items():
        sent = [dict(each.headers) for each in answers if str(each.status_code) == status]
        headers = response.get("headers", {})
        assert headers.keys() == set().union(*sent) - {"Content-Type", "Content-Length"}
        for key, header in headers.items():
            values = [given[key] for given in sent if key in given]
            assert (len(values) == len(sent)) == header.get("required", False)
            assert header["schema"]["type"] == ("boolean" if "true" in values else "string")
    statuses = {"If-Match": "412", "If-None-Match": "304", "Idempotency-Key": "422"}
    headers = {each["name"] for each in OPERATIONS[name]["parameters"] if each["in"] == "header"}
    assert headers == {header for header in statuses if statuses[header] in told}
    success, given = told[min(told)], answers[0].json if answers[0].is_json else answers[0].text
    shown = [media.get("example") for media in success.get("content", {}).values()]
    assert name == "getDocument" or json.dumps(shown or [""]) == json.dumps([given])
    for link, target in success.get("links", {}).items():
        [(parameter, source)] = target["parameters"].items()
        value = ID if source == "$request.path.id" else given
        for step in source.split("/")[1:]:
            value = value[int(step)] if step.isdigit() else value[step]
        leads = [(link, "id", ID), (name, "cursor", None)]
        assert (target["operationId"], parameter, value) in leads


def test_answers_are_all_that_their_schemas_say():
    """The union of answers' keys is what is described, and their intersection is required."""
    found, seen = [], {}
    for name, operation in OPERATIONS.items():
        for client in begin(), begin(name), begin(name, **TOKENS):
            ask(client, "createProduct", **OTHER)
            answer = ask(client, name, **{"query": {"limit": 1}} if name == "listProducts" else {})
            if answer.is_json:
                content = operation["responses"][str(answer.status_code)]["content"]
                found.append((content["application/json"]["schema"], answer.json, name))
    for schema, value, place in found:  # which grows by what is within
        key = schema.get("$ref", place) if type(value) is dict else place
        seen.setdefault(key, (schema, []))[1].append(value)
        if type(value) is dict:
            known = schema.get("properties", {}).items()
            found += [(part, value[n], f"{key} {n}") for n, part in known if n in value]
        elif type(value) is list:
            found += [(schema["items"], each, key) for each in value]
    for place, (schema, values) in seen.items():
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        assert {*types} == {TYPES.get(type(value), "null") for value in values}, place
        assert types != ["array"] or schema["maxItems"] == 1000
        if types == ["object"]:
            keys, fields = [set(value) for value in values], set(schema.get("properties", ()))
            assert set.intersection(fields, *keys) == set(schema.get("required", ())), place
            assert (set.union(*keys) == fields) != schema["additionalProperties"], place
        forms = [k for k in FORMATS if all(re.fullmatch(FORMATS[k], str(v)) for v in values if v)]
        assert forms == [schema[key] for key in ("format",) if key in schema], place


@pytest.mark.parametrize("settings", [{}, TOKENS])
def test_the_served_document_is_the_file_and_tells_of_roles(settings):
    """It names the server that was asked and, where roles are on, what others than admins get."""
    answer = ask(begin(**settings), "getDocument")
    served = answer.json
    assert answer.text == json.dumps(served, indent=2) + "\n"
    assert settings or served == DOCUMENT | {"servers": [{"url": "http://localhost"}]}
    assert served["security"] == [{"bearer": []}] * len(settings)
    for name, operation in OPERATIONS.items():
        told = served["paths"][operation["path"]][operation["method"]]["responses"].keys()
        got = {str(ask(begin(name, **settings), name, t).status_code) for t in ("", "b")}
        assert got & {"401", "403"} == told & {"401", "403"}
    kinds = served["components"].items()
    parts = {f"#/components/{k}/{n}": str(part) for k, kind in kinds for n, part in kind.items()}
    references = {*re.findall(r'"\$ref": "(.*?)"', answer.text)}
    assert parts.keys() - {"#/components/securitySchemes/bearer"} == references
    assert len(parts) == len({*parts.values()})
