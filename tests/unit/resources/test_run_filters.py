"""What a server is known to match with no run is refused, with what to say; all that it may understand passes."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from runql import Filters
from runql.resources.runs.filters import filter_json

Filter = dict[str, Any]  # Any: what untyped callers give

DATES = ("created_at", "createdAt", "updated_at", "updatedAt", "heartbeat_at", "heartbeatAt")
PLACES: dict[str, Callable[[Filter], Filter]] = {
    "alone": lambda found: found,
    "beside another": lambda found: {"group": "g", **found},
    "in $and": lambda found: {"$and": [{"group": "g"}, found]},
    "in $or in $nor": lambda found: {"$nor": [{"$or": [found]}]},
}
REFUSED: list[tuple[Filter, str]] = [
    ({"tags": ["x"]}, r"'tags'.*any of these tags write \{'tags': \{'\$in': \[\.\.\.\]\}\}"),
    ({"tags": []}, "'tags'"),
    ({"tags": {"$eq": ["x"]}}, r"'tags'.*'\$in'"),
    ({"tags": {"$ne": ["x"]}}, r"'tags'.*'\$nin'"),
    ({"tags": {"$in": [["x"]]}}, "'tags'"),
    ({"tags": {"$all": [["x"]]}}, "'tags'"),
    ({"tags": {"$not": {"$eq": ["x"]}}}, "'tags'"),
    ({"tags": {"x": True}}, r"'tags'.*operators begin with \$"),
    ({"tags": {"$in": "x"}}, r"\$in of 'tags' needs a list, not str"),
    ({"tags": {"$all": "x"}}, r"\$all of 'tags' needs a list"),
    ({"config.lr": {"$nin": 1}}, r"\$nin of 'config.lr' needs a list, not int"),
    ({"state": ["finished", "crashed"]}, r"'state'.*is one of these write \{'state': \{'\$in'"),
    ({"state": {"$gt": ["a"]}}, "'state'"),
    ({"name": ["a", "b"]}, "'name'"),
    ({"display_name": {"$eq": ["a"]}}, "'display_name'"),
    ({"sweep": {"$in": [{"id": "x"}]}}, "'sweep'"),
    ({"group": {"ne": "x"}}, r"'group'.*operators begin with \$"),
    ({"state": {}}, "'state'"),
    ({"config.lr": {"gt": 0.1, "lt": 1}}, r"'config.lr'.*operators begin with \$"),
    ({"summary_metrics.loss": {"exists": True}}, "'summary_metrics.loss'"),
    ({"summary.loss": {"$lt": 1}}, r"'summary.loss' is no field.*write 'summary_metrics.loss'"),
    ({"summary": {"loss": 1}}, "write 'summary_metrics"),
    ({"config": {"lr": 0.1}}, r"'config' is no field.*write 'config.lr'"),
    ({"summary_metrics": {"loss": {"$lt": 1}}}, "write 'summary_metrics.loss'"),
    ({"$and": {"state": "finished"}}, r"\$and needs a list of filters"),
    ({"$or": ["finished"]}, r"\$or needs a list of filters"),
    *(({key: {"$gt": 1764288000}}, f"'{key}'.*ISO 8601") for key in DATES),
    ({"created_at": {"$gt": "yesterday"}}, "'created_at'.*ISO 8601"),
    ({"created_at": "today"}, "'created_at'.*ISO 8601"),
    ({"created_at": {"$gte": True}}, "'created_at'"),
    ({"created_at": {"$in": ["2026-01-01", 3]}}, "'created_at'"),
    ({"created_at": {"$not": {"$lt": "x"}}}, "'created_at'"),
]
PASSING: list[Filter] = [
    {"tags": "x"},
    {"tags": {"$in": ["x", "y"]}},
    {"tags": {"$nin": []}},
    {"tags": {"$all": ["x"]}},
    {"tags": {"$size": 2}},
    {"tags": {"$not": {"$in": ["x"]}}},
    {"tags": {"$regex": "x"}},
    {"tags": None},
    {"tags.x": True},
    {"state": {"$exists": True}},
    {"config.layers": [64, 32]},
    {"config.layers": {"$eq": [64, 32]}},
    {"config.layers": {"$in": [[64], [32]]}},
    {"config.opt": {"name": "adam"}},
    {"config.shape": {"in": [1, 2]}},
    {"config.shape": {"in": 1, "gt": 2}},
    {"config.opt": {}},
    {"config.a.value.b": 1},
    {"config.summary.x": 1},
    {"config": {"$exists": True}},
    {"summary_metrics.acc": {"max": 0.3}},
    {"summaryMetrics.acc": 1},
    {"summary_metrics.loss": {"$lt": 0.1, "$foo": 1}},
    {"keys_info.keys.loss": {"$exists": True}},
    {"colour": ["red"]},
    {"id": "x"},
    {"$xor": []},
    {"$not": {"tags": "x"}},
    {"$and": []},
    {"created_at": {"$gt": "2026-01-31"}},
    {"created_at": {"$gt": "2026-01-31 23:59:59"}},
    {"created_at": {"$gt": "2026-01-31T00:00:00.5+01:00"}},
    {"created_at": {"$regex": "-01-"}},
    {"createdAt": {"$ne": None}},
    {"display_name": {"$regex": "^a"}},
    {"duration": {"$gt": 60}},
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("found", "said"), REFUSED, ids=[json.dumps(found) for found, _ in REFUSED])
def test_what_matches_no_run_is_refused(found: Filter, said: str, place: str) -> None:
    with pytest.raises(ValueError, match=f"^filters: .*{said}"):
        filter_json(PLACES[place](found))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("found", PASSING, ids=json.dumps)
def test_what_a_server_may_understand_passes_as_it_is(found: Filter, place: str) -> None:
    given = PLACES[place](found)
    assert json.loads(filter_json(given)) == given


def test_a_date_is_refused_with_what_to_write() -> None:
    found: Filter = {"created_at": {"$gt": datetime(2026, 1, 31, tzinfo=UTC)}}
    with pytest.raises(ValueError, match=r"filters must be JSON .*datetime"):
        filter_json(found)


@pytest.mark.parametrize("found", [{1: 2}, {"state": {None: 1}}, {"$or": [{"config.x": {"$in": [{2: 3}]}}]}])
def test_keys_that_json_would_turn_into_str_are_refused(found: Any) -> None:
    with pytest.raises(ValueError, match="filters must be JSON: keys are str, not"):
        filter_json(found)


def test_any_mapping_and_any_sequence_is_sent_as_json() -> None:
    found: Filters = MappingProxyType(
        {"tags": MappingProxyType({"$in": ("a", "b")}), "$or": (ChainMap({"state": "x"}),)}
    )
    sent = json.loads(filter_json(found))
    assert sent == {"tags": {"$in": ["a", "b"]}, "$or": [{"state": "x"}]}
    assert json.loads(filter_json({"config.n": {"$in": range(2)}})) == {"config.n": {"$in": [0, 1]}}


@pytest.mark.parametrize(
    "value", [b"x", bytearray(b"x"), memoryview(b"x"), {"x"}], ids=lambda each: type(each).__name__
)
def test_what_is_no_json_is_refused_although_some_of_it_is_a_sequence(value: object) -> None:
    found: Any = {"config.x": {"$in": [value]}}  # Any: what untyped callers give
    with pytest.raises(ValueError, match=f"filters must be JSON .*{type(value).__name__}"):
        filter_json(found)


def test_what_is_refused_in_a_list_is_refused_in_any_sequence() -> None:
    with pytest.raises(ValueError, match="'tags' is compared with a list"):
        filter_json({"$and": ({"tags": ("a",)},)})


def nested(depth: int) -> Filter:
    found: Filter = {"state": "finished"}
    for _ in range(depth):
        found = {"$and": [found]}
    return found


def test_a_filter_is_sent_or_refused_however_deep() -> None:
    assert filter_json(nested(200)).count("$and") == 200
    with pytest.raises(ValueError, match="nested too deeply"):
        filter_json(nested(10_000))


@pytest.mark.parametrize(
    "found",
    [{"state": "a\ud800"}, {"a\udfff": 1}, {"$and": [{"tags": {"$in": ["\ud83d"]}}]}],
    ids=["value", "key", "in"],
)
def test_half_a_surrogate_pair_is_refused(found: Filter) -> None:
    with pytest.raises(ValueError, match="filters holds half of a surrogate pair"):
        filter_json(found)


def test_a_whole_pair_is_a_character() -> None:
    assert json.loads(filter_json({"state": "\U0001f600"})) == {"state": "\U0001f600"}
