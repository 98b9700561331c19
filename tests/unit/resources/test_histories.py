"""Histories of a whole list: one request a page, halved where a page is too much, nothing lost that was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.resources.answers import connection, in_project, run_body
from tests.unit.transport.stepping import answered, sent, served

from runql.errors import (
    AccessDeniedError,
    AuthenticationError,
    ConnectionFailedError,
    IncompleteHistoriesError,
    PaginationError,
    ProjectNotFoundError,
    RateLimitedError,
    RequestTimedOutError,
    RunqlError,
    SchemaDriftError,
)
from runql.frames.row_readers import ColumnReader, RowReader
from runql.resources.history.sampled import Row, SampleOptions
from runql.resources.runs.adaptive_pages import GOOD_PAGES, UnreadRuns
from runql.resources.runs.histories.sampled import SampledRun, page_rows, rows_of, sample_runs
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Effect, Send
from runql.transport.wire import Response
from runql_graphql.fragments import RunHistory
from runql_graphql.operations import list_histories

WHOLE = SampleOptions.checked(500, None, "_step", "default")
BUSY = Response(503, b"busy")
LATE = RequestTimedOutError("late", operation="ListHistories")
WRONG = answered(None, errors=[{"message": "history failed"}])


@dataclass
class Histories:
    """A project whose runs, some of them too heavy, are listed by offset.

    Attributes:
        runs: their ids, in list order.
        heavy: runs whose history cannot be read, however small the page.
        most: runs whose histories fit one page.
        refusal: what is answered where a page is too much.
    """

    runs: list[str]
    heavy: Collection[str] = ()
    most: int = 1000
    refusal: Response | RunqlError = field(default_factory=lambda: BUSY)
    light_answer: Response | RunqlError | None = None
    sizes: list[int] = field(default_factory=list[int])
    light: list[object] = field(default_factory=list[object])
    sparing: list[bool] = field(default_factory=list[bool])

    def answer(self, effect: Effect) -> Response | RunqlError:
        operation = sent(effect)
        assert isinstance(effect, Send)
        first, after = operation.variables["first"], operation.variables["after"]
        assert isinstance(first, int)
        start = 0 if after is None else int(str(after))
        part = self.runs[start : start + first]
        end = start + len(part)
        if operation.name == "ListRuns":
            self.light.append(after)
            return self.light_answer or self._page([run_body(run) for run in part], end)
        assert operation.name == "ListHistories"
        self.sizes.append(first)
        self.sparing.append(effect.fail_fast)
        if len(part) > self.most or set(part) & set(self.heavy):
            return self.refusal
        nodes = [{"id": f"storage:{run}", "name": run, "history": [json.dumps({"of": run})]} for run in part]
        return self._page(nodes, end)

    def _page(self, nodes: Sequence[object], end: int) -> Response:
        total = len(self.runs)
        return in_project(runs=connection(nodes, cursor=str(end), more=end < total, total=total))


def read(server: Callable[[Effect], Response | RunqlError], per_page: int = 8) -> list[Row]:
    return rows_of(served(sample_runs(RunQuery("e", "p", per_page=per_page), WHOLE), server))


def logged_by(*run_ids: str) -> list[Row]:
    return [{"of": run, "run_id": run} for run in run_ids]


def names(count: int) -> list[str]:
    return [f"run{place}" for place in range(count)]


def test_each_page_is_one_request_that_spares_the_server() -> None:
    chosen = SampleOptions.checked(7, ["loss"], "epoch", "default")
    flow = sample_runs(RunQuery("e", "p", '{"state": "finished"}', "-created_at", 50), chosen)
    asked = list_histories(
        entity="e",
        project="p",
        filters='{"state": "finished"}',
        order="-created_at",
        first=50,
        after=None,
        samples=7,
        specs=['{"keys": ["epoch", "loss"], "samples": 7}'],
        whole=False,
        system=False,
        chosen=True,
    )
    assert next(flow) == Send(asked, fail_fast=True)


def test_two_hundred_runs_take_four_requests() -> None:
    server = Histories(names(200))
    assert read(server.answer, 50) == logged_by(*names(200))
    assert server.sizes == [50] * 4
    assert server.light == []


@pytest.mark.parametrize("refusal", [BUSY, LATE, WRONG, Response(408, b""), Response(501, b"")])
def test_a_page_that_is_too_much_is_halved(refusal: Response | RunqlError) -> None:
    server = Histories(names(8), most=2, refusal=refusal)
    assert read(server.answer) == logged_by(*names(8))
    assert server.sizes == [8, 4, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("per_page", "sizes"),
    [(50, [50, 25, 13, 7, 4, 2, 1]), (8, [8, 4, 2, 1]), (3, [3, 2, 1]), (2, [2, 1]), (1, [1])],
)
def test_the_sizes_go_down_to_one(per_page: int, sizes: list[int]) -> None:
    server = Histories(["bad"], heavy=["bad"])
    with pytest.raises(IncompleteHistoriesError):
        read(server.answer, per_page)
    assert server.sizes == sizes
    assert server.sparing == [size > 1 for size in sizes]


def test_sizes_grow_back_after_a_few_pages_that_were_read() -> None:
    server = Histories(names(1 + (1 + 2 + 4) * GOOD_PAGES + 1), heavy=["run0"])
    with pytest.raises(IncompleteHistoriesError) as caught:
        read(server.answer)
    assert server.sizes == [8, 4, 2, 1, *[1] * GOOD_PAGES, *[2] * GOOD_PAGES, *[4] * GOOD_PAGES, 8]
    assert caught.value.failed == ("run0",)
    assert [row["run_id"] for row in caught.value.partial] == server.runs[1:]


def test_a_run_that_cannot_be_read_is_skipped_through_the_light_list() -> None:
    server = Histories(["a", "bad", "c"], heavy=["bad"], refusal=WRONG)
    with pytest.raises(IncompleteHistoriesError, match="history failed") as caught:
        read(server.answer)
    assert caught.value.partial == [{"of": "a", "run_id": "a"}, {"of": "c", "run_id": "c"}]
    assert caught.value.failed == ("bad",)
    assert server.light == ["1"]
    assert "bad" in str(caught.value)


def test_several_bad_runs_are_all_named() -> None:
    bad = ["run1", "run2", "run6"]
    server = Histories(names(9), heavy=bad)
    with pytest.raises(IncompleteHistoriesError) as caught:
        read(server.answer, 4)
    assert caught.value.failed == tuple(bad)
    assert [row["of"] for row in caught.value.partial] == ["run0", "run3", "run4", "run5", "run7", "run8"]


def test_the_message_names_the_first_five_of_many() -> None:
    server = Histories(names(7), heavy=names(7))
    with pytest.raises(IncompleteHistoriesError, match=r"7 run\(s\).*run4, …") as caught:
        read(server.answer, 1)
    assert caught.value.partial == []


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Response(401, b""), AuthenticationError),
        (Response(403, b""), AccessDeniedError),
        (Response(429, b""), RateLimitedError),
        (ConnectionFailedError("refused"), ConnectionFailedError),
        (answered({"project": None}), ProjectNotFoundError),
        (answered({"project": {"runs": None}}), ProjectNotFoundError),
        (answered({"project": {"runs": {}}}), SchemaDriftError),
        (in_project(runs=connection([], more=True)), PaginationError),
    ],
)
def test_what_a_smaller_page_would_not_mend_is_raised_at_once(
    refusal: Response | RunqlError, kind: type[RunqlError]
) -> None:
    server = Histories(names(8), most=0, refusal=refusal)
    with pytest.raises(kind):
        read(server.answer)
    assert server.sizes == [8]


@pytest.mark.parametrize("light", [BUSY, LATE, WRONG])
def test_what_was_read_is_kept_when_even_the_light_list_fails(light: Response | RunqlError) -> None:
    server = Histories(["a", "b", "bad"], heavy=["bad"], light_answer=light)
    with pytest.raises(IncompleteHistoriesError) as caught:
        read(server.answer, 2)
    assert [row["of"] for row in caught.value.partial] == ["a", "b"]


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Response(401, b""), AuthenticationError),
        (Response(429, b""), RateLimitedError),
        (ConnectionFailedError("refused"), ConnectionFailedError),
        (in_project(runs=connection([], more=True)), PaginationError),
    ],
)
def test_what_was_read_is_kept_when_the_list_ends_early(
    refusal: Response | RunqlError, kind: type[RunqlError]
) -> None:
    server = Histories(["a", "b", "c"], heavy=["c"], refusal=refusal)
    with pytest.raises(IncompleteHistoriesError, match="ended early") as caught:
        read(server.answer, 2)
    assert [row["of"] for row in caught.value.partial] == ["a", "b"]
    assert isinstance(caught.value.__cause__, kind)


@given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=6), st.integers(1, 12), st.integers(1, 12))
def test_every_run_is_read_or_named_whatever_a_server_can_bear(
    count: int, bad: set[int], most: int, per_page: int
) -> None:
    heavy = [run for place, run in enumerate(names(count)) if place in bad]
    good = [run for run in names(count) if run not in heavy]
    server = Histories(names(count), heavy=heavy, most=most)
    if heavy:
        with pytest.raises(IncompleteHistoriesError) as caught:
            read(server.answer, per_page)
        assert list(caught.value.failed) == heavy
        assert caught.value.partial == logged_by(*good)
    else:
        assert read(server.answer, per_page) == logged_by(*good)
    assert len(server.light) == len(heavy)
    assert max(server.sizes) <= per_page


def test_a_run_that_two_pages_show_is_read_once() -> None:
    pages = iter([["a", "b"], ["b", "c"]])

    def shifted(effect: Effect) -> Response:
        part = next(pages)
        nodes = [{"id": run, "name": run, "history": [json.dumps({"of": run})]} for run in part]
        return in_project(runs=connection(nodes, cursor=part[0], more=part[0] == "a"))

    assert read(shifted, 2) == logged_by("a", "b", "c")


def test_a_run_that_one_page_shows_twice_is_read_once() -> None:
    def twice(effect: Effect) -> Response:
        nodes = [{"id": "a", "name": "a", "history": ['{"of": "a"}']}] * 2
        return in_project(runs=connection(nodes, cursor="x"))

    assert read(twice, 2) == logged_by("a")


def test_an_empty_project_has_no_rows() -> None:
    server = Histories([])
    assert read(server.answer) == []
    assert server.sizes == [8]


@pytest.mark.parametrize("reader", [RowReader(), ColumnReader(few=0)])
def test_rows_are_labelled_by_their_run_and_a_metric_of_that_name_gives_way(reader: RowReader) -> None:
    nodes = [
        RunHistory(id="1", name="a", history=['{"_step": 0, "run_id": "mine"}', '{"_step": 1}']),
        RunHistory(id="2", name="b", history=[]),
        RunHistory(id="3", name="c", history=['{"_step": 0}']),
    ]
    runs = [SampledRun(f"e/p/{node.name}", node) for node in nodes]
    assert rows_of([page_rows(runs, WHOLE, reader, UnreadRuns())]) == [
        {"_step": 0, "run_id": "a"},
        {"_step": 1, "run_id": "a"},
        {"_step": 0, "run_id": "c"},
    ]


def test_what_a_reader_of_columns_had_read_is_in_the_error() -> None:
    server = Histories(names(3), heavy=["run2"])
    with pytest.raises(IncompleteHistoriesError) as caught:
        served(sample_runs(RunQuery("e", "p", per_page=2), WHOLE, ColumnReader(few=0)), server.answer)
    assert caught.value.partial == logged_by("run0", "run1")
