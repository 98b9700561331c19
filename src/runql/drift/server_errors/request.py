"""Send a document that must not run, and read the errors that the server returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runql.drift.server_errors.messages import ServerError
from runql.errors import TransportError
from runql.transport.codec import answer_error
from runql.transport.flow import Flow, Send
from runql.transport.retry import is_server_failure
from runql.transport.wire import Response
from runql.values import JSONValue, parse_json
from runql_graphql.operation import Operation


@dataclass(frozen=True, slots=True)
class GraphQLResponse:
    """The parts of a GraphQL response.

    Attributes:
        errors: the entries of ``errors``.
        data: the value of ``data``, None without one.
        is_graphql: whether the body is a GraphQL response.
        status: the HTTP status.
    """

    errors: tuple[ServerError, ...]
    data: JSONValue
    is_graphql: bool
    status: int


def send_document(document: str, operation: str, *, fail_fast: bool = False) -> Flow[GraphQLResponse]:
    """Send a document that must not run, without variables.

    The request always counts as a query: the server runs nothing of the document, so the client may repeat it.

    Args:
        document: the GraphQL source.
        operation: name of one of its operations.
        fail_fast: return a server failure after one attempt.

    Raises:
        AnswerError: the server refuses the request (401, 403, 429), or fails and ``fail_fast`` is False.
        TransportError: no usable response arrived.
    """
    response = yield Send(Operation(operation, "query", document, {}, object), fail_fast)
    if response is None:
        raise TypeError("the driver replied None where a response was due")
    failed = is_server_failure(response.status) and not fail_fast
    if response.status in {401, 403, 429} or failed:
        raise answer_error(operation, response)
    return _parse_response(response)


def send_patiently(document: str, operation: str) -> Flow[GraphQLResponse]:
    """Send a document that must not run; again only where the server fails without GraphQL errors.

    Some servers report errors of a document with a status of 500 and above: that is their response.

    Raises:
        AnswerError: the server refuses the request (401, 403, 429), or fails.
        TransportError: no usable response arrived.
    """
    try:
        response = yield from send_document(document, operation, fail_fast=True)
    except TransportError:
        return (yield from send_document(document, operation))
    if is_server_failure(response.status) and not response.errors:
        return (yield from send_document(document, operation))
    return response


def fetch_data(document: str, operation: str, variables: Mapping[str, JSONValue]) -> Flow[JSONValue]:
    """Run a query and return its data as plain JSON values.

    Raises:
        AnswerError: the server refuses, fails or reports errors.
        TransportError: no usable response arrived.
    """
    response = yield Send(Operation(operation, "query", document, variables, object))
    if response is None:
        raise TypeError("the driver replied None where a response was due")
    parsed = _parse_response(response)
    if response.status != 200 or parsed.errors or parsed.data is None:
        raise answer_error(operation, response)
    return parsed.data


def _parse_response(response: Response) -> GraphQLResponse:
    # Servers report GraphQL errors with 200 and with 400.
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
    found = locations if isinstance(locations, list) else []
    return ServerError(
        str(entry.get("message", entry)),
        tuple(_location(each) for each in found if isinstance(each, dict)),
    )


def _location(entry: Mapping[str, JSONValue]) -> tuple[int, int]:
    line, column = entry.get("line"), entry.get("column")
    return (line if isinstance(line, int) else 0), (column if isinstance(column, int) else 0)
