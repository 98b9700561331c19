"""Pages and listings, stepped by hand: what is asked, what is kept, what is refused."""

from __future__ import annotations

import pytest
from tests.unit.resources.answers import in_project, page_of
from tests.unit.transport.stepping import answered, ended, played, returned, sent, served

from runql.errors import PaginationError, ProjectNotFoundError, ServerFailureError
from runql.resources.pages.listing import Listing, Page
from runql.resources.runs.query import RunQuery, list_full_page, list_light_page
from runql.transport.flow import Flow, Join, Send
from runql.transport.wire import Response
from runql_graphql.fragments import FullRunFields
from runql_graphql.operations import list_full_runs, list_runs

QUERY = RunQuery("e", "p", '{"state": "finished"}', "-created_at", 2)
Runs = Listing[FullRunFields, str]


def listing(kind: type[Runs] = Listing) -> Runs:
    """A listing of run ids, two a page."""

    def read(size: int, after: str | None) -> Flow[Page[FullRunFields]]:
        return (yield from list_full_page(QUERY.sized(size), after))

    def convert(page: Page[FullRunFields]) -> list[str]:
        return [node.name for node in page.nodes]

    return kind(read, convert, lambda name: name, per_page=QUERY.per_page)


def test_a_light_page_is_one_request() -> None:
    flow = list_light_page(QUERY, "c1")
    asked = list_runs(
        entity="e", project="p", filters='{"state": "finished"}', order="-created_at", first=2, after="c1"
    )
    assert next(flow) == Send(asked)
    page = ended(flow, page_of("a", "b", cursor="c2", more=True, full=False, total=9))
    assert [node.name for node in page.nodes] == ["a", "b"]
    assert (page.after, page.cursor, page.more, page.total) == ("c1", "c2", True, 9)


def test_a_full_page_is_one_request() -> None:
    flow = list_full_page(QUERY, None)
    asked = list_full_runs(
        entity="e", project="p", filters='{"state": "finished"}', order="-created_at", first=2, after=None
    )
    assert next(flow) == Send(asked)
    assert [node.config for node in ended(flow, page_of("a")).nodes] == ["{}"]


@pytest.mark.parametrize("data", [{"project": None}, {"project": {"runs": None}}])
def test_a_null_project_is_not_found(data: object) -> None:
    for read in (list_light_page, list_full_page):
        flow = read(QUERY, None)
        next(flow)
        with pytest.raises(ProjectNotFoundError, match="e/p"):
            flow.send(answered(data))


def test_the_last_edges_cursor_stands_in_for_a_missing_end_cursor() -> None:
    flow = list_full_page(QUERY, None)
    next(flow)
    assert ended(flow, page_of("a", "b", cursor=None, more=True)).cursor == "c1"


@pytest.mark.parametrize(
    ("after", "answer"),
    [
        ("x", page_of("a", "b", cursor="x", more=True)),
        ("c1", page_of("a", "b", cursor=None, more=True)),
        (None, page_of(cursor=None, more=True)),
        ("x", page_of(cursor=None, more=True)),
    ],
)
def test_a_cursor_that_stands_still_is_an_error(after: str | None, answer: Response) -> None:
    flow = list_full_page(QUERY, after)
    next(flow)
    with pytest.raises(PaginationError, match="cursor"):
        flow.send(answer)


@pytest.mark.parametrize("after", [None, "x"])
def test_the_last_page_may_repeat_its_cursor_or_have_none(after: str | None) -> None:
    for answer in (page_of("a", cursor=after), page_of(cursor=None)):
        flow = list_full_page(QUERY, after)
        next(flow)
        assert not ended(flow, answer).more


def test_a_listing_starts_with_nothing_and_asks_with_each_pages_cursor() -> None:
    runs = listing()
    assert (runs.items, runs.newest, runs.cursor, runs.more, runs.total) == ([], [], None, True, None)
    _, effects = played(
        runs.reach(None),
        [page_of("a", "b", cursor="x", more=True, total=3), page_of("c", cursor="y", total=4)],
    )
    assert [sent(effect).variables["after"] for effect in effects] == [None, "x"]
    assert (runs.items, runs.newest, runs.cursor, runs.more, runs.total) == (
        ["a", "b", "c"],
        ["c"],
        "y",
        False,
        4,
    )


