"""What callers ask of a list of runs is checked before anything is sent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from runql.arguments import positive
from runql.resources.runs.filters import filter_json
from runql.resources.runs.query import RunQuery, checked_order


def test_a_query_holds_what_is_sent() -> None:
    query = RunQuery.checked("e", "p", {"config.lr": {"$lt": 0.1}}, "-summary_metrics.loss", 20)
    assert query == RunQuery("e", "p", '{"config.lr": {"$lt": 0.1}}', "-summary_metrics.loss", 20)
    assert query.sized(3) == RunQuery("e", "p", '{"config.lr": {"$lt": 0.1}}', "-summary_metrics.loss", 3)


@pytest.mark.parametrize("filters", [None, {}])
def test_no_filter_is_an_empty_object(filters: Mapping[str, None] | None) -> None:
    assert filter_json(filters) == "{}"


def test_any_mapping_will_do() -> None:
    assert json.loads(filter_json(MappingProxyType({"tags": {"$in": ["é", None, True]}}))) == {
        "tags": {"$in": ["é", None, True]}
    }


# Any: what untyped callers give
@pytest.mark.parametrize("filters", ["{}", [], 1, {"a"}, [("state", "finished")]])
def test_a_filter_that_is_no_dict_is_a_type_error(filters: Any) -> None:
    with pytest.raises(TypeError, match="filters must be a dict"):
        filter_json(filters)


@pytest.mark.parametrize(
    "filters", [{"a": math.nan}, {"a": [math.inf]}, {"a": {1}}, {"a": b"x"}, {"a": object()}, {("a",): 1}]
)
def test_a_filter_that_is_no_json_is_a_value_error(filters: Any) -> None:
    with pytest.raises(ValueError, match="filters must be JSON"):
        filter_json(filters)


def test_a_filter_that_holds_itself_is_a_value_error() -> None:
    filters: dict[str, Any] = {}
    filters["$and"] = [filters]
    with pytest.raises(ValueError, match="filters must be JSON"):
        filter_json(filters)


@pytest.mark.parametrize(
    ("order", "sent"),
    [
        (None, "+created_at"),
        ("", "+created_at"),
        ("created_at", "+created_at"),
        ("+created_at", "+created_at"),
        ("-created_at", "-created_at"),
        ("-heartbeat_at", "-heartbeat_at"),
        ("summary_metrics.val/loss", "+summary_metrics.val/loss"),
        ("-config.lr.value", "-config.lr.value"),
    ],
)
def test_an_order_is_sent_with_its_sign(order: str | None, sent: str) -> None:
    assert checked_order(order) == sent


@pytest.mark.parametrize(
    "order", ["loss", "-", "+", "--created_at", "config.", "-summary_metrics.", " created_at"]
)
def test_an_unknown_order_is_told_with_what_there_is(order: str) -> None:
    with pytest.raises(ValueError, match=r"cannot order by .*created_at.*summary_metrics"):
        checked_order(order)


@pytest.mark.parametrize("order", [1, ["created_at"], True])
def test_an_order_that_is_no_text_is_a_type_error(order: Any) -> None:
    with pytest.raises(TypeError, match="order must be a str"):
        checked_order(order)


@pytest.mark.parametrize("value", [0, -1])
def test_a_count_below_one_is_a_value_error(value: int) -> None:
    with pytest.raises(ValueError, match="per_page must be at least 1"):
        positive("per_page", value)


@pytest.mark.parametrize("value", [1.0, "1", None, True])
def test_a_count_that_is_no_int_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match="per_page must be an int"):
        positive("per_page", value)
