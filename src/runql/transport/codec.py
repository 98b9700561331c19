"""Bytes to model or error: the one place where an operation is encoded and its answer is judged."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ValidationError

from runql.errors import (
    AccessDeniedError,
    AnswerError,
    AuthenticationError,
    GraphQLProblem,
    InvalidAnswerError,
    OutdatedServerError,
    QueryError,
    RateLimitedError,
    SchemaDriftError,
    ServerFailureError,
)
from runql.transport.retry import asked_wait, is_server_failure
from runql.transport.unknown_parts import describe_unknown_parts, unknown_parts, without_fields
from runql.transport.variables import check_variables, dump_input_object
from runql.transport.wire import Response
from runql.values import JSONValue, parse_json
from runql_graphql.base_model import UNSET
from runql_graphql.operation import Operation

T = TypeVar("T")
EXCERPT = 200
DRIFT_PLACES = 5

# A refusal of unknown parts says so in few words; whatever is larger holds data, and is not searched.
REFUSALS = (200, 400, 422)
LARGEST_REFUSAL = 1 << 20


@dataclass(frozen=True, slots=True)
class RawList:
    """Lists of an answer that stay text, see `read_response_with_raw_lists`.

    Attributes:
        field: their name in the answer.
        depth: 2 for lists of lists, 1 for lists of objects that hold no lists.
    """

    field: str
    depth: Literal[1, 2]


def encode(
    operation: Operation[Any],  # Any: encoding does not depend on the answer's type
    unknown: Collection[str] = (),
) -> bytes:
    """The JSON body of the POST: document, operation name and the variables that were given.

    Fields that are ``unknown`` to the server are left out where runql can do without; see `unknown_parts`.
    """
    check_variables(operation)
    variables = {name: value for name, value in operation.variables.items() if value is not UNSET}
    document = without_fields(operation.document, unknown)
    body = {"query": document, "operationName": operation.name, "variables": variables}
    return json.dumps(body, default=dump_input_object, allow_nan=False, separators=(",", ":")).encode()


def refused_parts(response: Response) -> frozenset[str]:
    """The parts of the schema for which alone a server refused an operation; empty for other responses.

    Validation comes before execution, so that a mutation refused like this was not carried out.
    """
    content = response.content
    if response.status not in REFUSALS or len(content) > LARGEST_REFUSAL or b'"errors"' not in content:
        return frozenset()
    answer = _object(content)
    if answer is None or answer.get("data") is not None:
        return frozenset()
    unknown = [unknown_parts([problem.message]) for problem in _problems(answer)]
    return frozenset(part for parts in unknown for part in parts) if all(unknown) else frozenset()


def read_response(operation: Operation[T], response: Response) -> T:
    """The answer's data as the operation's model.

    Raises:
        AnswerError: see `answer_error`.
        SchemaDriftError: the data does not fit the model.
    """
    answer = _object(response.content)
    if response.status != 200 or answer is None or answer.get("errors") or answer.get("data") is None:
        raise answer_error(operation.name, response)
    # BaseModel: ariadne-codegen makes every result a pydantic model; Operation is generic over it without naming it.
    model = cast("type[BaseModel]", operation.result)
    try:
        return cast("T", model.model_validate(answer["data"]))
    except ValidationError as error:
        raise SchemaDriftError(operation.name, _drift_places(error)) from error


def read_response_with_raw_lists(
    operation: Operation[T], response: Response, cuts: Sequence[RawList]
) -> tuple[T, Mapping[str, list[bytes]]]:
    """As `read_response`, but some lists stay text: empty in the model, and beside it in order, by the names of their fields.

    Whoever reads columns, or only counts, spares a Python object for every value. A field is missing there when its
    lists cannot be told from the rest by their brackets alone; the model then holds them.
    """
    rest, texts = response.content, dict[str, list[bytes]]()
    for each in cuts:
        cut = _cut(rest, f'"{each.field}":'.encode(), each.depth)
        if cut is not None:
            rest, texts[each.field] = cut
    if texts:
        try:
            return read_response(operation, replace(response, content=rest)), texts
        except AnswerError:
            # Not cut where it should be, or an error: the whole answer tells.
            pass
    return read_response(operation, response), {}


def string_list_size(content: bytes, field: str) -> int | None:
    """How many bytes of an answer its only list of texts takes at the most, brackets included; None where that is not told.

    What comes first under the name of ``field`` begins no later than the list, and no other end of such a list follows.
    """
    name = f'"{field}":'.encode()
    start, stop = content.find(name[:-1]), content.rfind(b'"]') + 2
    size = stop - start - len(name)
    return size if content.startswith(name + b'["', start) and size > 0 else None


def answer_error(name: str, response: Response) -> AnswerError:
    """The error that an answer stands for; every answer error is born here.

    Statuses first (401, 403, 429, 408 and 5xx), because proxies answer them without GraphQL; then the GraphQL errors,
    which come with 200 and with 400; then whatever else it may be.
    """
    answer = _object(response.showable)
    problems = _problems(answer)
    said = "; ".join(problem.message for problem in problems) or _rest_message(answer) or _excerpt(response)
    status, attempts = response.status, response.attempts

    def message(text: str) -> str:
        return f"{text}: {said}" if said else text

    if status == 401:
        text = "the server does not accept the API key (401)"
        hint = ". Check WANDB_API_KEY, and that it belongs to the host in WANDB_BASE_URL"
        return AuthenticationError(message(text) + hint, status=status, operation=name, attempts=attempts)
    if status == 403:
        text = "the API key may not do this (403)"
        return AccessDeniedError(message(text), status=status, operation=name, attempts=attempts)
    if status == 429:
        wait = asked_wait(response.headers)
        text = "too many requests (429)" + (
            f", the server asks to wait {wait:g} s" if wait is not None else ""
        )
        return RateLimitedError(
            message(text), status=status, operation=name, attempts=attempts, retry_after=wait
        )
    if is_server_failure(status):
        text = f"the server failed ({status})"
        return ServerFailureError(message(text), status=status, operation=name, attempts=attempts)
    unknown = unknown_parts(problem.message for problem in problems)
    if unknown:
        return OutdatedServerError(
            f"{describe_unknown_parts(unknown)}. `runql drift` tells everything that differs: {said}",
            status=status,
            operation=name,
            attempts=attempts,
            problems=problems,
            unknown=unknown,
        )
    if problems:
        data = answer.get("data") if answer else None
        return QueryError(
            said,
            status=status,
            operation=name,
            attempts=attempts,
            problems=problems,
            data=data if isinstance(data, dict) else None,
        )
    if status == 200:
        text = "the answer is not a GraphQL answer: is WANDB_BASE_URL the API's address, not the web app's?"
    else:
        text = f"the server answered {status}: is WANDB_BASE_URL right?"
    return InvalidAnswerError(message(text), status=status, operation=name, attempts=attempts)


def _cut(content: bytes, mark: bytes, depth: int) -> tuple[bytes, list[bytes]] | None:
    opening, closing = b"[" * depth, b"]" * depth
    rest: list[bytes] = []
    lists: list[bytes] = []
    done = 0
    while (found := content.find(mark, done)) >= 0:
        start = found + len(mark)
        end = content.find(closing, start) + depth
        # Without escapes, an even number of quotes says that the end lies outside of texts.
        text = content[start:end]
        if end < depth or not text.startswith(opening) or b"\\" in text or text.count(b'"') % 2:
            return None
        if depth == 1 and text.find(b"[", 1) > 0:
            return None
        # A null among the lists: what ends here may be another list.
        if depth == 2 and (b"],n" in text or b"[n" in text):
            return None
        rest += [content[done:start], b"[]"]
        lists.append(text)
        done = end
    return (b"".join([*rest, content[done:]]) if lists else content), lists


def _object(content: bytes) -> dict[str, JSONValue] | None:
    try:
        value = parse_json(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _problems(answer: Mapping[str, JSONValue] | None) -> list[GraphQLProblem]:
    errors = answer.get("errors") if answer else None
    if not isinstance(errors, list):
        return []
    return [_problem(error) for error in errors]


def _problem(error: JSONValue) -> GraphQLProblem:
    if not isinstance(error, dict):
        return GraphQLProblem(str(error))
    path = error.get("path")
    parts = path if isinstance(path, list) else []
    return GraphQLProblem(
        str(error.get("message", error)), tuple(part for part in parts if isinstance(part, (str, int)))
    )


def _rest_message(answer: Mapping[str, JSONValue] | None) -> str:
    error = answer.get("error") if answer else None
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) else ""


def _excerpt(response: Response) -> str:
    text = response.showable[: EXCERPT * 4].decode("utf-8", "replace").strip()
    return f"{text[:EXCERPT]!r}" if text else ""


def _drift_places(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:DRIFT_PLACES]
    ]
