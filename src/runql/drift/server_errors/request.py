"""Sending a document that is not meant to run, and reading the errors that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runql.drift.server_errors.problems import ServerError
from runql.transport.codec import answer_error
from runql.transport.flow import Flow, Send
from runql.transport.retry import is_server_failure
from runql.transport.wire import Response
from runql.values import JSONValue, parse_json
from runql_graphql.operation import Operation


@dataclass(frozen=True, slots=True)
class Answer:
    """A GraphQL answer, taken apart.

    Attributes:
        errors: what the server complains of.
        data: what it answers, None when nothing.
        is_graphql: whether it is a GraphQL answer at all.
        status: the HTTP status.
    """

    errors: tuple[ServerError, ...]
    data: JSONValue
    is_graphql: bool
    status: int


def ask(text: str, operation: str, *, fail_fast: bool = False) -> Flow[Answer]:
    """Send a document with the name of one of its operations, and no variables.

    It is sent as a query whatever stands in it: nothing of it runs, so that repeating it does no harm.

    Raises:
        AnswerError: the server refuses to look at it (401, 403, 429), or fails (unless ``fail_fast``).
        TransportError: nothing usable arrived.
    """
    sent = Operation(operation, "query", text, {}, object)
    response = yield Send(sent, fail_fast=fail_fast)
    if response is None:
        raise TypeError("the driver replied None where a response was due")
    failed = is_server_failure(response.status) and not fail_fast
    if response.status in {401, 403, 429} or failed:
        raise answer_error(operation, response)
    return read(response)


def read(response: Response) -> Answer:
    """Take an answer apart; both 200 and 400 carry GraphQL errors."""
    try:
        body = parse_json(response.showable)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Answer((), None, is_graphql=False, status=response.status)
    errors = body.get("errors")
    told = errors if isinstance(errors, list) else []
    is_graphql = isinstance(errors, list) or "data" in body
    return Answer(tuple(_error(each) for each in told), body.get("data"), is_graphql, response.status)


def _error(entry: JSONValue) -> ServerError:
    if not isinstance(entry, dict):
        return ServerError(str(entry))
    places = entry.get("locations")
    return ServerError(
        str(entry.get("message", entry)),
        tuple(_place(each) for each in places if isinstance(each, dict)) if isinstance(places, list) else (),
    )


def _place(entry: Mapping[str, JSONValue]) -> tuple[int, int]:
    line, column = entry.get("line"), entry.get("column")
    return (line if isinstance(line, int) else 0), (column if isinstance(column, int) else 0)


def ask_for_data(document: str, operation: str, variables: Mapping[str, JSONValue]) -> Flow[JSONValue]:
    """Run a query and give its data as it came, without a model.

    Raises:
        AnswerError: the server refuses, fails or reports errors.
        TransportError: nothing usable arrived.
    """
    response = yield Send(Operation(operation, "query", document, variables, object))
    if response is None:
        raise TypeError("the driver replied None where a response was due")
    answer = read(response)
    if response.status != 200 or answer.errors or answer.data is None:
        raise answer_error(operation, response)
    return answer.data
