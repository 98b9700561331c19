"""Filters and orders as expressions: which runs both clients list by them, and by how many requests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.contract.both_clients import Face
from tests.contract.test_sweeps import make_sweep, operations, path
from tests.contract.untyped import Untyped, listed, taken

from runql import UnorderedError, UnorderedWarning, filters
from runql.filters import (
    Filter,
    Order,
    config,
    created_at,
    display_name,
    duration,
    heartbeat_at,
    state,
    summary,
    tags,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=5))
LR, FLAT, ACC, LOSS = (
    config("opt.lr", float),
    config("flat.lr", float),
    summary("acc", float),
    summary("val.loss", float),
)

FOUND: dict[str, tuple[Filter, list[str]]] = {
    "a nested entry": (LR < 0.5, ["a", "b"]),
    "a tiny number": (LR == 1e-05, ["a"]),
    "a key with a dot": (FLAT > 0.1, ["c"]),
    "an int for a float": (LR >= 1, ["c"]),
    "no value": (ACC.eq(None), ["c"]),
    "any value": (ACC.exists(), ["a", "b"]),
    "a dotted summary key": (LOSS.between(0.1, 0.2), ["a"]),
    "a bool": (config("fast", bool) == True, ["b"]),  # noqa: E712 - a comparison makes a filter
    "a str": (config("kind", str).is_in("x", "y"), ["a", "b"]),
    "an int": (config("depth", int) != 2, ["a", "c"]),
    "state": (state == "crashed", ["b"]),
    "other states": (state != "crashed", ["a", "c"]),
    "states": (state.is_in("crashed", "failed"), ["b", "c"]),
    "a tag": (tags.contains("best") & ~tags.contains("old"), ["a"]),
    "tags": (tags.contains_any("best", "old"), ["a", "b"]),
    "the id": (filters.id == "a", ["a"]),
    "the name": (display_name.matches("^run [bc]$"), ["b", "c"]),
    "a time": (created_at > NOON.astimezone(EAST), ["b", "c"]),
    "another time": (heartbeat_at <= NOON + timedelta(hours=1), ["a"]),
    "a duration": (duration > 5400, ["b", "c"]),
    "a host": (filters.host == "h1", ["a"]),
    "notes": (filters.notes.exists() | (filters.group == "g"), ["a", "b"]),
    "a type of job": (filters.job_type == "eval", ["c"]),
    "the owner": (filters.user.exists(), ["a", "b", "c"]),
    "a plain filter": (Filter({"group": "g"}) & (LR < 1.0), ["b"]),
    "everything at once": (
        (LR < 0.5) & tags.contains("best") & state.is_in("finished", "crashed") & (created_at >= NOON) & ACC.exists(),
        ["a", "b"],
    ),
}  # fmt: skip
ORDERS: dict[str, tuple[Order, list[str]]] = {
    "a nested entry": (LR.desc(), ["c", "b", "a"]),
    "a key with a dot": (FLAT.asc(), ["a", "b", "c"]),
    "a summary value": (LOSS.desc(), ["c", "b", "a"]),
    "a time": (created_at.desc(), ["c", "b", "a"]),
    "a name": (display_name.asc(), ["a", "b", "c"]),
    "a duration": (duration.desc(), ["c", "b", "a"]),
}


def seeds(sweep: str | None = None) -> list[SeedRun]:
    return [
        SeedRun(
            name="a",
            display_name="run a",
            config={"opt": {"lr": 1e-05}, "flat.lr": 0.01, "kind": "x", "fast": False, "depth": 1},
            summary={"acc": 0.5, "val.loss": 0.1},
            tags=("best",),
            host="h1",
            notes="good",
            sweep=sweep,
            created_at=NOON,
            heartbeat_at=NOON + timedelta(hours=1),
        ),
        SeedRun(
            name="b",
            display_name="run b",
            state="crashed",
            config={"opt": {"lr": 0.1}, "flat.lr": 0.1, "kind": "y", "fast": True, "depth": 2},
            summary={"acc": 0.9, "val": {"loss": 0.3}},
            tags=("best", "old"),
            group="g",
            sweep=sweep,
            created_at=NOON + timedelta(hours=1),
            heartbeat_at=NOON + timedelta(hours=3),
        ),
        SeedRun(
            name="c",
            display_name="run c",
            state="failed",
            config={"opt": {"lr": 1}, "flat.lr": 1.0, "depth": 3},
            summary={"val.loss": 0.4},
            job_type="eval",
            sweep=sweep,
            created_at=NOON + timedelta(hours=2),
            heartbeat_at=NOON + timedelta(hours=5),
        ),
    ]


@pytest.fixture
def api(server: RunningServer, face: Face) -> Untyped:
    return face.api(server.url, server.api_key)


def test_a_filter_finds_its_runs(api: Untyped, face: Face, server: RunningServer, project: str) -> None:
    server.seed(project, seeds())
    for case, (made, ids) in FOUND.items():
        server.clear()
        found = taken(face, api.runs(f"{server.entity}/{project}", made))
        assert [run.id for run in listed(face, found)] == ids, case
        assert operations(server) == ["ListFullRuns"], case


def test_an_order_orders(api: Untyped, face: Face, server: RunningServer, project: str) -> None:
    server.seed(project, seeds())
    for case, (order, ids) in ORDERS.items():
        server.clear()
        found = taken(face, api.runs(f"{server.entity}/{project}", order=order))
        assert [run.id for run in listed(face, found)] == ids, case
        assert operations(server) == ["ListFullRuns"], case


def test_a_project_and_its_histories_take_them(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    server.seed(
        project,
        [
            SeedRun(name=name, config={"lr": lr}, history=[{"loss": lr}])
            for name, lr in (("a", 1.0), ("b", 0.1))
        ],
    )
    found = taken(face, taken(face, api.project(project, server.entity))).runs(config("lr", float) < 0.5)
    server.clear()
    rows = taken(face, found.histories(keys=["loss"]))
    assert [(row["run_id"], row["loss"]) for row in rows] == [("b", 0.1)]
    sent = operations(server)
    server.clear()
    plain = taken(face, api.project(project, server.entity)).runs({"config.lr": {"$lt": 0.5}})
    server.clear()
    assert taken(face, plain.histories(keys=["loss"])) == rows
    assert operations(server) == sent


def test_the_best_run_takes_orders(api: Untyped, face: Face, server: RunningServer, project: str) -> None:
    name = make_sweep(server, project, "method: random\nmetric: {name: nope, goal: maximize}")
    server.seed(project, seeds(name))
    sweep = taken(face, api.sweep(path(server, project, name)))
    for order, best in ((ACC.desc(), "b"), (LOSS.asc(), "a"), (LR.desc(), "c")):
        server.clear()
        assert taken(face, sweep.best_run(order)).id == best
        assert operations(server) == ["ListFullRuns"]
    swept = taken(face, api.runs(f"{server.entity}/{project}", filters.sweep == name, ACC.desc()))
    assert listed(face, swept)[0].id == "b"


@pytest.mark.parametrize("given", [LR, tags, state, True])
def test_what_is_no_filter_is_refused_before_anything_is_sent(
    given: object, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    with pytest.raises(TypeError, match="filters must be a dict"):
        taken(face, api.runs(f"{server.entity}/{project}", given))
    with pytest.raises(TypeError, match="made of"):
        Filter(given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] — the mistake
    assert operations(server) == []


def test_a_field_is_no_order(api: Untyped, face: Face, server: RunningServer, project: str) -> None:
    with pytest.raises(TypeError, match="a field"):
        taken(face, api.runs(f"{server.entity}/{project}", order=LR))
    assert operations(server) == []


@pytest.mark.parametrize("order", [summary("nope", float).desc(), config("no.pe", float).asc()])
def test_an_order_by_what_no_run_has_is_an_error_where_wanted(
    order: Order, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    server.seed(project, seeds())
    where = f"{server.entity}/{project}"
    strict = taken(face, api.runs(where, order=order, missing="raise"))
    in_project = taken(face, api.project(project, server.entity)).runs(order=order, missing="raise")
    for runs in (strict, in_project):
        server.clear()
        with pytest.raises(
            UnorderedError, match=f"none of the first 3 runs of {where} has a value of {order[1:]} to"
        ) as caught:
            listed(face, runs)
        assert caught.value.order == order
        assert operations(server) == ["ListFullRuns"]
    with pytest.warns(UnorderedWarning):
        assert len(listed(face, taken(face, api.runs(where, order=order, missing="last")))) == 3


def test_an_order_by_what_a_run_has_is_none(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    where = f"{server.entity}/{project}"
    server.seed(project, seeds())
    for given in ({"order": ACC.desc()}, {}, {"order": ACC.desc(), "filters": state.eq("killed")}):
        server.clear()
        found = taken(face, api.runs(where, missing="raise", **given))
        assert len(listed(face, found)) == (0 if "filters" in given else 3)
        assert operations(server) == ["ListFullRuns"]


def test_no_best_run_is_an_error_where_wanted(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    name = make_sweep(server, project, "method: random\nmetric: {name: acc, goal: maximize}")
    server.seed(project, seeds(name))
    sweep = taken(face, api.sweep(path(server, project, name)))
    server.clear()
    assert taken(face, sweep.best_run(missing="raise")).id == "b"
    assert operations(server) == ["ListFullRuns"]
    server.clear()
    assert taken(face, sweep.best_run("nope")) is None
    requests = operations(server)
    server.clear()
    with pytest.raises(UnorderedError, match=r"none of the runs of .* has a value of summary_metrics\.nope"):
        taken(face, sweep.best_run("nope", missing="raise"))
    assert operations(server) == requests


def test_a_bad_missing_is_refused_before_anything_is_sent(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    where = f"{server.entity}/{project}"
    with pytest.raises(ValueError, match="'last' or 'raise', not 'first'"):
        taken(face, api.runs(where, missing="first"))
    with pytest.raises(ValueError, match="lazy=True"):
        taken(face, api.runs(where, missing="raise", lazy=True))
    assert operations(server) == []


def test_histories_do_not_look_at_the_order(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    server.seed(project, [SeedRun(name="a", history=[{"loss": 1.0}])])
    order = summary("nope", float).desc()
    found = taken(face, api.runs(f"{server.entity}/{project}", order=order, missing="raise"))
    rows = taken(face, found.histories(keys=["loss"]))
    assert [row["loss"] for row in rows] == [1.0]
