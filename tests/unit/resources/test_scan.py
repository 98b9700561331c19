"""The windows of a scan, stepped by hand, and what callers may ask of one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.resources.answers import in_project
from tests.unit.resources.history_server import RunOnServer, next_rows, on_the_wire, planned, scanned, wanted
from tests.unit.transport.stepping import answered, ended, sent, served

from runql.errors import IncompleteHistoryError, ProjectNotFoundError, RunNotFoundError, ServerFailureError
from runql.frames.row_readers import RowReader
from runql.paths import RunAddress
from runql.resources.history.cursor import ScanCursor
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.history.scan import scan_table
from runql.resources.history.step_map import map_steps
from runql.resources.history.window import last_step, read_window
from runql.transport.flow import Effect, Gather, Send
from runql.transport.sample_limits import SampleLimits
from runql.transport.wire import Response
from runql.values import JSONValue
from runql_graphql.operations import scan_history


def dense(count: int) -> list[Row]:
    return [{"_step": step, "loss": step / 4} for step in range(count)]


def asked(server: RunOnServer) -> list[tuple[object, object]]:
    return [
        (operation.variables["minStep"], operation.variables["maxStep"]) for operation in server.operations
    ]


def specs(server: RunOnServer) -> list[list[object]]:
    return [[json.loads(spec) for spec in on_the_wire(sent)["specs"]] for sent in server.operations]


def test_the_first_window_is_one_request_for_whole_rows() -> None:
    flow = next_rows(ScanCursor(planned(page_size=1000), HistoryHints(2499, 2500)))
    assert next(flow) == Send(
        scan_history(
            entity="e",
            project="p",
            run="r",
            min_step=0,
            max_step=1000,
            samples=2002,
            specs=[],
            whole=True,
            chosen=False,
            with_keys=False,
            with_exports=False,
        )
    )


@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_the_bytes_of_a_window_are_let_go_of_when_they_are_read(keys: list[str] | None) -> None:
    server, flow = (
        RunOnServer(dense(10)),
        read_window(planned(keys=keys, page_size=1000), 0, None, RowReader(), samples=1001),
    )
    response = server.answer(next(flow))
    assert ended(flow, response).outline.most == 10
    assert response.content == b""


def test_chosen_keys_go_into_one_spec_with_the_step_first() -> None:
    server = RunOnServer(dense(25))
    plan = planned(keys=["loss", "_step", "acc"], page_size=10)
    assert scanned(plan, HistoryHints(24, 25), server) == []
    assert specs(server)[0] == [
        {"keys": ["_step", "loss", "acc"], "samples": 22, "minStep": 0, "maxStep": 10}
    ]
    assert all(operation.variables["chosen"] is True for operation in server.operations)
    assert all(operation.variables["whole"] is False for operation in server.operations)


def test_any_of_the_keys_is_a_spec_each_in_the_same_request() -> None:
    rows: list[Row] = [
        {"_step": 0, "a": 1},
        {"_step": 1, "b": 2},
        {"_step": 2},
        {"_step": 3, "a": 3, "b": None},
    ]
    server = RunOnServer(rows)
    plan = planned(keys=["a", "b"], match="any")
    assert scanned(plan, HistoryHints(), server) == [
        {"_step": 0, "a": 1},
        {"_step": 1, "b": 2},
        {"_step": 3, "a": 3},
    ]
    assert specs(server)[0] == [
        {"keys": ["_step", "a"], "samples": 13, "minStep": 0},
        {"keys": ["_step", "b"], "samples": 13, "minStep": 0},
    ]


def test_a_run_that_fits_one_answer_takes_one_request_however_far_its_steps_lie() -> None:
    rows: list[Row] = [{"_step": step * 100_000} for step in range(10)]
    server = RunOnServer(rows)
    assert scanned(planned(), HistoryHints(900_000, 10), server) == rows
    assert asked(server) == [(0, None)]


@pytest.mark.parametrize(
    "hints",
    [HistoryHints(990_000, 100), HistoryHints(990_000, None), HistoryHints(None, 100), HistoryHints()],
)
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_a_hundred_rows_over_a_million_steps_take_three_requests(
    hints: HistoryHints, keys: list[str] | None
) -> None:
    rows: list[Row] = [{"_step": step * 10_000, "loss": step} for step in range(100)]
    server = RunOnServer(rows)
    assert scanned(planned(page_size=1000, keys=keys), hints, server) == rows
    assert server.requests <= 3


@pytest.mark.parametrize("hints", [HistoryHints(1_996_003, 4_000), HistoryHints()])
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_windows_of_a_sparse_run_are_cut_by_rows(hints: HistoryHints, keys: list[str] | None) -> None:
    rows: list[Row] = [{"_step": 499 * step, "loss": step} for step in range(4_000)]
    server = RunOnServer(rows)
    assert scanned(planned(page_size=1000, keys=keys), hints, server) == rows
    assert server.requests <= 1 + 1 + 4 + 2


def test_a_sparse_range_is_cut_by_the_rows_within_it() -> None:
    rows: list[Row] = [{"_step": 499 * step} for step in range(4_000)]
    server = RunOnServer(rows)
    plan = planned(page_size=1000, min_step=1_000, max_step=1_500_000)
    assert scanned(plan, HistoryHints(1_996_003, 4_000), server) == wanted(rows, plan)
    assert server.requests <= 6


def test_a_map_that_is_too_long_for_an_answer_is_asked_for_in_parts() -> None:
    server = RunOnServer([{"_step": 7 * step} for step in range(1_000)])
    found = served(map_steps(planned(), 5, 6_000, SampleLimits(), most=100), server.answer)
    assert found.steps == list(range(7, 6_000, 7))
    assert server.requests <= 2 * -(-1_000 // 50)


def test_a_window_that_brings_fewer_rows_than_the_map_shows_is_read_in_halves() -> None:
    rows: list[Row] = [{"_step": 100 * step} for step in range(60)]
    server = RunOnServer(rows)

    def forgetful(effect: Effect) -> Response:
        """Drops every second row of a window that is wider than it has room for rows."""
        operation = sent(effect)
        asked = on_the_wire(operation)
        answer = server.answer(effect)
        if not asked["whole"] or asked["maxStep"] is None or asked["maxStep"] - asked["minStep"] <= 10:
            return answer
        body = json.loads(answer.content)
        run = body["data"]["project"]["run"]
        run["history"] = run["history"][::2]
        return answered(body["data"])

    cursor = ScanCursor(planned(page_size=10), HistoryHints(5_900, 60))
    read: list[Row] = []
    while (got := served(next_rows(cursor), forgetful)) is not None:
        read += got
    assert read == rows


def test_a_key_that_is_in_few_rows_costs_few_requests() -> None:
    rows: list[Row] = [{"_step": step, "val": 1 if step % 100 == 0 else None} for step in range(5_000)]
    server = RunOnServer(rows)
    plan = planned(page_size=100, keys=["val"])
    assert scanned(plan, HistoryHints(4_999, 5_000), server) == wanted(rows, plan)
    assert server.requests == 2


def test_windows_that_are_settled_are_asked_for_at_once_and_in_order() -> None:
    cursor = ScanCursor(planned(), HistoryHints(99, 100))
    flow = cursor.next_batches(ahead=None)
    effect = next(flow)
    assert isinstance(effect, Gather)
    assert (len(effect.flows), effect.limit) == (10, 8)
    server = RunOnServer(dense(100))
    for each in reversed(effect.flows):
        served(each, server.answer)
    batches = ended(flow, None)
    assert batches is not None
    assert [row for batch in batches for row in batch.to_rows()] == dense(100)


@pytest.mark.parametrize(
    "hints", [HistoryHints(99, 100), HistoryHints(99, None), HistoryHints(None, 100), HistoryHints()]
)
@pytest.mark.parametrize("state", ["running", "finished"])
def test_every_window_brings_its_rows_once(hints: HistoryHints, state: str) -> None:
    server = RunOnServer(dense(100), state=state)
    assert scanned(planned(), hints, server) == dense(100)
    assert server.requests <= 11


def test_a_known_run_takes_one_request_a_window() -> None:
    server = RunOnServer(dense(100))
    scanned(planned(), HistoryHints(99, 100), server)
    assert server.requests == 10


@pytest.mark.parametrize("inclusive", [True, False])
def test_rows_at_window_borders_come_once_on_servers_of_either_kind(*, inclusive: bool) -> None:
    server = RunOnServer(dense(31), spec_includes_end=inclusive)
    plan = planned(keys=["loss"], min_step=5, max_step=25)
    assert scanned(plan, HistoryHints(30, 31), server) == dense(31)[5:25]
    assert server.requests <= 3


def test_bounds_are_sent_and_max_step_is_not_read() -> None:
    server = RunOnServer(dense(40))
    assert scanned(planned(min_step=7, max_step=22), HistoryHints(39, 40), server) == dense(40)[7:22]
    assert asked(server) == [(7, 17), (17, 22)]


def test_equal_bounds_send_nothing() -> None:
    server = RunOnServer(dense(40))
    assert scanned(planned(min_step=7, max_step=7), HistoryHints(39, 40), server) == []
    assert server.requests == 0


def test_a_start_beyond_the_end_takes_one_request() -> None:
    server = RunOnServer(dense(40))
    assert scanned(planned(min_step=500), HistoryHints(39, 40), server) == []
    assert server.requests == 1


@pytest.mark.parametrize("hints", [HistoryHints(), HistoryHints(None, 0)])
def test_an_empty_run_takes_one_request(hints: HistoryHints) -> None:
    server = RunOnServer([], state="finished")
    assert scanned(planned(), hints, server) == []
    assert server.requests == 1


@pytest.mark.parametrize("lag", [1, 5, 50, 10_000, None])
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_steps_above_the_last_step_of_a_live_run_are_read(lag: int | None, keys: list[str] | None) -> None:
    server = RunOnServer(dense(100), state="running", lag=lag)
    plan = planned(keys=keys)
    assert scanned(plan, HistoryHints(max(0, 99 - (lag or 99)), 60), server) == wanted(dense(100), plan)
    assert server.requests <= 11


@pytest.mark.parametrize("lag", [1, 15, 50, None])
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_steps_above_the_last_step_of_a_run_that_just_ended_are_read(
    lag: int | None, keys: list[str] | None
) -> None:
    server = RunOnServer(dense(100), state="finished", lag=lag)
    plan = planned(keys=keys)
    assert scanned(plan, HistoryHints(), server) == wanted(dense(100), plan)
    assert server.requests <= 11


def test_a_run_that_grew_since_it_was_listed_is_read_to_its_end() -> None:
    server = RunOnServer(dense(100), state="finished")
    assert scanned(planned(), HistoryHints(4, 5), server) == dense(100)


def test_rows_that_were_logged_meanwhile_are_read_too() -> None:
    server = RunOnServer(dense(20), state="running", arriving=[dense(24)[20:], dense(35)[24:]])
    assert scanned(planned(), HistoryHints(19, 20), server) == dense(35)


def test_rows_that_arrive_inside_a_window_that_was_read_are_not_skipped() -> None:
    server = RunOnServer(dense(20)[:15], state="running", lag=None, arriving=[dense(20)[15:]])
    assert scanned(planned(min_step=12), HistoryHints(None, 15), server) == dense(20)[12:]


def test_steps_written_as_floats_are_steps() -> None:
    rows: list[Row] = [{"_step": float(step), "loss": 1} for step in range(25)]
    assert scanned(planned(keys=["loss"]), HistoryHints(24, 25), RunOnServer(rows)) == rows


def test_special_floats_of_chosen_rows_are_floats() -> None:
    rows: list[Row] = [{"_step": 0, "loss": "NaN"}, {"_step": 1, "loss": "-Infinity"}]
    read = scanned(planned(keys=["loss"]), HistoryHints(), RunOnServer(rows))
    assert repr(read) == "[{'_step': 0, 'loss': nan}, {'_step': 1, 'loss': -inf}]"


def test_the_history_keys_are_asked_for_only_where_the_end_is_near() -> None:
    server = RunOnServer(dense(100))
    scanned(planned(), HistoryHints(99, 100), server)
    asked_keys = [operation.variables["withKeys"] for operation in server.operations]
    assert asked_keys == [False] * 9 + [True]


def test_an_error_in_the_middle_can_be_tried_again_without_losing_rows() -> None:
    server = RunOnServer(dense(30))
    cursor = ScanCursor(planned(), HistoryHints(29, 30))
    assert served(next_rows(cursor), server.answer) == dense(30)[:10]
    with pytest.raises(ServerFailureError):
        served(next_rows(cursor), lambda _: Response(503, b""))
    rest: list[Row] = []
    while (rows := served(next_rows(cursor), server.answer)) is not None:
        rest += rows
    assert rest == dense(30)[10:]


@pytest.mark.parametrize(
    ("data", "error"),
    [({"project": None}, ProjectNotFoundError), ({"project": {"run": None}}, RunNotFoundError)],
)
def test_what_is_absent_is_told_apart(data: object, error: type[Exception]) -> None:
    flow = next_rows(ScanCursor(planned(), HistoryHints()))
    next(flow)
    with pytest.raises(error, match="e/p"):
        flow.send(answered(data))


@pytest.mark.parametrize("count", [None, 5])
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_null_is_not_no_rows(count: int | None, keys: list[str] | None) -> None:
    fields = {"history": None, "sampledHistory": None, "historyLineCount": count}
    with pytest.raises(IncompleteHistoryError, match="e/p/r are missing: the server sent null") as caught:
        served(next_rows(ScanCursor(planned(keys=keys), HistoryHints())), lambda _: in_project(run=fields))
    assert (caught.value.found, caught.value.expected) == (0, count)


def test_null_is_read_another_way_where_there_is_one() -> None:
    """A server that sends null where it is asked for much."""
    server = RunOnServer(dense(900))

    def answer(effect: Effect) -> Response:
        response = server.answer(effect)
        if on_the_wire(sent(effect))["samples"] <= 300:
            return response
        body = json.loads(response.content)
        body["data"]["project"]["run"]["history"] = None
        return answered(body["data"])

    cursor = ScanCursor(planned(page_size=1000), HistoryHints(899, 900), streams=True)
    read: list[Row] = []
    while (rows := served(next_rows(cursor), answer)) is not None:
        read += rows
    assert read == dense(900)


@pytest.mark.parametrize("fields", [{"history": None}, {"history": []}])
def test_a_window_without_anything_ends_the_scan(fields: dict[str, object]) -> None:
    cursor = ScanCursor(planned(), HistoryHints())
    response = in_project(run={"historyLineCount": 0, **fields})
    assert served(next_rows(cursor), lambda _: response) is None
    assert served(next_rows(cursor), lambda _: response) is None


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        (None, None),
        ({}, None),
        ({"lastStep": None}, None),
        ({"lastStep": -1}, None),
        ({"lastStep": 0}, 0),
        ({"lastStep": 7.0}, 7),
        ({"lastStep": "7"}, None),
        ([], None),
        ("text", None),
    ],
)
def test_the_last_step_is_read_leniently(keys: JSONValue, step: int | None) -> None:
    assert last_step(keys) == step


def test_a_table_has_the_rows_of_all_windows_and_the_step_first() -> None:
    rows: list[Row] = [*dense(15), {"acc": 1, "_step": 15}]
    table = served(scan_table(planned(), HistoryHints(15, 16), SampleLimits()), RunOnServer(rows).answer)
    assert list(table.columns) == ["_step", "loss", "acc"]
    assert table.height == 16


# Any: what untyped callers give
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"match": "none"}, ValueError, "match must be 'all' or 'any'"),
        ({"page_size": 0}, ValueError, "page_size must be at least 1"),
        ({"max_concurrency": 0}, ValueError, "max_concurrency must be at least 1"),
        ({"page_size": 2.5}, TypeError, "page_size must be an int"),
        ({"min_step": -1}, ValueError, "min_step must not be negative"),
        ({"max_step": -1}, ValueError, "max_step must not be negative"),
        ({"min_step": 1.5}, TypeError, "min_step must be an int"),
        ({"max_step": "9"}, TypeError, "max_step must be an int"),
        ({"min_step": True}, TypeError, "min_step must be an int"),
        ({"min_step": 9, "max_step": 8}, ValueError, r"max_step \(8\) must not be below min_step \(9\)"),
        ({"keys": "loss"}, TypeError, "keys must be a list of metric names"),
    ],
)
def test_what_cannot_be_scanned_is_refused(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    good: dict[str, Any] = {"keys": None, "match": "all", "page_size": 5, "min_step": None, "max_step": None}
    with pytest.raises(error, match=message):
        ScanPlan.checked(RunAddress("e", "p", "r"), **(good | given))
