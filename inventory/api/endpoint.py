"""Endpoints: each view declares its requests and responses once, next to its route."""

from collections.abc import Callable, Collection
from dataclasses import KW_ONLY, dataclass, field
from functools import partial, update_wrapper
from typing import Any

from flask import Response, request

from inventory.api.idempotency import execute_with_key
from inventory.api.parsing import (
    expected_versions,
    matches_if_none_match,
    parse_body,
    parse_query,
    read_body,
    reject_if_match,
)
from inventory.api.schemas import Schema, object_of


@dataclass
class Endpoint:
    """A view with its declaration, from which requests are parsed and the contract is generated.

    An endpoint with a `body` is a change: it accepts an `Idempotency-Key`, and an `If-Match` if
    its method is PUT or DELETE. The view is called with the variables of its path and

    - each query parameter by its name,
    - `body`: the fields of the body, unless none are declared,
    - `expected`: the versions that `If-Match` names, for PUT and DELETE.

    Attributes:
        view: the view function.
        response: schema of the response body, or None if it is empty.
        status: status of a successful response; 201 implies a `Location`.
        body: schema of the request body, or None for GET.
        query: schema of the query parameters, as fields of an object.
        errors: statuses that do not follow from the rest of the declaration.
        versioned: the response has an `ETag`, and GET accepts `If-None-Match`.
        media_type: media type of the response.
    """

    view: Callable[..., Response]
    _: KW_ONLY
    response: Schema | None
    status: int = 200
    body: Schema | None = None
    query: Schema = field(default_factory=object_of)
    errors: Collection[int] = ()
    versioned: bool = False
    media_type: str = "application/json"

    def __post_init__(self) -> None:
        update_wrapper(self, self.view)

    def __call__(self, **arguments: Any) -> Response:
        """Parse the request, then call the view or replay a stored response."""
        if self.query["properties"] or request.environ.get("QUERY_STRING"):
            arguments |= parse_query(self.query)
        if self.body is None:
            response = self.view(**arguments)
            if self.versioned and matches_if_none_match(response.headers["ETag"]):
                response.status_code = 304  # Werkzeug sends no body with it
            return response
        if request.method == "POST":
            reject_if_match()
        else:
            arguments["expected"] = expected_versions()
        schema, body = self.body, read_body()

        def execute() -> Response:
            if fields := parse_body(body, schema):
                arguments["body"] = fields
            return self.view(**arguments)

        if "HTTP_IDEMPOTENCY_KEY" in request.environ:
            return execute_with_key(body, execute)
        return execute()


def endpoint(**declaration: Any) -> Callable[[Callable[..., Response]], Endpoint]:
    """Return a decorator that makes a view an `Endpoint` with these attributes."""
    return partial(Endpoint, **declaration)
