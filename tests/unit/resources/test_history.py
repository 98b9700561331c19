"""Sampled rows of one run: what is asked, what is read, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.resources.answers import in_project
from tests.unit.transport.stepping import answered, ended

from runql.errors import CorruptHistoryError, IncompleteHistoryError, ProjectNotFoundError, RunNotFoundError
from runql.paths import RunAddress
from runql.resources.history.sampled import Row, SampleOptions, checked_keys, sample_run
from runql.transport.flow import Send
from runql_graphql.operations import get_history

WHOLE = SampleOptions.checked(500, None, "_step", "default")
CHOSEN = SampleOptions.checked(100, ["loss", "acc"], "_step", "default")
SYSTEM = SampleOptions.checked(500, None, "_step", "system")
SYSTEM_CHOSEN = SampleOptions.checked(500, ["system.cpu"], "_step", "system")


def read(options: SampleOptions, **fields: object) -> list[Row]:
    flow = sample_run(RunAddress("e", "p", "r"), options)
    next(flow)
    return ended(flow, in_project(run={"id": "storage:r", "name": "r", **fields}))


@pytest.mark.parametrize(
    ("options", "samples", "specs", "whole", "system"),
    [
        (WHOLE, 500, [], True, False),
        (CHOSEN, 100, [{"keys": ["_step", "loss", "acc"], "samples": 100}], False, False),
        (SYSTEM, 500, [], False, True),
        (SYSTEM_CHOSEN, 500, [], False, True),
    ],
)
def test_one_request_asks_for_one_kind_of_rows(
    options: SampleOptions, samples: int, specs: list[object], *, whole: bool, system: bool
) -> None:
    asked = get_history(
        entity="e",
        project="p",
        run="r",
        samples=samples,
        specs=[json.dumps(spec) for spec in specs],
        whole=whole,
        system=system,
        chosen=bool(specs),
    )
    assert next(sample_run(RunAddress("e", "p", "r"), options)) == Send(asked)


def test_the_x_axis_comes_first_and_once() -> None:
    options = SampleOptions.checked(5, ["loss", "epoch", "loss"], "epoch", "default")
    assert [json.loads(spec) for spec in options.specs] == [{"keys": ["epoch", "loss"], "samples": 5}]


def test_whole_rows_are_read_from_texts() -> None:
    rows = read(WHOLE, history=['{"_step": 0, "loss": 1}', '{"_step": 1, "loss": NaN, "m": {"_type": "x"}}'])
    assert repr(rows) == "[{'_step': 0, 'loss': 1}, {'_step': 1, 'loss': nan, 'm': {'_type': 'x'}}]"


def test_both_spellings_of_special_floats_are_floats() -> None:
    lines = [
        '{"a": NaN, "b": "NaN"}',
        '{"a": Infinity, "b": "Infinity"}',
        '{"a": -Infinity, "b": "-Infinity"}',
    ]
    rows = read(WHOLE, history=lines)
    assert repr(rows) == "[{'a': nan, 'b': nan}, {'a': inf, 'b': inf}, {'a': -inf, 'b': -inf}]"
    chosen = read(CHOSEN, sampledHistory=[[{"loss": "NaN", "acc": math.inf}]])
    assert repr(chosen) == "[{'loss': nan, 'acc': inf}]"


def test_chosen_rows_are_read_from_objects() -> None:
    rows: list[Row] = [{"_step": 0, "loss": 1.0, "acc": 2}]
    assert read(CHOSEN, sampledHistory=[rows]) == rows


def test_a_run_without_rows_is_empty() -> None:
    assert read(WHOLE, history=[]) == []
    none: list[Row] = []
    assert read(CHOSEN, sampledHistory=[none]) == []
    assert read(SYSTEM, events=[]) == []


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (WHOLE, {}),
        (WHOLE, {"history": None}),
        (SYSTEM, {"events": None}),
        (SYSTEM_CHOSEN, {"events": None}),
        *((CHOSEN, {"sampledHistory": lists}) for lists in (None, [], [None], ["text"], [{"a": 1}])),
    ],
)
def test_null_or_another_shape_is_not_no_rows(options: SampleOptions, fields: dict[str, object]) -> None:
    with pytest.raises(IncompleteHistoryError, match="e/p/r are missing: the server sent null") as caught:
        read(options, **fields)
    assert (caught.value.run, caught.value.found, caught.value.expected) == ("e/p/r", 0, None)


@pytest.mark.parametrize(
    ("options", "fields", "row"),
    [
        (WHOLE, {"history": ['{"_step": 0}', "no JSON"]}, 1),
        (WHOLE, {"history": ['{"_step": 0}', "null"]}, 1),
        (WHOLE, {"history": ['{"_step": 0}', ""]}, 1),
        (WHOLE, {"history": ["[]"]}, 0),
        (WHOLE, {"history": ['{"_step": 0}', '{"_step": "text"}']}, 1),
        (WHOLE, {"history": ['{"_step": true}']}, 0),
        (WHOLE, {"history": ['{"_step": NaN}']}, 0),
        (SYSTEM, {"events": ["no JSON"]}, 0),
        (SYSTEM_CHOSEN, {"events": ["7"]}, 0),
        (CHOSEN, {"sampledHistory": [[{"_step": 0, "loss": 1, "acc": 1}, None]]}, 1),
        (CHOSEN, {"sampledHistory": [["text"]]}, 0),
        (CHOSEN, {"sampledHistory": [[{"_step": "x", "loss": 1, "acc": 1}]]}, 0),
    ],
)
def test_a_row_that_cannot_be_read_is_named(
    options: SampleOptions, fields: dict[str, object], row: int
) -> None:
    with pytest.raises(CorruptHistoryError, match="e/p/r") as caught:
        read(options, **fields)
    assert (caught.value.run, caught.value.row) == ("e/p/r", row)


@pytest.mark.parametrize("options", [WHOLE, CHOSEN])
def test_rows_that_come_in_another_order_are_put_in_step_order(options: SampleOptions) -> None:
    rows: list[Row] = [{"_step": step, "loss": step, "acc": 1} for step in (0, 7, 3, 9, 4.0)]
    found = read(options, history=[json.dumps(row) for row in rows], sampledHistory=[rows])
    assert [row["_step"] for row in found] == [0, 3, 4.0, 7, 9]


def test_machine_rows_are_read_from_texts() -> None:
    assert read(SYSTEM, events=['{"_runtime": 1, "system.cpu": 5}']) == [{"_runtime": 1, "system.cpu": 5}]


def test_chosen_machine_rows_have_their_time_and_only_rows_with_all_keys() -> None:
    events = [
        '{"_runtime": 1, "_timestamp": 9, "_wandb": true, "system.cpu": 5, "system.gpu": 1}',
        '{"_runtime": 2, "_timestamp": 10, "system.gpu": 1}',
        '{"_runtime": 3, "_timestamp": 11, "system.cpu": null}',
    ]
    assert read(SYSTEM_CHOSEN, events=events) == [{"_timestamp": 9, "_runtime": 1, "system.cpu": 5}]


@pytest.mark.parametrize(
    ("data", "error"),
    [({"project": None}, ProjectNotFoundError), ({"project": {"run": None}}, RunNotFoundError)],
)
def test_what_is_absent_is_told_apart(data: object, error: type[Exception]) -> None:
    flow = sample_run(RunAddress("e", "p", "r"), WHOLE)
    next(flow)
    with pytest.raises(error, match="e/p"):
        flow.send(answered(data))


@pytest.mark.parametrize(
    ("keys", "checked"),
    [(None, None), ([], None), ((), None), (["a"], ("a",)), (["b", "a", "b"], ("b", "a"))],
)
def test_keys_without_repeats(keys: Sequence[str] | None, checked: tuple[str, ...] | None) -> None:
    assert checked_keys(keys) == checked


# Any: what untyped callers give
@pytest.mark.parametrize("keys", ["loss", "", [1], ["loss", None], [b"loss"]])
def test_keys_that_are_no_list_of_texts_are_a_type_error(keys: Any) -> None:
    with pytest.raises(TypeError, match="keys must be a list of metric names"):
        SampleOptions.checked(500, keys, "_step", "default")


@pytest.mark.parametrize("keys", [5, 1.5, True])
def test_keys_that_are_no_list_at_all_are_a_type_error_that_says_so(keys: Any) -> None:
    with pytest.raises(TypeError, match="keys must be a list of metric names"):
        checked_keys(keys)


@pytest.mark.parametrize("samples", [0, -5])
def test_samples_below_one_are_refused(samples: int) -> None:
    with pytest.raises(ValueError, match="samples must be at least 1"):
        SampleOptions.checked(samples, None, "_step", "default")


@pytest.mark.parametrize("stream", ["", "metrics", "System", None])
def test_an_unknown_stream_is_refused(stream: Any) -> None:
    with pytest.raises(ValueError, match="stream must be 'default' for metrics, or 'system'"):
        SampleOptions.checked(500, None, "_step", stream)


@pytest.mark.parametrize("x_axis", [None, 5, ["_step"]])
def test_an_x_axis_that_is_no_text_is_a_type_error(x_axis: Any) -> None:
    with pytest.raises(TypeError, match="x_axis"):
        SampleOptions.checked(500, ["loss"], x_axis, "default")
