"""However a list shifts between its pages, a listing keeps every run it saw once, in order, and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples
from tests.unit.resources.answers import page_of
from tests.unit.transport.stepping import sent, served

from runql.errors import NoItemError, SeveralItemsError
from runql.resources.pages.listing import Listing, Page
from runql.resources.runs.query import RunQuery, list_light_page
from runql.transport.flow import Effect, Flow
from runql.transport.wire import Response
from runql_graphql.fragments import RunFields

NAMES = st.lists(st.integers(0, 30).map("run{}".format), unique=True, max_size=25)


class ShiftingServer:
    """A list served by offset, as cursors, into which new runs come at the front between requests."""

    def __init__(self, names: list[str], arrivals: list[int]) -> None:
        self.names = names
        self.shown: list[str] = []
        self.requests = 0
        self._arrivals = arrivals

    def answer(self, effect: Effect) -> Response:
        asked = sent(effect).variables
        if 1 <= self.requests <= len(self._arrivals):
            fresh = self._arrivals[self.requests - 1]
            self.names = [f"new{self.requests}.{place}" for place in range(fresh)] + self.names
        self.requests += 1
        first, after = asked["first"], asked["after"]
        assert isinstance(first, int)
        start = 0 if after is None else int(str(after))
        part = self.names[start : start + first]
        self.shown += part
        end = start + len(part)
        return page_of(*part, cursor=str(end), more=end < len(self.names), full=False, total=len(self.names))


def listing(per_page: int, limit: int | None = None) -> Listing[RunFields, str]:
    query = RunQuery("e", "p", per_page=per_page)

    def read(size: int, after: str | None) -> Flow[Page[RunFields]]:
        return (yield from list_light_page(query.sized(size), after))

    def convert(page: Page[RunFields]) -> list[str]:
        return [node.name for node in page.nodes]

    return Listing(read, convert, lambda name: name, per_page=per_page, limit=limit)


@examples(100)
@given(NAMES, st.integers(1, 8), st.lists(st.integers(0, 3), max_size=4))
def test_every_run_shows_once_in_the_order_it_was_shown(
    names: list[str], per_page: int, arrivals: list[int]
) -> None:
    server = ShiftingServer(names, arrivals)
    runs = listing(per_page)
    served(runs.reach(None), server.answer)
    assert runs.items == list(dict.fromkeys(server.shown))
    assert set(names) <= set(runs.items)
    assert server.requests <= max(1, -(-len(server.names) // per_page))


@examples(100)
@given(
    NAMES,
    st.integers(1, 8),
    st.builds(
        slice,
        st.none() | st.integers(-30, 30),
        st.none() | st.integers(-30, 30),
        st.none() | st.integers(-4, 4).filter(bool),
    ),
)
def test_slices_are_those_of_a_list(
    names: list[str], per_page: int, part: slice[int | None, int | None, int | None]
) -> None:
    server = ShiftingServer(names, [])
    assert served(listing(per_page).between(part), server.answer) == names[part]
    assert server.requests <= max(1, -(-len(names) // per_page))


@examples(100)
@given(NAMES, st.integers(1, 8), st.integers(-30, 30))
def test_indexes_are_those_of_a_list_and_read_no_page_too_many(
    names: list[str], per_page: int, index: int
) -> None:
    server = ShiftingServer(names, [])
    flow = listing(per_page).at(index)
    if -len(names) <= index < len(names):
        assert served(flow, server.answer) == names[index]
        assert server.requests == (index // per_page + 1 if index >= 0 else -(-len(names) // per_page))
    else:
        try:
            served(flow, server.answer)
        except IndexError:
            return
        raise AssertionError(f"{index} of {len(names)} was found")


@examples(100)
@given(NAMES, st.integers(1, 8), st.integers(1, 30), st.lists(st.integers(0, 3), max_size=4), st.booleans())
def test_a_limit_gives_the_first_of_what_is_shown_and_asks_for_no_more(
    names: list[str], per_page: int, limit: int, arrivals: list[int], shifts: bool
) -> None:
    server = ShiftingServer(names, arrivals if shifts else [])
    runs = listing(per_page, limit)
    served(runs.reach(None), server.answer)
    assert runs.items == list(dict.fromkeys(server.shown))[:limit]
    assert not runs.more
    if not shifts:
        assert len(server.shown) == min(limit, len(names))
        assert server.requests == max(1, -(-min(limit, len(names)) // per_page))


@examples(100)
@given(NAMES, st.integers(1, 8), st.integers(0, 6))
def test_first_and_one_agree_with_the_list_and_ask_for_one_or_two(
    names: list[str], per_page: int, read: int
) -> None:
    for count in (1, 2):
        server = ShiftingServer(names, [])
        runs = listing(per_page)
        served(runs.reach(read), server.answer)
        before = len(server.shown)
        if count == 1:
            assert served(runs.first(), server.answer) == (names[0] if names else None)
        elif len(names) == 1:
            assert served(runs.one("names"), server.answer) == names[0]
        else:
            with pytest.raises(SeveralItemsError if names else NoItemError, match="names"):
                served(runs.one("names"), server.answer)
        assert len(server.shown) == max(before, min(count, len(names)))
        served(runs.reach(None), server.answer)
        assert runs.items == names