def test_a_complete_listing_asks_no_more() -> None:
    runs = listing()
    played(runs.load_page(), [page_of("a", cursor="x")])
    for flow in (runs.load_page(), runs.reach(None), runs.reach(99)):
        returned(flow)
    assert returned(runs.counted()) == 1
    assert runs.items == ["a"]


def test_reach_reads_no_further_than_it_must() -> None:
    runs = listing()
    returned(runs.reach(0))
    played(runs.reach(1), [page_of("a", "b", cursor="x", more=True)])
    returned(runs.reach(2))
    played(runs.reach(3), [page_of("c", "d", cursor="y", more=True)])
    assert runs.items == ["a", "b", "c", "d"]
    assert runs.more


def test_what_the_list_shows_again_is_kept_once() -> None:
    runs = listing()
    played(
        runs.reach(None),
        [
            page_of("a", "b", cursor="x", more=True),
            page_of("b", "c", cursor="y", more=True),
            page_of("b", "c", cursor="z", more=True),
            page_of("d", cursor="zz"),
        ],
    )
    assert runs.items == ["a", "b", "c", "d"]
    assert runs.newest == ["d"]


def test_what_one_page_shows_twice_is_kept_once() -> None:
    runs = listing()
    played(runs.reach(None), [page_of("a", "a", cursor="x")])
    assert runs.items == ["a"]


def test_a_page_of_repeats_does_not_end_the_reading() -> None:
    runs = listing()
    _, effects = played(
        runs.reach(3),
        [
            page_of("a", "b", cursor="x", more=True),
            page_of("a", "b", cursor="y", more=True),
            page_of("c", cursor="z", more=True),
        ],
    )
    assert len(effects) == 3
    assert runs.items == ["a", "b", "c"]


def test_an_empty_page_in_the_middle_is_passed() -> None:
    runs = listing()
    played(
        runs.reach(None),
        [page_of("a", cursor="x", more=True), page_of(cursor="y", more=True), page_of("b", cursor="z")],
    )
    assert runs.items == ["a", "b"]


def test_an_empty_page_at_the_end_leaves_the_cursor_where_it_was() -> None:
    runs = listing()
    played(runs.reach(None), [page_of("a", cursor="x", more=True), page_of(cursor=None)])
    assert (runs.cursor, runs.more, runs.newest) == ("x", False, [])


def test_an_empty_list_is_read_by_one_request() -> None:
    runs = listing()
    assert played(runs.counted(), [page_of(total=0)])[0] == 0
    assert (runs.items, runs.more, runs.cursor) == ([], False, None)
    returned(runs.reach(None))


def test_what_was_read_before_a_cursor_stands_still_is_kept() -> None:
    runs = listing()
    with pytest.raises(PaginationError):
        played(
            runs.reach(None),
            [page_of("a", "b", cursor="x", more=True), page_of("c", cursor="x", more=True)],
        )
    assert runs.items == ["a", "b"]
    assert (runs.cursor, runs.more) == ("x", True)


def test_reading_goes_on_after_an_error_where_it_stopped() -> None:
    runs = listing()
    with pytest.raises(ServerFailureError):
        played(runs.reach(None), [page_of("a", cursor="x", more=True), Response(503, b"")])
    _, effects = played(runs.reach(None), [page_of("b", cursor="y")])
    assert sent(effects[0]).variables["after"] == "x"
    assert runs.items == ["a", "b"]


PAGES = [
    page_of("a", "b", cursor="x", more=True, total=5),
    page_of("c", "d", cursor="y", more=True, total=5),
    page_of("e", cursor="z", total=5),
]


