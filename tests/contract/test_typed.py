"""Configs, summaries and rows as instances of a user's types, on both clients."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Annotated, Literal, NamedTuple, NotRequired, TypedDict

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.intercepting import InterceptingTransport
from tests.contract.untyped import Untyped, listed, taken

from runql import JSONValue, NotLoadedError, RunqlError, UnexpectedValueError
from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 30


class Kind(Enum):
    ADAM = "adam"
    SGD = "sgd"


class Optimizer(BaseModel):
    batch_size: int
    kind: Kind = Kind.ADAM


class Train(BaseModel):
    lr: float
    optimizer: Optimizer


@dataclass
class Scores:
    acc: float
    loss: Annotated[float | None, Field(alias="train/loss")] = None


class ScoreDict(TypedDict):
    acc: float
    missing: NotRequired[int]


class ScorePair(NamedTuple):
    acc: float
    missing: int = 7


class LossRow(BaseModel):
    step: int = Field(alias="_step")
    loss: float
    rare: float | None = None


class NestedRow(BaseModel):
    class Deep(BaseModel):
        x: int

    deep: Deep


class AnyRow(TypedDict, total=False):
    loss: float
    rare: float


HISTORY: list[dict[str, JSONValue]] = [
    {
        **({"loss": step / 2} if step % 2 else {}),
        **({"rare": step} if step % 3 == 0 else {}),
        **({"deep": {"x": step}} if step % 10 == 0 else {}),
        "odd": "text" if step == 20 else step,
    }
    for step in range(ROWS)
]
RUNS = [
    SeedRun(
        name="good",
        config={"lr": 1, "optimizer": {"batch_size": 64, "kind": "sgd", "other": 1}, "more": "x"},
        summary={"acc": float("nan"), "train/loss": 0.5},
        history=HISTORY,
    ),
    SeedRun(name="word", config={"lr": "fast", "optimizer": {"batch_size": 1}}, summary={"acc": 1}),
    SeedRun(name="flag", config={"lr": 0.1, "optimizer": {"batch_size": True}}, summary={"acc": 1}),
    SeedRun(name="none", config={"lr": 0.1}, summary={"acc": "high", "train/loss": "low"}),
    SeedRun(name="last", config={"lr": 0.1, "optimizer": {"batch_size": 2}}, summary={"acc": 0}),
]


@pytest.fixture(scope="module")
def seeded() -> Iterator[RunningServer]:
    with RunningServer(export_policy=ExportPolicy(above_rows=10_000)) as running:
        running.seed("p", RUNS)
        yield running


@pytest.fixture
def api(seeded: RunningServer, face: Face) -> AnyApi:
    return face.api(seeded.url, seeded.api_key, overrides={"entity": seeded.entity})


@pytest.fixture
def run(api: AnyApi, face: Face) -> AnyRun:
    return face.take(api.run("p/good"))


def runs_of(api: AnyApi, face: Face, **options: Untyped) -> Untyped:
    """The runs in the order in which they were seeded."""
    return taken(face, api.runs("p", order="+created_at", **options))


def _listed_part(face: Face, many: Untyped) -> list[Untyped]:
    """The first item alone."""
    return [*face.items(many, 1)]


# -- one run -----------------------------------------------------------------------------------------------------


def test_a_config_is_an_instance_of_a_model_without_a_request(run: AnyRun, api: AnyApi) -> None:
    before = api.traffic.requests
    config = run.config_as(Train)
    assert config == Train(lr=1.0, optimizer=Optimizer(batch_size=64, kind=Kind.SGD))
    assert isinstance(config.lr, float)
    assert api.traffic.requests == before


def test_a_summary_is_a_dataclass_a_typed_dict_or_a_named_tuple(run: AnyRun) -> None:
    scores = run.summary_as(Scores)
    assert math.isnan(scores.acc)
    assert scores.loss == 0.5
    assert set(run.summary_as(ScoreDict)) == {"acc"}
    assert run.summary_as(ScorePair).missing == 7


def test_what_was_assigned_is_read(run: AnyRun) -> None:
    run.config["lr"] = 0.25
    run.summary["acc"] = 2
    assert run.config_as(Train).lr == 0.25
    assert run.summary_as(Scores).acc == 2.0


@pytest.mark.parametrize(
    ("name", "key", "value", "expected", "said"),
    [
        ("word", "lr", "fast", "float", "lr is 'fast', expected float"),
        ("flag", "optimizer.batch_size", True, "int", "optimizer.batch_size is True, expected int"),
        ("none", "optimizer", None, "Optimizer", "optimizer is missing, expected Optimizer"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    name: str, key: str, value: object, expected: str, said: str, api: AnyApi, face: Face
) -> None:
    run = face.take(api.run(f"p/{name}"))
    with pytest.raises(UnexpectedValueError) as caught:
        run.config_as(Train)
    error = caught.value
    assert (error.run, error.place, error.key) == (f"{run.entity}/p/{name}", "config", key)
    assert (error.value, error.expected, error.step, error.others) == (value, expected, None, ())
    assert str(error) == f"the config of run {run.entity}/p/{name} does not fit: {said}"
    assert error.__cause__ is None


def test_everything_that_does_not_fit_is_named(api: AnyApi, face: Face) -> None:
    with pytest.raises(UnexpectedValueError, match="acc is 'high', expected float") as caught:
        face.take(api.run("p/none")).summary_as(Scores)
    assert caught.value.others == ("train/loss is 'low', expected float | None",)


def test_a_value_without_a_json_form_is_named(run: AnyRun) -> None:
    class Note(BaseModel):
        note: str | None = None

    run.config["other"] = "half \ud800"
    assert run.config_as(Note).note is None
    deep: JSONValue = "x"
    for _ in range(300):
        deep = [deep]
    for value in ("half \ud800", deep):
        run.config["note"] = value
        with pytest.raises(
            UnexpectedValueError, match=r"expected str \| None: it has no JSON form"
        ) as caught:
            run.config_as(Note)
        assert caught.value.key == "note"


# -- lists of runs -----------------------------------------------------------------------------------------------


def test_runs_come_with_config_and_summary_by_one_request_a_page(api: AnyApi, face: Face) -> None:
    typed = runs_of(api, face, per_page=2).typed(config=Train, summary=Scores, on_invalid="skip")
    assert api.traffic.requests == 0
    found = listed(face, typed)
    assert [each.run.id for each in found] == ["good", "last"]
    assert found[1].config == Train(lr=0.1, optimizer=Optimizer(batch_size=2))
    assert found[1].summary == Scores(acc=0.0)
    assert api.traffic.requests == 3
    skipped: list[Untyped] = typed.skipped
    assert [(run.id, error.key) for run, error in skipped] == [
        ("word", "lr"),
        ("flag", "optimizer.batch_size"),
        ("none", "optimizer"),
    ]
    assert [each.run.id for each in listed(face, typed)] == ["good", "last"]
    assert api.traffic.requests == 3
    assert len(typed.skipped) == 3


def test_one_type_leaves_the_other_part_out(api: AnyApi, face: Face) -> None:
    runs = runs_of(api, face)
    scores = listed(face, runs.typed(summary=Scores, on_invalid="skip"))
    assert [each.run.id for each in scores] == ["good", "word", "flag", "last"]
    assert {each.config for each in scores} == {None}
    configs = listed(face, runs.typed(config=Train, on_invalid="skip"))
    assert {each.summary for each in configs} == {None}
    assert api.traffic.requests == 1


def test_the_first_run_that_does_not_fit_ends_the_iteration(api: AnyApi, face: Face) -> None:
    typed = runs_of(api, face).typed(config=Train)
    (first,) = _listed_part(face, typed)
    assert first.run.id == "good"
    with pytest.raises(UnexpectedValueError, match="lr is 'fast'"):
        listed(face, typed)
    assert typed.skipped == []


def test_a_lazy_list_reads_each_page_once_more(api: AnyApi, face: Face) -> None:
    typed = runs_of(api, face, lazy=True, per_page=3).typed(config=Train, on_invalid="skip")
    assert [each.run.id for each in listed(face, typed)] == ["good", "last"]
    assert api.traffic.requests == 4


def test_a_light_run_is_loaded_or_says_that_it_must_be(api: AnyApi, face: Face) -> None:
    def config(run: AnyRun) -> float:
        return run.config_as(Train).lr

    def missing(run: AnyRun) -> float:
        return run.summary_as(ScorePair).missing

    for read in (config, missing):
        before = api.traffic.requests
        run = listed(face, runs_of(api, face, lazy=True))[0]
        if face.name == "sync":
            assert read(run) in {1.0, 7}
            assert api.traffic.requests - before == 2
        else:
            with pytest.raises(NotLoadedError):
                read(run)


# -- rows --------------------------------------------------------------------------------------------------------


def test_rows_have_the_required_keys_and_perhaps_the_optional_ones(
    run: AnyRun, api: AnyApi, face: Face
) -> None:
    before = api.traffic.requests
    rows = listed(face, run.scan_history(row=LossRow))
    assert api.traffic.requests - before == 1
    assert rows == [
        LossRow(_step=step, loss=step / 2, rare=step if step % 3 == 0 else None) for step in range(1, ROWS, 2)
    ]


def test_the_keys_of_a_type_are_requested_and_no_others(seeded: RunningServer, face: Face) -> None:
    transport = InterceptingTransport(lambda _sent: None)
    api = face.api(seeded.url, seeded.api_key, overrides={"entity": seeded.entity}, transport=transport)
    run = face.take(api.run("p/good"))
    for kind, keys in (
        (LossRow, [["_step", "loss"], ["_step", "rare"]]),
        (OddRow, [["_step", "odd"]]),
        (NestedRow, [["_step", "deep.x"]]),
    ):
        transport.seen.clear()
        listed(face, run.scan_history(row=kind, on_invalid="skip"))
        specs = [spec for sent in transport.seen for spec in sent.variables.get("specs", [])]
        assert [json.loads(spec)["keys"] for spec in specs] == keys


def test_without_a_required_key_rows_have_at_least_one(run: AnyRun, face: Face) -> None:
    rows = listed(face, run.scan_history(row=AnyRow))
    assert len(rows) == sum("loss" in row or "rare" in row for row in HISTORY)
    assert {} not in rows


def test_a_nested_type_reads_dotted_keys(run: AnyRun, face: Face) -> None:
    assert [row.deep.x for row in listed(face, run.scan_history(row=NestedRow))] == [0, 10, 20]


def test_the_step_alone_gives_every_row(run: AnyRun, face: Face) -> None:
    class StepRow(BaseModel):
        step: int = Field(alias="_step")

    assert [row.step for row in listed(face, run.scan_history(row=StepRow))] == list(range(ROWS))


@pytest.mark.parametrize("page_size", [7, 1000])
def test_bounds_and_windows_hold_for_typed_rows(page_size: int, run: AnyRun, face: Face) -> None:
    typed = listed(face, run.scan_history(row=LossRow, page_size=page_size, min_step=5, max_step=20))
    assert [row.step for row in typed] == list(range(5, 20, 2))


class OddRow(BaseModel):
    model_config = ConfigDict(extra="forbid")

    odd: int


def test_rows_before_one_that_does_not_fit_are_returned(run: AnyRun, face: Face) -> None:
    scan = run.scan_history(row=OddRow)
    assert [row.odd for row in face.items(scan, 20)] == list(range(20))
    with pytest.raises(UnexpectedValueError) as caught:
        listed(face, scan)
    error = caught.value
    assert (error.place, error.key, error.value, error.expected, error.step) == (
        "row",
        "odd",
        "text",
        "int",
        20,
    )
    assert (
        str(error)
        == f"the row of step 20 of run {run.entity}/p/good does not fit: odd is 'text', expected int"
    )


def test_rows_that_do_not_fit_can_be_left_out(run: AnyRun, face: Face) -> None:
    scan: Untyped = run.scan_history(row=OddRow, on_invalid="skip")
    assert [row.odd for row in listed(face, scan)] == [step for step in range(ROWS) if step != 20]
    ((row, error),) = scan.skipped
    assert row["odd"] == "text"
    assert error.step == 20
    listed(face, scan)
    assert len(scan.skipped) == 1


def test_rows_come_one_by_one_too(run: AnyRun, face: Face) -> None:
    scan: Untyped = run.scan_history(row=LossRow)
    first = next(scan) if face.name == "sync" else taken(face, scan.__anext__())
    assert first == LossRow(_step=1, loss=0.5)


def test_frames_have_the_same_rows_and_keys(run: AnyRun, face: Face) -> None:
    frame = taken(face, run.scan_history(row=LossRow).to_polars())
    assert frame.columns == ["_step", "loss", "rare"]
    assert frame["_step"].to_list() == list(range(1, ROWS, 2))
    assert taken(face, run.scan_history(row=LossRow).to_arrow()).num_rows == frame.height
    assert list(taken(face, run.scan_history(row=LossRow).to_pandas()).columns) == frame.columns


def test_rows_of_exports_are_the_same(face: Face) -> None:
    with RunningServer(export_policy=ExportPolicy()) as exporting:
        exporting.seed("p", [SeedRun(name="long", history=[*HISTORY] * 100)])
        api = face.api(exporting.url, exporting.api_key, overrides={"entity": exporting.entity})
        run = face.take(api.run("p/long"))
        rows = listed(face, run.scan_history(row=LossRow, page_size=500))
        wanted = [(step, HISTORY[step % ROWS]) for step in range(100 * ROWS) if step % ROWS % 2]
        assert rows == [LossRow.model_validate({"_step": step, "rare": None, **row}) for step, row in wanted]
        frame = taken(face, run.scan_history(row=LossRow, page_size=500).to_polars())
        assert frame["_step"].to_list() == [step for step, _ in wanted]
        assert frame.columns == ["_step", "loss", "rare"]
        assert api.traffic.requests > 1


# -- bad input ---------------------------------------------------------------------------------------------------


class Nothing(BaseModel):
    pass


class Left(BaseModel):
    left: int


class Right(BaseModel):
    right: int


class Unclear(BaseModel):
    side: Left | Right


class Blank(BaseModel):
    blank: int = Field(alias=" loss")


class Choice(BaseModel):
    loss: float = Field(validation_alias=AliasChoices("loss", "train/loss"))


@dataclass
class Outside:
    """On Python 3.11 pydantic takes such a typed dict only from `typing_extensions`."""

    scores: ScoreDict


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes it there")
def test_a_typed_dict_inside_of_another_type_is_refused_in_the_words_of_pydantic(run: AnyRun) -> None:
    with pytest.raises(TypeError, match=r"use `typing_extensions\.TypedDict` instead of"):
        run.summary_as(Outside)


REFUSED = pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Nothing, "it has no fields"),
        (int, "no fields that name keys"),
        (dict[str, float], "no fields that name keys"),
        (Unclear, "give it a discriminator"),
        (Left | Right, "give it a discriminator"),
        ({"loss": float}, "it is no type"),
        ("Train", "it is no type"),
    ],
    ids=["no fields", "int", "dict", "union inside", "union", "a dict", "a str"],
)


@REFUSED
def test_a_type_that_names_no_keys_is_refused_before_anything_is_sent(
    kind: Untyped, said: str, run: AnyRun, api: AnyApi, face: Face
) -> None:
    runs = runs_of(api, face)
    before = api.traffic.requests
    calls: list[Untyped] = [
        partial(run.config_as, kind),
        partial(run.summary_as, kind),
        partial(run.scan_history, row=kind),
        partial(runs.typed, config=kind),
        partial(runs.typed, summary=kind),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=said):
            call()
    assert api.traffic.requests == before


def test_arguments_that_exclude_each_other_are_refused(run: AnyRun, api: AnyApi, face: Face) -> None:
    untyped: Untyped = run
    runs = runs_of(api, face)
    before = api.traffic.requests
    refused: list[tuple[type[Exception], str, Untyped]] = [
        (ValueError, "give row, or keys", lambda: untyped.scan_history(["loss"], row=LossRow)),
        (ValueError, "give row, or keys", lambda: untyped.scan_history(row=LossRow, match="any")),
        (ValueError, "on_invalid must be", lambda: untyped.scan_history(row=LossRow, on_invalid="drop")),
        (ValueError, "give row too", lambda: untyped.scan_history(on_invalid="skip")),
        (ValueError, "no metric name, ' loss'", lambda: untyped.scan_history(row=Blank)),
        (ValueError, "several keys", lambda: untyped.scan_history(row=Choice)),
        (ValueError, "on_invalid must be", lambda: runs.typed(config=Train, on_invalid="drop")),
        (TypeError, "needs the type", runs.typed),
    ]
    for kind, said, call in refused:
        with pytest.raises(kind, match=said):
            call()
    assert api.traffic.requests == before


def test_an_error_of_a_type_is_no_error_of_pydantic(run: AnyRun) -> None:
    class Positive(BaseModel):
        lr: Annotated[float, Field(gt=5)]
        more: Literal["y", "z"]

    with pytest.raises(RunqlError, match="lr is 1, expected float: Input should be greater than 5") as caught:
        run.config_as(Positive)
    assert caught.value.__cause__ is None
    assert isinstance(caught.value, UnexpectedValueError)
    assert caught.value.others == ("more is 'x', expected Literal['y', 'z']",)
