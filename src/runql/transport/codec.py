"""Encoding an operation, and decoding its response into a model or an error."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

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
    RunqlError,
    SchemaDriftError,
    ServerFailureError,
)
from runql.escaping import MOST_IN_DETAIL, one_line
from runql.limits import JSONTooDeepError
from runql.partial_results import allowed_partial
from runql.quick_dataclasses import dataclass
from runql.transport.response_headers import request_id
from runql.transport.response_validators import validated
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
MOST_PROBLEMS = 5
"""Errors of a response that a message shows."""

# A response that refuses unknown parts is small; larger ones hold data and are not parsed for it.
REFUSAL_STATUSES = (200, 400, 422)
LARGEST_REFUSAL = 1 << 20


PartPath: TypeAlias = tuple[str, ...]
"""The names on the way to a part of a response's data; `EACH` stands for each place of a list."""

EACH: Final = "*"


@dataclass(frozen=True, slots=True)
class RawList:
    """Lists of a response that stay JSON bytes; see `read_response_with_raw_lists`.

    Attributes:
        field: name of the lists in the response.
        depth: 2 for lists of lists, 1 for lists of objects that hold no lists.
    """

    field: str
    depth: Literal[1, 2]


def encode(
    operation: Operation[Any],  # Any: encoding does not depend on the result's type
    unknown: Collection[str] = (),
) -> bytes:
    """Return the JSON body of the POST: document, operation name and the variables that were given.

    Optional fields among the ``unknown`` ones are left out; see `unknown_parts`.
    """
    check_variables(operation)
    variables = {name: value for name, value in operation.variables.items() if value is not UNSET}
    document = without_fields(operation.document, unknown)
    body = {"query": document, "operationName": operation.name, "variables": variables}
    return json.dumps(body, default=dump_input_object, allow_nan=False, separators=(",", ":")).encode()


def refused_parts(response: Response) -> frozenset[str]:
    """Return the parts of the schema that the server refused, if that is its only complaint; empty for other responses.

    Validation comes before execution, so the server has not carried out a mutation that it refused like this.
    """
    content = response.content
    if (
        response.status not in REFUSAL_STATUSES
        or len(content) > LARGEST_REFUSAL
        # Most responses begin like this: there is data, and no need to search for errors.
        or content.startswith(b'{"data":{')
        or b'"errors"' not in content
    ):
        return frozenset()
    body = _object(content)
    if body is None or body.get("data") is not None:
        return frozenset()
    unknown = [unknown_parts([problem.message]) for problem in _problems(body)]
    return frozenset(part for parts in unknown for part in parts) if all(unknown) else frozenset()


def read_response(operation: Operation[T], response: Response, may_lack: Sequence[PartPath] = ()) -> T:
    """Return the response's data as the operation's model.

    Raises:
        AnswerError: see `answer_error`. Not where the caller allows partial results, and the errors are about parts of
            a query that ``may_lack`` names: these are null, and reported.
        SchemaDriftError: the data does not fit the model.
        JSONTooDeepError: the response is nested more deeply than `Limits` accepts.
    """
    try:
        body = _parsed_object(response.content)
    except JSONTooDeepError as error:
        error.operation = operation.name
        raise
    has_errors = body is not None and bool(body.get("errors"))
    allowed = allowed_partial() if has_errors and operation.kind == "query" else None
    lacks_parts = allowed is not None and body is not None and lacks_only(body, may_lack)
    if response.status != 200 or body is None or (has_errors and not lacks_parts) or body.get("data") is None:
        del body  # a traceback shows this frame's variables, and the server may repeat the API key
        raise answer_error(operation.name, response)
    # BaseModel: ariadne-codegen makes every result a pydantic model; Operation is generic over it without naming it.
    model = cast("type[BaseModel]", operation.result)
    try:
        data = cast("T", validated(model, body["data"]))
    except ValidationError as error:
        places = _drift_places(error)
    else:
        if allowed is not None:
            problems = _problems(_object(response.showable))
            allowed.add_parts({_dotted(each): one_line(each.message, MOST_IN_DETAIL) for each in problems})
        return data
    # Outside `except`: pydantic's error would be chained, and quotes the data.
    del body
    if lacks_parts:
        # A null where the schema allows none.
        raise answer_error(operation.name, response)
    response.content = response.showable
    raise SchemaDriftError(operation.name, places)


