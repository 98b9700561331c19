"""Filter expressions are the JSON that is sent, and refuse what no server understands."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.contract.untyped import Untyped

from runql import filters
from runql.filters import (
    Field,
    Filter,
    Order,
    all_of,
    any_of,
    config,
    created_at,
    display_name,
    id,  # noqa: A004 - of a run
    state,
    summary,
    tags,
)
from runql.resources.artifacts.collections.lookup import CollectionQuery
from runql.resources.artifacts.versions import Artifacts
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
    with pytest.raises(ValueError, match="leave it out"):
        summary("summary_metrics.acc", float)
    with pytest.raises(TypeError, match="bool, int, float or str"):
        untyped(config)("lr", list)


def test_an_order_is_a_str_that_shows_what_it_is() -> None:
    order = summary("acc", float).desc()
    assert (order, repr(order)) == ("-summary_metrics.acc", "Order('-summary_metrics.acc')")
    assert isinstance(created_at.asc(), Order)
    assert [checked_order(each) for each in (state.asc(), state.desc())] == ["+state", "-state"]


def test_states_are_compared_with_operators_too() -> None:
    assert dict(state == "failed") == dict(state.eq("failed")) == {"state": "failed"}
    assert dict(state != "failed") == dict(state.ne("failed")) == {"state": {"$ne": "failed"}}


def test_none_and_negation() -> None:
    assert dict(filters.notes != None) == {"notes": {"$ne": None}}  # noqa: E711 - a comparison makes a filter
    assert dict(~tags.contains_any("a", "b")) == {"$nor": [{"tags": {"$in": ["a", "b"]}}]}


@pytest.mark.parametrize("name", ["created_at", "updated_at", "heartbeat_at"])
def test_every_time_is_a_field(name: str) -> None:
    field: Field[datetime] = getattr(filters, name)
    made = field.between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    assert filter_json(made) == str(made)
    assert checked_order(field.desc()) == f"-{name}"


@pytest.mark.parametrize(
    "name", ["id", "display_name", "sweep", "group", "job_type", "host", "notes", "user"]
)
def test_every_str_is_a_field(name: str) -> None:
    field: Field[str] = getattr(filters, name)
    made = field.matches("^a") & field.is_in("a", "b") & (field == "a")
    assert filter_json(made) == str(made)
    assert checked_order(field.asc()).startswith("+")


def untyped(value: object) -> Untyped:
    return value


LR: Untyped = config("lr", float)
N: Untyped = config("n", int)
FLAG: Untyped = config("flag", bool)
STATE: Untyped = state
TAGS: Untyped = tags
FILTER: Untyped = tags.contains("a")
REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "a str for a float": (lambda: LR < "x", TypeError, "config.lr is compared with float, not 'x'"),
    "equal to a str": (lambda: LR == "x", TypeError, "with float"),
    "a bool for a float": (lambda: LR > True, TypeError, "not True"),
    "a float for an int": (lambda: N > 0.5, TypeError, "with int"),
    "an int for a bool": (lambda: FLAG.eq(1), TypeError, "with bool"),
    "more than True": (lambda: FLAG > True, TypeError, "eq"),
    "NaN": (lambda: LR.eq(math.nan), ValueError, "finite numbers"),
    "infinity": (lambda: math.inf > LR, ValueError, "finite numbers"),
    "None in an order": (lambda: LR < None, TypeError, "not None"),
    "a chain": (lambda: 0 < LR < 1, TypeError, "&"),
    "none of": (LR.is_in, ValueError, "at least one"),
    "no state": (STATE.is_in, ValueError, "at least one"),
    "no tag": (TAGS.contains_any, ValueError, "at least one"),
    "a regular expression of numbers": (lambda: LR.matches("a"), TypeError, "no str"),
    "an unknown state": (lambda: STATE == "finishd", ValueError, "state.other"),
    "an unhashable state": (lambda: STATE.eq(["finished"]), ValueError, "state.other"),
    "tags as a value": (lambda: TAGS == "x", TypeError, "contains"),
    "tags as another value": (lambda: TAGS != "x", TypeError, "contains"),
    "a tag that is no str": (lambda: TAGS.contains(1), TypeError, "tag must be a str"),
    "tags in if": (lambda: bool(TAGS), TypeError, "contains"),
    "state in if": (lambda: bool(STATE), TypeError, "state.eq"),
    "not": (lambda: not FILTER, TypeError, "&"),
    "and a bool": (lambda: FILTER & True, TypeError, "not True"),
    "or a dict": (lambda: FILTER | {"state": "failed"}, TypeError, r"Filter\(\{"),
    "all of nothing": (all_of, ValueError, "at least one"),
    "any of nothing": (any_of, ValueError, "at least one"),
    "a str as a filter": (lambda: untyped(Filter)("x"), TypeError, "made of a dict"),
    "a naive datetime": (lambda: created_at < datetime(2026, 1, 1), ValueError, "time zone"),  # noqa: DTZ001 - naive on purpose
    "a date as a str": (lambda: untyped(created_at) < "2026", TypeError, "with datetime"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_matches_no_run_is_refused_where_it_is_written(case: str) -> None:
    make, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        make()


def test_lists_of_collections_take_them() -> None:
    assert CollectionQuery.checked("e", "p", id.eq("a"), None, 1).filters == '{"name": "a"}'


@pytest.mark.parametrize("made", [config("lr", float) < 1.0, id.eq("a") & ~display_name.eq("b")])
def test_lists_of_others_refuse_what_runs_alone_have(made: Filter) -> None:
    with pytest.raises(ValueError, match="field of runs, and this lists collections"):
        CollectionQuery.checked("e", "p", made, None, 1)
    with pytest.raises(ValueError, match="field of runs, and this lists versions"):
        Artifacts(untyped(None), "e", "p", "c", "t", filters=made)