@pytest.mark.parametrize(
    ("index", "item", "requests"),
    [(0, "a", 1), (1, "b", 1), (2, "c", 2), (4, "e", 3), (-1, "e", 3), (-5, "a", 3), (True, "b", 1)],
)
def test_an_item_needs_the_pages_up_to_it(index: int, item: str, requests: int) -> None:
    found, effects = played(listing().at(index), PAGES[:requests])
    assert found == item
    assert len(effects) == requests


@pytest.mark.parametrize("index", [5, -6, 99])
def test_an_index_beyond_the_end_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError):
        played(listing().at(index), PAGES)


@pytest.mark.parametrize(
    ("part", "requests"),
    [
        (slice(0, 0), 0),
        (slice(0, 2), 1),
        (slice(1, 3), 2),
        (slice(3, 1), 1),
        (slice(0, 4, 2), 2),
        (slice(2, None), 3),
        (slice(None), 3),
        (slice(None, None, 2), 3),
        (slice(-2, None), 3),
        (slice(None, -1), 3),
        (slice(None, None, -1), 3),
        (slice(3, 0, -1), 3),
        (slice(2, 99), 3),
    ],
)
def test_a_slice_needs_the_pages_up_to_its_stop(
    part: slice[int | None, int | None, int | None], requests: int
) -> None:
    found, effects = played(listing().between(part), PAGES[:requests])
    assert found == ["a", "b", "c", "d", "e"][part]
    assert len(effects) == requests


def test_a_step_of_zero_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="zero"):
        returned(listing().between(slice(None, None, 0)))


def test_the_count_is_the_servers() -> None:
    runs = listing()
    assert played(runs.counted(), PAGES[:1])[0] == 5
    assert len(runs.items) == 2


def test_a_project_that_is_gone_is_told_by_the_listing() -> None:
    with pytest.raises(ProjectNotFoundError):
        played(listing().reach(None), [in_project(runs=None)])


def test_two_readers_of_one_listing_read_each_page_once() -> None:
    runs = listing()
    first, second = runs.reach(None), runs.reach(None)
    assert sent(next(first)).variables["after"] is None
    assert isinstance(next(second), Join)
    # The first reads on where the second has not come by yet.
    assert sent(first.send(page_of("a", "b", cursor="x", more=True))).variables["after"] == "x"
    assert isinstance(second.send(None), Join)
    ended(first, page_of("c", cursor="y"))
    ended(second, None)
    assert runs.items == ["a", "b", "c"]


def test_a_reader_of_the_first_page_does_not_wait_for_one_of_all_pages() -> None:
    runs = listing()
    everything, one = runs.reach(None), runs.at(0)
    next(everything)
    next(one)
    everything.send(page_of("a", "b", cursor="x", more=True))
    assert ended(one, None) == "a"


def test_two_flows_that_load_the_next_page_load_the_same() -> None:
    runs = listing()
    first, second = runs.load_page(), runs.load_page()
    next(first)
    next(second)
    ended(first, page_of("a", "b", cursor="x", more=True))
    ended(second, None)
    assert (runs.items, runs.cursor) == (["a", "b"], "x")


class Interrupted(Runs):
    """A listing whose reader is interrupted while it keeps what it has read."""

    interrupts = True

    def __setattr__(self, name: str, value: object) -> None:
        if name == self.__dict__.get("at") and self.interrupts:
            Interrupted.interrupts = False
            raise KeyboardInterrupt
        super().__setattr__(name, value)


@pytest.mark.parametrize("at", ["newest", "items", "total", "more", "cursor"])
@pytest.mark.parametrize("last", [True, False])
def test_an_interrupt_loses_no_item(at: str, last: bool) -> None:
    runs = listing(Interrupted)
    vars(runs)["at"], Interrupted.interrupts = at, True
    pages = [page_of("a", "b", cursor="x", more=not last), page_of("c", cursor="y")]
    flow = runs.reach(None)
    next(flow)
    with pytest.raises(KeyboardInterrupt):
        flow.send(pages[0])
    del flow
    following = page_of(cursor=None) if last else pages[1]
    served(runs.reach(None), lambda effect: following if sent(effect).variables["after"] else pages[0])
    assert runs.items == (["a", "b"] if last else ["a", "b", "c"])