def lacks_only(body: Mapping[str, JSONValue], may_lack: Sequence[PartPath]) -> bool:
    """Whether each error of a response is about one of these parts, or a part of it, which is null for that reason."""
    problems = _problems(body)
    return bool(problems) and all(_is_null_below(body.get("data"), each.path, may_lack) for each in problems)


def _is_null_below(data: JSONValue, path: Sequence[str | int], may_lack: Sequence[PartPath]) -> bool:
    depth = next((len(part) for part in may_lack if _begins_with(path, part)), None)
    if depth is None:
        return False
    for place, name in enumerate(path):
        match data:
            case dict() if isinstance(name, str):
                data = data.get(name, False)
            case list() if isinstance(name, int) and 0 <= name < len(data):
                data = data[name]
            case _:
                return False
        if data is None:
            return place >= depth - 1
    return False


def _begins_with(path: Sequence[str | int], part: PartPath) -> bool:
    return len(path) >= len(part) and all(
        isinstance(name, int) if wanted == EACH else name == wanted
        for name, wanted in zip(path, part, strict=False)
    )


def _dotted(problem: GraphQLProblem) -> str:
    return one_line(".".join(map(str, problem.path)), MOST_IN_DETAIL)


def read_response_with_raw_lists(
    operation: Operation[T], response: Response, lists: Sequence[RawList]
) -> tuple[T, Mapping[str, list[bytes]]]:
    """As `read_response`, with some lists as JSON bytes: by field name, in order; in the model they are empty.

    A caller that reads columns, or only counts, so needs no Python object for each value. Where brackets alone do not
    show where a field's lists end, the model holds them and the field is missing from the mapping.
    """
    part, found = _without_lists(response, lists)
    if found:
        try:
            return read_response(operation, part), found
        except RunqlError as error:
            found.clear()  # a traceback shows this frame's variables, and the server may repeat the API key
            # An error, or a cut in the wrong place: the whole response shows which.
            if not isinstance(error, AnswerError):
                response.content = response.showable
                raise
    return read_response(operation, response), {}


def _without_lists(response: Response, lists: Sequence[RawList]) -> tuple[Response, dict[str, list[bytes]]]:
    rest, found = response.content, dict[str, list[bytes]]()
    for each in lists:
        cut = _cut_lists(rest, f'"{each.field}":'.encode(), each.depth)
        if cut is not None:
            rest, found[each.field] = cut
    return replace(response, content=rest), found


def string_list_size(content: bytes, field: str) -> int | None:
    """Return at most how many bytes the only list of strings in a response takes, with brackets; None where unknown.

    The list begins at the first ``field`` or later, and the last end of a list of strings is its end.
    """
    name = f'"{field}":'.encode()
    start, stop = content.find(name[:-1]), content.rfind(b'"]') + 2
    size = stop - start - len(name)
    return size if content.startswith(name + b'["', start) and size > 0 else None


def answer_error(name: str, response: Response) -> AnswerError:
    """Return the error that a response stands for; every `AnswerError` is made here.

    Statuses come first (401, 403, 429, 408 and 5xx), because proxies send them without GraphQL. Then come GraphQL
    errors, which servers send with 200 and with 400, and then everything else.
    """
    error = _answer_error(name, response)
    error.seconds, error.waited = response.seconds, response.waited
    error.request_id = request_id(response.headers)
    return error


