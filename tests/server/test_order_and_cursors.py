"""Order and cursors: missing values last, stable ties, pages without repeated or lost runs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from runql_server.errors import RequestError
from runql_server.listing import cursors, pages
from runql_server.listing.pages import RunPage
from runql_server.running import RunningServer
from runql_server.seed import SeedRun, seed_runs
from runql_server.storage.store import Store


def page(store: Store, order: str | None, *, first: int = 100, after: str | None = None) -> RunPage:
    with store.reading() as connection:
        return pages.list_runs(
            connection, 1, filters=None, order=order, first=first, after=after, crash_before=""
        )


def names(found: RunPage) -> list[str]:
    return [edge.node.name for edge in found.edges]


def walk(store: Store, order: str, size: int, between: Callable[[], object] = lambda: None) -> list[str]:
    after: str | None = None
    seen: list[str] = []
    while True:
        found = page(store, order, first=size, after=after)
        seen += names(found)
        if not found.page_info.has_next_page:
            return seen
        after = found.page_info.end_cursor
        between()


LOSSES: list[Any] = [3, None, 1.5, math.nan, -math.inf, "text", True, 2**53 + 1, 2**53, math.inf, 1.5]


def seed(store: Store) -> None:
    runs = [
        SeedRun(name=f"r{index}", summary={} if loss is None else {"loss": loss}, config={"k": index % 3})
        for index, loss in enumerate(LOSSES)
    ]
    seed_runs(store, project="p", runs=runs)


def test_values_sort_by_kind_and_size_and_missing_ones_come_last(store: Store) -> None:
    seed(store)
    rising = ["r4", "r6", "r2", "r10", "r0", "r8", "r7", "r9", "r5"]
    assert names(page(store, "+summary_metrics.loss")) == [*rising, "r1", "r3"]
    falling = ["r5", "r9", "r7", "r8", "r0", "r10", "r2", "r6", "r4"]
    assert names(page(store, "-summary_metrics.loss")) == [*falling, "r3", "r1"]


@pytest.mark.parametrize("order", ["config.k.value", "+config.k", "-config.k.value"])
def test_config_order_takes_the_value_level_or_not(store: Store, order: str) -> None:
    seed(store)
    found = [index % 3 for index in (int(name[1:]) for name in names(page(store, order)))]
    assert found == sorted(found, reverse=order.startswith("-"))


@pytest.mark.parametrize(
    "order", ["+summary_metrics.loss", "-summary_metrics.loss", "+config.k", "-created_at"]
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_put_together_are_the_whole_list(store: Store, order: str, size: int) -> None:
    seed(store)
    assert walk(store, order, size) == names(page(store, order))


@pytest.mark.parametrize(
    "order", ["+summary_metrics.loss", "-summary_metrics.loss", "+created_at", "-created_at"]
)
def test_runs_that_arrive_while_paging_move_nothing(store: Store, order: str) -> None:
    seed(store)
    before = names(page(store, order))

    def arrive() -> None:
        year = datetime(2001, 1, 1, tzinfo=UTC)
        late = [SeedRun(summary={"loss": -5}), SeedRun(created_at=year), SeedRun(summary={"loss": 1.5})]
        seed_runs(store, project="p", runs=late)

    seen = walk(store, order, 2, arrive) if order != "+created_at" else walk(store, order, 4, arrive)[:40]
    assert [name for name in seen if name in before] == before
    assert len(seen) == len(set(seen))


def test_page_info_tells_both_ends(store: Store) -> None:
    seed(store)
    first = page(store, None, first=4)
    assert (first.page_info.has_next_page, first.page_info.has_previous_page) == (True, False)
    assert first.page_info.end_cursor == first.edges[-1].cursor
    last = page(store, None, first=100, after=first.page_info.end_cursor)
    assert (last.page_info.has_next_page, last.page_info.has_previous_page) == (False, True)
    empty = page(store, None, first=0)
    assert (empty.edges, empty.page_info.end_cursor) == ([], None)


@pytest.mark.parametrize("order", ["bogus", "+", "-config", "+config.", "tags", "-summary_metrics."])
def test_an_unknown_order_key_is_refused(store: Store, order: str) -> None:
    seed(store)
    with pytest.raises(RequestError, match="order: unknown key"):
        page(store, order)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "bnVsbA==",
        "W10=",
        "WyIrY3JlYXRlZF9hdCIsbnVsbCwieCJd",
        cursors.encode("+name", cursors.Position("a", 1)),
    ],
)
def test_a_cursor_from_elsewhere_is_refused(store: Store, cursor: str) -> None:
    seed(store)
    with pytest.raises(RequestError, match="after: "):
        page(store, "+created_at", after=cursor)


def test_errors_reach_the_client_with_the_field(
    server: RunningServer, query: Callable[..., dict[str, Any]]
) -> None:
    server.seed("p", [SeedRun()])
    text = 'query($f: JSONString, $o: String, $a: String, $n: Int) { project(name: "p") { runs(filters: $f, order: $o, after: $a, first: $n) { totalCount edges { node { name } } } } }'
    cases: list[tuple[dict[str, object], str]] = [
        ({"f": '{"bogus": 1}'}, "filters: unknown key 'bogus'"),
        ({"o": "+bogus"}, "order: unknown key 'bogus'"),
        ({"a": "bogus"}, "after: malformed cursor"),
        ({"n": -1}, "first: must not be negative"),
    ]
    for variables, message in cases:
        body = query(text, **variables)
        assert re.match(re.escape(message), body["errors"][0]["message"])
        assert body["errors"][0]["path"] == ["project", "runs"]
    assert query(text)["data"]["project"]["runs"]["totalCount"] == 1
