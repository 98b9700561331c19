"""Operations become bytes, and every form of answer becomes a model or exactly one error."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import BaseModel, Field
from tests.unit.transport.stepping import about, answered

from runql.errors import (
    AccessDeniedError,
    AnswerError,
    AuthenticationError,
    GraphQLProblem,
    InvalidAnswerError,
    QueryError,
    RateLimitedError,
    SchemaDriftError,
    ServerFailureError,
)
from runql.transport.codec import (
    RawList,
    answer_error,
    encode,
    read_response,
    read_response_with_raw_lists,
    string_list_size,
)
from runql.transport.wire import Response
from runql_graphql.base_model import UNSET
from runql_graphql.operation import Operation
from runql_graphql.operations import get_run_state, list_runs, scan_history
from runql_graphql.scan_history import ScanHistory

STATE = get_run_state(entity="e", project="p", run="r")
HTML = b"<!doctype html><title>502 Bad Gateway</title>"
ABSENT = {"message": "no such thing", "path": ["project", "runs", 0, "edges"]}


class Change(BaseModel):
    display_name: str | None = Field(alias="displayName", default=None)
    notes: str | None = None


def body(operation: Operation[Any]) -> dict[str, object]:  # Any: as `encode`
    decoded: dict[str, object] = json.loads(encode(operation))
    return decoded


def test_an_operation_is_sent_with_its_name_document_and_variables() -> None:
    assert body(STATE) == {
        "query": STATE.document,
        "operationName": "GetRunState",
        "variables": {"entity": "e", "project": "p", "run": "r"},
    }


def test_unset_variables_are_left_out_and_none_is_sent_as_null() -> None:
    query = {"entity": "e", "project": "p", "filters": "{}", "order": "+created_at", "first": 5}
    unset = list_runs(entity="e", project="p", filters="{}", order="+created_at", first=5)
    given = list_runs(entity="e", project="p", filters="{}", order="+created_at", first=5, after=None)
    assert body(unset)["variables"] == query
    assert body(given)["variables"] == {**query, "after": None}


def test_graphql_names_are_sent_not_python_names() -> None:
    window = scan_history(
        entity="e",
        project="p",
        run="r",
        min_step=0,
        max_step=9,
        samples=3,
        specs=[],
        whole=True,
        chosen=False,
        with_keys=True,
        with_exports=False,
    )
    assert body(window)["variables"] == {
        "entity": "e",
        "project": "p",
        "run": "r",
        "minStep": 0,
        "maxStep": 9,
        "samples": 3,
        "specs": [],
        "whole": True,
        "chosen": False,
        "withKeys": True,
        "withExports": False,
    }


def test_input_objects_are_sent_by_alias_and_without_what_was_not_given() -> None:
    change = Change.model_validate({"displayName": "new"})
    operation = Operation("Change", "mutation", "mutation Change", {"input": change, "skip": UNSET}, Change)
    assert body(operation)["variables"] == {"input": {"displayName": "new"}}


def test_input_objects_inside_a_list_are_sent_too() -> None:
    changes = [Change.model_validate({"notes": None}), Change.model_validate({"displayName": "b"})]
    operation = Operation("Change", "mutation", "mutation Change", {"inputs": changes}, Change)
    assert body(operation)["variables"] == {"inputs": [{"notes": None}, {"displayName": "b"}]}


def test_text_beyond_ascii_reaches_the_server_unchanged() -> None:
    operation = get_run_state(entity="é", project="日本", run='"\\\n')
    assert body(operation)["variables"] == {"entity": "é", "project": "日本", "run": '"\\\n'}


def test_an_answer_is_read_into_the_model() -> None:
    answer = read_response(STATE, answered({"project": {"run": {"state": "finished"}}}))
    assert answer.project is not None
    assert answer.project.run is not None
    assert answer.project.run.state == "finished"


def test_null_places_and_new_fields_are_no_drift() -> None:
    assert read_response(STATE, answered({"project": None})).project is None
    read = read_response(STATE, answered({"project": {"run": None, "new": 1}, "more": []}))
    assert read.project is not None
    assert read.project.run is None


@pytest.mark.parametrize("errors", [None, []])
def test_an_empty_list_of_errors_is_none(errors: list[object] | None) -> None:
    assert read_response(STATE, answered({"project": None}, errors=errors)).project is None


def test_bare_nan_and_infinity_in_the_body_are_read() -> None:
    window = scan_history(
        entity="e",
        project="p",
        run="r",
        min_step=0,
        samples=3,
        specs=[],
        whole=False,
        chosen=True,
        with_keys=False,
        with_exports=False,
    )
    rows = [{"_step": 1, "loss": math.nan, "gain": -math.inf}]
    response = answered({"project": {"run": {"historyLineCount": None, "sampledHistory": [rows]}}})
    assert b"NaN" in response.content
    read = read_response(window, response)
    assert read.project is not None
    assert read.project.run is not None
    assert repr(read.project.run.sampled_history) == "[[{'_step': 1, 'loss': nan, 'gain': -inf}]]"


@pytest.mark.parametrize("status", [200, 400, 404, 409, 422])
def test_graphql_errors_are_query_errors_with_every_problem(status: int) -> None:
    response = answered(None, status=status, errors=[ABSENT, {"message": "second"}, "third"])
    with pytest.raises(QueryError, match="no such thing; second; third") as caught:
        read_response(STATE, response)
    assert caught.value.problems == (
        GraphQLProblem("no such thing", ("project", "runs", 0, "edges")),
        GraphQLProblem("second"),
        GraphQLProblem("third"),
    )
    assert (caught.value.status, caught.value.operation) == (status, "GetRunState")
    assert caught.value.data is None


def test_partial_data_stays_in_the_error() -> None:
    data = {"project": {"run": {"state": "running"}}}
    with pytest.raises(QueryError) as caught:
        read_response(STATE, answered(data, errors=[ABSENT]))
    assert caught.value.data == about(data)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, AccessDeniedError),
        (408, ServerFailureError),
        (429, RateLimitedError),
        (500, ServerFailureError),
        (501, ServerFailureError),
        (502, ServerFailureError),
        (503, ServerFailureError),
        (504, ServerFailureError),
        (599, ServerFailureError),
        (200, InvalidAnswerError),
        (204, InvalidAnswerError),
        (302, InvalidAnswerError),
        (400, InvalidAnswerError),
        (404, InvalidAnswerError),
        (410, InvalidAnswerError),
    ],
)
@pytest.mark.parametrize("content", [b"", HTML, b'"text"', b"[1]", b'{"error": "said"}', b'{"data": null}'])
def test_each_status_without_graphql_errors_is_one_error(
    status: int, kind: type[AnswerError], content: bytes
) -> None:
    with pytest.raises(AnswerError) as caught:
        read_response(STATE, Response(status, content, attempts=3))
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.operation, caught.value.attempts) == (status, "GetRunState", 3)
    assert "[GetRunState] (after 3 attempts)" in str(caught.value)


@pytest.mark.parametrize("status", [401, 403, 408, 429, 503])
def test_a_telling_status_wins_over_graphql_errors_and_keeps_their_text(status: int) -> None:
    error = answer_error("Op", answered(None, status=status, errors=[ABSENT]))
    assert not isinstance(error, QueryError)
    assert "no such thing" in str(error)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"error": "quota"}', "quota"),
        (b'{"error": {"message": "quota", "code": 7}}', "quota"),
        (b'{"errors": ["quota", "room"]}', "quota; room"),
        (b'{"errors": [{"message": "quota"}, {"message": "room"}]}', "quota; room"),
        (HTML, "<title>502 Bad Gateway"),
        (b"\xff\xfe broken", "broken"),
        (b"x" * 1000, "'" + "x" * 200 + "'"),
    ],
)
@pytest.mark.parametrize("status", [404, 403, 502])
def test_what_the_server_said_is_in_the_message(content: bytes, expected: str, status: int) -> None:
    message = str(answer_error("Op", Response(status, content)))
    assert expected in message
    assert "x" * 201 not in message


def test_an_empty_body_leaves_no_dangling_colon() -> None:
    assert str(answer_error("Op", Response(502, b""))) == "the server failed (502) [Op]"


def test_the_hint_of_a_refused_key_names_the_settings() -> None:
    message = str(answer_error("Op", Response(401, b"")))
    assert "WANDB_API_KEY" in message
    assert "WANDB_BASE_URL" in message


@pytest.mark.parametrize(("headers", "wait"), [({"retry-after": "90"}, 90.0), ({}, None)])
def test_a_rate_limit_tells_how_long_to_wait(headers: dict[str, str], wait: float | None) -> None:
    error = answer_error("Op", Response(429, b"", headers))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == wait
    assert ("90 s" in str(error)) is (wait is not None)


def test_drift_names_the_places_and_hides_the_values() -> None:
    page = {"pageInfo": {"endCursor": 5}, "edges": [{"node": {"id": "secret"}}]}
    operation = list_runs(entity="e", project="p", filters="{}", order="+created_at", first=5)
    with pytest.raises(SchemaDriftError) as caught:
        read_response(operation, answered({"project": {"runs": page}}))
    assert caught.value.operation == "ListRuns"
    assert len(caught.value.places) == 5
    assert "project.runs.totalCount: Field required" in caught.value.places
    assert "project.runs.pageInfo.hasNextPage: Field required" in caught.value.places
    assert any(place.startswith("project.runs.edges.0.") for place in caught.value.places)
    assert "secret" not in str(caught.value)
    # pydantic's error would quote the data.
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("data", [[], "text", 7, {"project": "text"}, {"project": {"run": []}}])
def test_data_of_another_shape_is_drift(data: object) -> None:
    with pytest.raises(SchemaDriftError, match="GetRunState"):
        read_response(STATE, answered(data))


SCAN = scan_history(
    entity="e",
    project="p",
    run="r",
    min_step=0,
    max_step=None,
    samples=9,
    specs=[],
    whole=False,
    chosen=True,
    with_keys=True,
    with_exports=False,
)


SAMPLED, LIVE = RawList("sampledHistory", 2), RawList("liveData", 1)


def run_response(sampled: str, keys: str = "null") -> Response:
    return window(f'"historyKeys":{keys},"sampledHistory":{sampled}')


def window(fields: str) -> Response:
    run = f'{{"name":"r","historyLineCount":null,{fields}}}'
    return Response(200, f'{{"data":{{"project":{{"name":"p","entityName":"e","run":{run}}}}}}}'.encode())


def sampled(answer: ScanHistory) -> object:
    assert answer.project is not None
    assert answer.project.run is not None
    return answer.project.run.sampled_history


@pytest.mark.parametrize(
    "text", ['[[{"_step":0,"a":1.5},{"_step":1}]]', '[[{"a":"x"}],[]]', "[[]]", '[[{"a":"["}]]']
)
def test_what_lies_under_a_field_stays_text(text: str) -> None:
    answer, texts = read_response_with_raw_lists(SCAN, run_response(text), [SAMPLED])
    assert texts == {"sampledHistory": [text.encode()]}
    assert sampled(answer) == []


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '[[{"a":"x]]y"}]]',
        '[[{"a":[[1]]}]]',
        '[[{"a":[[1]]},{"b":"]]"}]]',
        '[[{"a":"\\u0041"}]]',
        '[ [{"a":1}] ]',
        '[[{"a":"\\"]]"}]]',
        "null",
    ],
)
@pytest.mark.parametrize(
    "keys", ["null", '{"sampledHistory":{"typeCounts":[]}}', '{"x":"\\"sampledHistory\\":[["}']
)
def test_what_cannot_be_told_apart_by_brackets_is_in_the_model(text: str, keys: str) -> None:
    answer, texts = read_response_with_raw_lists(SCAN, run_response(text, keys), [SAMPLED])
    assert not texts.get("sampledHistory")
    assert sampled(answer) == json.loads(text)


def test_a_field_that_cannot_be_cut_leaves_the_others_text() -> None:
    answer, texts = read_response_with_raw_lists(
        SCAN,
        window(
            '"sampledHistory":[[{"a":"]]"}]],"parquetHistory":{"parquetUrls":[],"liveData":[{"_step":0}]}'
        ),
        [SAMPLED, LIVE],
    )
    assert texts == {"liveData": [b'[{"_step":0}]']}
    assert sampled(answer) == [[{"a": "]]"}]]


def test_errors_are_told_of_the_whole_answer() -> None:
    body = b'{"data":{"project":{"run":{"sampledHistory":[[{"a":1}]]}}},"errors":[{"message":"no [[ such"}]}'
    with pytest.raises(QueryError, match=r"no \[\[ such") as caught:
        read_response_with_raw_lists(SCAN, Response(200, body), [SAMPLED])
    assert caught.value.data == {"project": {"run": {"sampledHistory": [[{"a": 1}]]}}}


def listed(live: str) -> Response:
    history = f'{{"parquetUrls":["http://a/[1]"],"liveData":{live}}}'
    return window(f'"parquetHistory":{history}')


@pytest.mark.parametrize("text", ["[]", '[{"_step":0}]', '[{"_step":0},{"_step":1.0}]'])
def test_a_list_of_objects_stays_text_too(text: str) -> None:
    answer, texts = read_response_with_raw_lists(SCAN, listed(text), [SAMPLED, LIVE])
    assert texts == {"sampledHistory": [], "liveData": [text.encode()]}
    assert answer.project is not None
    assert answer.project.run is not None
    assert answer.project.run.parquet_history is not None
    assert answer.project.run.parquet_history.live_data == []


@pytest.mark.parametrize(
    "text", ['[{"_step":[0]}]', '[{"_step":"]"}]', '[{"_step":"\\"]"}]', '[{"a":"[x]"}]']
)
def test_a_list_that_holds_brackets_is_in_the_model(text: str) -> None:
    answer, texts = read_response_with_raw_lists(SCAN, listed(text), [LIVE])
    assert texts == {}
    assert answer.project is not None
    assert answer.project.run is not None
    assert answer.project.run.parquet_history is not None
    assert answer.project.run.parquet_history.live_data == json.loads(text)


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b'{"a":1,"history":["{}","[]"],"b":2}', len(b'["{}","[]"]')),
        (b'{"history":["{\\"a\\":[\\"x\\"]}"]}', len(b'["{\\"a\\":[\\"x\\"]}"]')),
        (b'{"history":["{}"],"other":["x"]}', len(b'["{}"],"other":["x"]')),
        (b'{"\\"history\\"":["x"],"history":["{}"]}', len(b'["{}"]')),
        (b'{"history": ["{}"]}', None),
        (b'{"history":[ "{}"]}', None),
        (b'{"history":[]}', None),
        (b'{"history":null,"other":["x"]}', None),
        (b'{"keys":{"history":{"n":1}},"history":["{}"]}', None),
        (b'{"history": ["{}"],"other":{"history":["x"]}}', None),
        (b'{"other":["history"]}', None),
        (b"", None),
    ],
)
def test_the_only_list_of_texts_takes_no_more_than_this(content: bytes, size: int | None) -> None:
    assert string_list_size(content, "history") == size