def _answer_error(name: str, response: Response) -> AnswerError:
    response.content = response.showable
    body = _object(response.content)
    problems = _problems(body)
    details = (
        _joined_messages(problems) or one_line(_rest_message(body), MOST_IN_DETAIL) or _excerpt(response)
    )
    status, attempts = response.status, response.attempts

    def message(reason: str) -> str:
        return f"{reason}: {details}" if details else reason

    if status == 401:
        reason = "the server does not accept the API key (401)"
        hint = ". Check WANDB_API_KEY, and that it belongs to the host in WANDB_BASE_URL"
        return AuthenticationError(message(reason) + hint, status=status, operation=name, attempts=attempts)
    if status == 403:
        reason = "the API key may not do this (403)"
        return AccessDeniedError(message(reason), status=status, operation=name, attempts=attempts)
    if status == 429:
        wait = asked_wait(response.headers)
        reason = "too many requests (429)" + (
            f", the server asks to wait {wait:g} s" if wait is not None else ""
        )
        return RateLimitedError(
            message(reason), status=status, operation=name, attempts=attempts, retry_after=wait
        )
    if is_server_failure(status):
        reason = f"the server failed ({status})"
        return ServerFailureError(message(reason), status=status, operation=name, attempts=attempts)
    unknown = unknown_parts(problem.message for problem in problems)
    if unknown:
        return OutdatedServerError(
            f"{describe_unknown_parts(unknown)}. `runql drift` lists everything that differs: {details}",
            status=status,
            operation=name,
            attempts=attempts,
            problems=problems,
            unknown=unknown,
        )
    if problems:
        data = body.get("data") if body else None
        return QueryError(
            details,
            status=status,
            operation=name,
            attempts=attempts,
            problems=problems,
            data=data if isinstance(data, dict) else None,
        )
    if status == 200:
        reason = (
            "the response is not a GraphQL response: is WANDB_BASE_URL the API's address, not the web app's?"
        )
    else:
        reason = f"the server responded with status {status}: is WANDB_BASE_URL right?"
    return InvalidAnswerError(message(reason), status=status, operation=name, attempts=attempts)


def _cut_lists(content: bytes, mark: bytes, depth: int) -> tuple[bytes, list[bytes]] | None:
    opening, closing = b"[" * depth, b"]" * depth
    rest: list[bytes] = []
    lists: list[bytes] = []
    done = 0
    while (place := content.find(mark, done)) >= 0:
        start = place + len(mark)
        end = content.find(closing, start) + depth
        # Without escapes, an even number of quotes shows that the end is not inside a string.
        found = content[start:end]
        if end < depth or not found.startswith(opening) or b"\\" in found or found.count(b'"') % 2:
            return None
        if depth == 1 and found.find(b"[", 1) > 0:
            return None
        # A null among the lists: the brackets may close another list.
        if depth == 2 and (b"],n" in found or b"[n" in found):
            return None
        rest += [content[done:start], b"[]"]
        lists.append(found)
        done = end
    return (b"".join([*rest, content[done:]]) if lists else content), lists


def _parsed_object(content: bytes) -> dict[str, JSONValue] | None:
    try:
        value = parse_json(content, "a response")
    except JSONTooDeepError:
        raise
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _object(content: bytes) -> dict[str, JSONValue] | None:
    try:
        return _parsed_object(content)
    except JSONTooDeepError:
        return None


def _problems(body: Mapping[str, JSONValue] | None) -> list[GraphQLProblem]:
    errors = body.get("errors") if body else None
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


def _joined_messages(problems: Sequence[GraphQLProblem]) -> str:
    shown = [one_line(problem.message, MOST_IN_DETAIL) for problem in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(shown)
    return "; ".join(shown) + (f"; and {more:,} more errors" if more else "")


def _rest_message(body: Mapping[str, JSONValue] | None) -> str:
    error = body.get("error") if body else None
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) else ""


def _excerpt(response: Response) -> str:
    text = response.showable[: EXCERPT * 4].decode("utf-8", "replace").strip()
    return f"{text[:EXCERPT]!r}" if text else ""


def _drift_places(error: ValidationError) -> list[str]:
    return [
        one_line(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}", MOST_IN_DETAIL)
        for problem in error.errors(include_url=False, include_input=False)[:DRIFT_PLACES]
    ]
