"""Filter expressions are the JSON that is sent, and refuse what no server understands."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from runql.filters import config, created_at, display_name, id, state, summary, tags  # noqa: A004 - of a run
from runql.resources.artifacts.collections.lookup import CollectionQuery
from runql.resources.runs.filters import filter_json
from runql.resources.runs.query import checked_order


def test_an_expression_prints_as_the_json_it_sends() -> None:
    made = (config("o.lr", float) < 1e-05) & ~tags.contains("bad") | state.other("paused")
    assert str(made) == filter_json(made)
    assert json.loads(str(made)) == {
        "$or": [
            {"$and": [{"config.o.lr": {"$lt": 1e-05}}, {"$nor": [{"tags": "bad"}]}]},
            {"state": "paused"},
        ]
    }


def test_id_is_the_name_of_the_server() -> None:
    assert dict(id.eq("abc")) == {"name": "abc"}
    assert dict(display_name.eq("abc")) == {"display_name": "abc"}


def test_orders_have_the_value_level_that_filters_lack() -> None:
    assert checked_order(config("lr", float).asc()) == "+config.lr.value"
    assert checked_order(summary("a.b", float).desc()) == "-summary_metrics.a.b"
    assert dict(config("lr", float) == 1.0) == {"config.lr": 1.0}


def test_dates_are_sent_in_utc_and_naive_ones_refused() -> None:
    east = timezone(timedelta(hours=2))
    assert dict(created_at > datetime(2026, 1, 1, 2, tzinfo=east)) == {
        "created_at": {"$gt": "2026-01-01T00:00:00"}
    }
    with pytest.raises(ValueError, match="no time zone"):
        created_at.eq(datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose


def test_neither_a_filter_nor_a_field_is_true() -> None:
    with pytest.raises(TypeError, match="&"):
        bool(tags.contains("a"))
    with pytest.raises(TypeError, match="compare it"):
        bool(config("a", int))


def test_bad_keys_types_and_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not empty"):
        config("", int)
    with pytest.raises(ValueError, match="finite numbers"):
        filter_json(config("lr", float).eq(float("nan")))


def test_lists_of_collections_take_them() -> None:
    assert CollectionQuery.checked("e", "p", id.eq("a"), None, 1).filters == '{"name": "a"}'
