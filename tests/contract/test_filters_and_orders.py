"""Filters of each operator and orders: what is listed is what was asked for, as seen in the runs themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.sample_facts import FAMILY, LEARNING_RATE, SHORT_FAMILY, VALIDATION_LOSS, a_run
from tests.contract.world import World

from runql import JSONValue

Filter: TypeAlias = dict[str, JSONValue]
Fits: TypeAlias = Callable[[AnyRun], bool]

LOOKED_AT = 2
NEWEST = "-created_at"


def number(run: AnyRun, key: str) -> float:
    value = run.config.get(key, math.nan)
    return float(value) if isinstance(value, int | float) else math.nan


def check(face: Face, api: AnyApi, world: World, filters: Filter, fits: Fits) -> None:
    """Every run that is found fits, and not all runs are found."""
    lazy = not re.search("config|summary", str(filters))
    found = face.take(api.runs(world.path, filters, per_page=LOOKED_AT, lazy=lazy))
    looked_at = face.items(found, LOOKED_AT)
    assert looked_at
    assert all(fits(run) for run in looked_at)
    assert (
        0 < face.take(found.length) < face.take(face.take(api.runs(world.path, per_page=1, lazy=True)).length)
    )
    assert api.traffic.requests == 2


STATES: list[tuple[str, Filter, Fits]] = [
    ("plain", {"state": "finished"}, lambda run: run.state == "finished"),
    ("eq", {"state": {"$eq": "crashed"}}, lambda run: run.state == "crashed"),
    ("ne", {"state": {"$ne": "finished"}}, lambda run: run.state != "finished"),
    ("in", {"state": {"$in": ["crashed", "running"]}}, lambda run: run.state in {"crashed", "running"}),
    ("nin", {"state": {"$nin": ["crashed", "running"]}}, lambda run: run.state == "finished"),
]
NUMBERS: list[tuple[str, Filter, Fits]] = [
    ("gt", {f"config.{LEARNING_RATE}": {"$gt": 0.1}}, lambda run: number(run, LEARNING_RATE) > 0.1),
    ("gte", {f"config.{LEARNING_RATE}": {"$gte": 0.1}}, lambda run: number(run, LEARNING_RATE) >= 0.1),
    ("lt", {f"config.{LEARNING_RATE}": {"$lt": 0.1}}, lambda run: number(run, LEARNING_RATE) < 0.1),
    ("lte", {f"config.{LEARNING_RATE}": {"$lte": 0.1}}, lambda run: number(run, LEARNING_RATE) <= 0.1),
    (
        "value",
        {f"config.{LEARNING_RATE}.value": {"$gt": 0.05, "$lt": 0.2}},
        lambda run: 0.05 < number(run, LEARNING_RATE) < 0.2,
    ),
    (
        "summary",
        {f"summary_metrics.{VALIDATION_LOSS}": {"$lt": 0.5}},
        lambda run: as_float(run.summary[VALIDATION_LOSS]) < 0.5,
    ),
]
OTHERS: list[tuple[str, Filter, Fits]] = [
    ("exists", {"notes": {"$ne": None}}, lambda run: run.notes is not None),
    ("group", {"group": "mlp"}, lambda run: run.group == "mlp"),
    ("tag", {"tags": "neural"}, lambda run: "neural" in run.tags),
    (
        "tags-in",
        {"tags": {"$in": ["neural", "scikit-learn"]}},
        lambda run: bool({"neural", "scikit-learn"} & set(run.tags)),
    ),
    (
        "regex",
        {"display_name": {"$regex": "^mlp .*relu$"}},
        lambda run: re.search("^mlp .*relu$", run.name or "") is not None,
    ),
    (
        "and",
        {"$and": [{"state": "finished"}, {f"config.{FAMILY}": "mlp"}]},
        lambda run: run.state == "finished" and run.config[FAMILY] == "mlp",
    ),
    (
        "or",
        {"$or": [{"state": "crashed"}, {f"config.{FAMILY}": "mlp"}]},
        lambda run: run.state == "crashed" or run.config[FAMILY] == "mlp",
    ),
    (
        "nor",
        {"$nor": [{"state": "finished"}, {"state": "crashed"}]},
        lambda run: run.state not in {"finished", "crashed"},
    ),
    (
        "both",
        {"state": "finished", f"config.{FAMILY}": {"$ne": "mlp"}},
        lambda run: run.state == "finished" and run.config[FAMILY] != "mlp",
    ),
]
CASES = [*STATES, *NUMBERS, *OTHERS]


def as_float(value: JSONValue) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


@pytest.mark.parametrize(("filters", "fits"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_filter_lists_what_fits(
    filters: Filter, fits: Fits, api: AnyApi, face: Face, sampled: World
) -> None:
    check(face, api, sampled, filters, fits)


def test_exists_parts_the_runs_in_two(api: AnyApi, face: Face, sampled: World) -> None:
    key = f"summary_metrics.{VALIDATION_LOSS}"
    questions: list[Filter] = [{}, {key: {"$exists": True}}, {key: {"$exists": False}}]
    counts = [
        face.take(face.take(api.runs(sampled.path, question, per_page=1, lazy=True)).length)
        for question in questions
    ]
    assert counts[0] == counts[1] + counts[2]
    assert counts[1] > 0


def test_the_id_is_called_name_in_filters(api: AnyApi, face: Face, world: World) -> None:
    run = a_run(face, api, world)
    found = face.items(face.take(api.runs(world.path, {"name": run.id}, lazy=True)))
    assert [other.storage_id for other in found] == [run.storage_id]


@pytest.mark.parametrize("name", ["created_at", "heartbeat_at"])
def test_columns_order_both_ways(name: str, api: AnyApi, face: Face, sampled: World) -> None:
    def listed(order: str) -> list[AnyRun]:
        runs = api.runs(sampled.path, SHORT_FAMILY, order, per_page=1000, lazy=True)
        return face.items(face.take(runs))

    up, down = listed(f"+{name}"), listed(f"-{name}")
    texts = [str(run.created_at if name == "created_at" else run.heartbeat_at) for run in up]
    assert texts == sorted(texts)
    assert [run.id for run in up] == [run.id for run in reversed(down)]


@pytest.mark.parametrize(
    "key", [f"config.{LEARNING_RATE}.value", f"summary_metrics.{VALIDATION_LOSS}"], ids=["config", "summary"]
)
def test_values_order_both_ways_with_missing_ones_last(
    key: str, api: AnyApi, face: Face, sampled: World
) -> None:
    def value(run: AnyRun) -> float:
        found = (
            run.config.get(LEARNING_RATE) if key.startswith("config") else run.summary.get(VALIDATION_LOSS)
        )
        return as_float(found)

    up = face.items(face.take(api.runs(sampled.path, order=f"+{key}", per_page=LOOKED_AT)), LOOKED_AT)
    down = face.items(face.take(api.runs(sampled.path, order=f"-{key}", per_page=LOOKED_AT)), LOOKED_AT)
    lowest, highest = [value(run) for run in up], [value(run) for run in down]
    assert lowest == sorted(lowest)
    assert highest == sorted(highest, reverse=True)
    assert lowest[0] < highest[0]


def test_oldest_come_first_by_default(api: AnyApi, face: Face, world: World) -> None:
    default = face.items(face.take(api.runs(world.path, per_page=5, lazy=True)), 5)
    asked = face.items(face.take(api.runs(world.path, order="+created_at", per_page=5, lazy=True)), 5)
    assert [run.id for run in default] == [run.id for run in asked]
    newest = face.take(face.take(api.runs(world.path, order=NEWEST, per_page=1, lazy=True))[0])
    assert newest.created_at >= default[-1].created_at
