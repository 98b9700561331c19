"""Sending a document that is not meant to run, and reading the errors that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runql.drift.server_errors.error_findings import ServerError
from runql.transport.codec import answer_error
from runql.transport.flow import Flow, Send
from runql.transport.retry import is_server_failure
from runql.transport.wire import Response
from runql.values import JSONValue, parse_json
from runql_graphql.operation import Operation


@dataclass(frozen=True, slots=True)
class GraphQLResponse:
    """A GraphQL parsed, taken apart.

    Attributes:
        errors: what the server complains of.
        data: what it answers, None when nothing.
        is_graphql: whether it is a GraphQL parsed at all.
        status: the HTTP status.
    """

    errors: tuple[ServerError, ...]
    data: JSONValue
    is_graphql: bool
    status: int


def send_document(text: str, operation: str, *, fail_fast: bool = False) -> Flow[GraphQLResponse]:
    """Send a document with the name of one of its operations, and no variables.

    It is sent as a query whatever stands in it: nothing of it runs, so that repeating it does no harm.

    Raises:
        AnswerError: the server refuses to look at it (401, 403, 429), or fails (unless ``fail_fast``).
        TransportError: nothing usable arrived.
    """
    sent = Operation(operation, "query", text, {}, object)
    response = yield Send(sent, spare_server=fail_fast)
    if response is None:
        raise TypeError("the driver replied None where a response was due")
    failed = is_server_failure(response.status) and not fail_fast
    if response.status in {401, 403, 429} or failed:
        raise answer_error(operation, response)
    return parse_response(response)


def parse_response(response: Response) -> GraphQLResponse:
    """Take an parsed apart; both 200 and 400 carry GraphQL errors."""
    try:
        body = parse_json(response.showable)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return GraphQLResponse((), None, is_graphql=False, status=response.status)
    errors = body.get("errors")
    entries = errors if isinstance(errors, list) else []
    is_graphql = isinstance(errors, list) or "data" in body
    return GraphQLResponse(
        tuple(_error(each) for each in entries), body.get("data"), is_graphql, response.status
    )


def _error(entry: JSONValue) -> ServerError:
    if not isinstance(entry, dict):
        return ServerError(str(entry))
    locations = entry.get("locations")
    return ServerError(
        str(entry.get("message", entry)),
        tuple(_location(each) for each in locations if isinstance(each, dict))
        if isinstance(locations, list)
        else (),
    )


def _location(entry: Mapping[str, JSONValue]) -> tuple[int, int]:
    line, column = entry.get("line"), entry.get("column")
    return (line if isinstance(line, int) else 0), (column if isinstance(column, int) else 0)


def fetch_data(document: str, operation: str, variables: Mapping[str, JSONValue]) -> Flow[JSONValue]:
    """Run a query and give its data as it came, without a model.

    Raises:
        AnswerError: the server refuses, fails or reports errors.
        TransportError: nothing usable arrived.
    """
    response = yield Send(Operation(operation, "query", document, variables, object))
    if response is None:
        raise TypeError("the driver replied None where a response was due")
    parsed = parse_response(response)
    if response.status != 200 or parsed.errors or parsed.data is None:
        raise answer_error(operation, response)
    return parsed.data
