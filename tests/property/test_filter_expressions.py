"""Runs that a filter expression finds on the server are those that an evaluator of plain dicts finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql import Api
from runql.filters import Filter, all_of, any_of, config, created_at, group, state, summary, tags
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

START = datetime(2026, 1, 1, tzinfo=UTC)
RATES = (None, 1e-05, 0.1, 1.0)
STATES = ("finished", "crashed", "failed")
TAGS = ("best", "old")
GROUPS = (None, "a", "b")
RunDict: TypeAlias = dict[str, object]
Fits: TypeAlias = Callable[[RunDict], bool]
Pair: TypeAlias = tuple[Filter, Fits]


def number(run: RunDict, key: str) -> float | None:
    value = run[key]
    return value if isinstance(value, float) else None


def plain(place: int) -> RunDict:
    return {
        "id": f"run{place}",
        "lr": RATES[place % 4],
        "acc": RATES[place // 4 % 4],
        "state": STATES[place % 3],
        "tags": TAGS[: place // 3 % 3],
        "group": GROUPS[place // 2 % 3],
        "created": START + timedelta(hours=place),
    }


RUNS = [plain(place) for place in range(36)]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with RunningServer(tmp_path_factory.mktemp("filters") / "server") as server:
        seeds = [
            SeedRun(
                name=f"run{place}",
                state=STATES[place % 3],
                config={} if (rate := RATES[place % 4]) is None else {"o": {"lr": rate}},
                summary={} if (acc := RATES[place // 4 % 4]) is None else {"acc.top": acc},
                tags=TAGS[: place // 3 % 3],
                group=GROUPS[place // 2 % 3],
                created_at=START + timedelta(hours=place),
            )
            for place in range(36)
        ]
        server.seed("p", seeds)
        with Api(api_key=server.api_key, base_url=server.url) as made:
            yield made


def of_number(key: str, operator: str, wanted: float) -> Pair:
    field = config("o.lr", float) if key == "lr" else summary("acc.top", float)

    def fits(run: RunDict) -> bool:
        value = number(run, key)
        if value is None:
            return operator == "ne"
        return {
            "eq": value == wanted,
            "ne": value != wanted,
            "lt": value < wanted,
            "ge": value >= wanted,
            "in": value in {wanted, 1.0},
            "between": 1e-05 <= value <= wanted,
            "exists": True,
        }[operator]

    made = {
        "eq": field == wanted,
        "ne": field != wanted,
        "lt": field < wanted,
        "ge": field >= wanted,
        "in": field.is_in(wanted, 1.0),
        "between": field.between(1e-05, wanted),
        "exists": field.exists(),
    }
    return made[operator], fits


def later(hours: int) -> Pair:
    moment = START + timedelta(hours=hours)

    def fits(run: RunDict) -> bool:
        created = run["created"]
        return isinstance(created, datetime) and created > moment

    return created_at > moment, fits


def tagged(tag: str) -> Pair:
    def fits(run: RunDict) -> bool:
        held = run["tags"]
        return isinstance(held, tuple) and tag in held

    return tags.contains(tag), fits


def pair(made: Filter, fits: Fits) -> Pair:
    return made, fits


LEAVES: st.SearchStrategy[Pair] = st.one_of(
    st.builds(
        of_number,
        st.sampled_from(["lr", "acc"]),
        st.sampled_from(["eq", "ne", "lt", "ge", "in", "between", "exists"]),
        st.sampled_from([1e-05, 0.1, 1.0]),
    ),
    st.builds(later, st.integers(0, 36)),
    st.builds(tagged, st.sampled_from(TAGS)),
    st.just(pair(state.is_in("finished", "crashed"), lambda run: run["state"] != "failed")),
    st.just(pair(group.eq(None), lambda run: run["group"] is None)),
    st.just(pair(group.matches("a|c"), lambda run: run["group"] == "a")),
)


def negated(pair: Pair) -> Pair:
    return ~pair[0], lambda run: not pair[1](run)


def both(left: Pair, right: Pair) -> Pair:
    return left[0] & right[0], lambda run: left[1](run) and right[1](run)


def either(left: Pair, right: Pair) -> Pair:
    return left[0] | right[0], lambda run: left[1](run) or right[1](run)


PAIRS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(negated, inner), st.builds(both, inner, inner), st.builds(either, inner, inner)
    ),
    max_leaves=6,
)


@examples(1000)
@given(PAIRS)
def test_the_server_and_the_evaluator_agree(api: Api, drawn: Pair) -> None:
    made, fits = drawn
    found = {run.id for run in api.runs("p", made, per_page=50, lazy=True)}
    assert found == {run["id"] for run in RUNS if fits(run)}


def test_several_at_once(api: Api) -> None:
    assert len(api.runs("p", all_of(state.eq("failed"), any_of(tags.contains("old"))))) == sum(
        run["state"] == "failed" and run["tags"] == TAGS for run in RUNS
    )
