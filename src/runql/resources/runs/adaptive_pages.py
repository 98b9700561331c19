"""Pages of runs that adapt their size: halved when a page overloads the server, down to one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

from runql.errors import (
    IncompleteHistoriesError,
    QueryError,
    RequestTimedOutError,
    RunqlError,
    ServerFailureError,
)
from runql.limits import ResponseTooLargeError
from runql.partial_results import allowed_partial, explain
from runql.quick_dataclasses import dataclass
from runql.resources.pages.listing import Page, refuse_circle
from runql.resources.runs.query import RunQuery, list_light_page
from runql.transport.flow import Flow

if TYPE_CHECKING:
    from runql_graphql.fragments import RunFields

# The errors of a server that a page overloads. A smaller page cannot help against any other error.
OVERLOAD = (ServerFailureError, RequestTimedOutError, QueryError, ResponseTooLargeError)
GOOD_PAGES = 4

HOPELESS: Final = 5
"""Runs in a row that fail before a read gives up; one that times out counts twice, as it takes that long."""

NAMES: Final = 500
"""Runs on a page that lists the remaining ones after giving up."""


NOT_REQUESTED: Final = "not requested, because the runs before it failed one after the other"


@dataclass(slots=True)
class UnreadRuns:
    """Runs whose rows the server does not return, or returns in a form that cannot be read.

    Attributes:
        reasons: why, by their ids.
        not_requested: ids of those that were not requested, because the runs before them failed.
    """

    reasons: dict[str, str] = field(default_factory=dict[str, str])
    not_requested: set[str] = field(default_factory=set[str])

    def add(self, name: str, error: RunqlError) -> None:
        """Note a run and its error."""
        self.reasons[name] = str(error)

    def add_not_requested(self, name: str, streak: Streak) -> None:
        """Note a run that was not requested."""
        self.reasons[name] = streak.why_not_tried
        self.not_requested.add(name)

    def error(self, partial: Sequence[Mapping[str, object]], kept: str = "") -> IncompleteHistoriesError:
        """Return the error for these runs.

        Args:
            partial: the rows of the others.
            kept: where the rows of the others are, when they are not in ``partial``.
        """
        reason = explain(self.reasons, self.not_requested)
        return IncompleteHistoriesError(partial, [*self.reasons], reason, kept, self.reasons)

    def may_be_left_out(self) -> bool:
        """Note that the result lacks these runs, where the caller allows it; return whether that is so."""
        allowed = allowed_partial()
        if allowed is not None:
            allowed.add_runs(self.reasons, self.not_requested)
        return allowed is not None

    def joined(self, other: UnreadRuns) -> UnreadRuns:
        """The runs of both."""
        return UnreadRuns(self.reasons | other.reasons, self.not_requested | other.not_requested)


class Streak:
    """Runs in a row that could not be read.

    Attributes:
        reason: the error of the last one.
    """

    def __init__(self) -> None:
        self.reason: str = ""
        self._length = 0

    def fail(self, error: RunqlError) -> None:
        """Note a run that could not be read."""
        self.reason = str(error)
        self._length += 2 if isinstance(error, RequestTimedOutError) else 1

    def end(self) -> None:
        """Note a run that was read."""
        self._length = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether the next run would fail as well, in all likelihood."""
        return self._length >= HOPELESS

    @property
    def why_not_tried(self) -> str:
        """Why the runs that follow were not requested."""
        return f"{NOT_REQUESTED}: {self.reason}"


class ListedRun(Protocol):
    """A node of a list of runs."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=ListedRun)
ReadPage: TypeAlias = Callable[[RunQuery, str | None, bool], Flow[Page[N]]]
"""Reads the page after a cursor. With True as the last argument it fails fast, without retries."""


class AdaptivePages(Generic[N]):
    """The pages of a list, one after the other, each a request.

    A page that overloads the server (a failure, a timeout, a GraphQL error, a response beyond `Limits`) is halved at
    once, down to one run. The size grows back only after `GOOD_PAGES` pages, because each overload may cost a whole
    timeout. A run that cannot be read even alone is skipped, by a request for its id. After several such runs in a row
    no further one is tried: their ids are listed, by one request for `NAMES` of them.

    Attributes:
        size: runs that the next page asks for.
        more: whether another page is there.
        has_read: whether any run was read.
        unread: the runs that were skipped.
    """

    def __init__(self, query: RunQuery, read_page: ReadPage[N], size: int | None = None) -> None:
        self.size: int = query.per_page if size is None else size
        self.more: bool = True
        self.has_read: bool = False
        self.unread: UnreadRuns = UnreadRuns()
        self._streak = Streak()
        self._left = query.limit
        self._query = query
        self._read_page = read_page
        self._after: str | None = None
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._full_size = self.size
        self._good_pages = 0

    def read(self) -> Flow[Page[N] | None]:
        """Ask for the next page, which `take` moves past; None when only runs that cannot be read were left."""
        while self.more:
            size = self.size if self._left is None else min(self.size, self._left)
            can_halve = size > 1
            try:
                page = yield from self._read_page(self._query.sized(size), self._after, can_halve)
            except OVERLOAD as error:
                if can_halve:
                    self.size, self._good_pages = (size + 1) // 2, 0
                else:
                    yield from self._skip(error)
            else:
                self._streak.end()
                return page
        return None

    def take(self, page: Page[N]) -> list[N]:
        """Move past a page, and return its runs without those of earlier pages.

        Raises:
            PaginationError: the pages go in a circle.
        """
        refuse_circle(page, self._cursors)
        unseen = {node.id: node for node in page.nodes if node.id not in self._seen}
        new = dict(islice(unseen.items(), self._left))
        self._seen.update(new)
        self.has_read = self.has_read or bool(new)
        self._move_past(page, len(new))
        self._good_pages += 1
        if self._good_pages >= GOOD_PAGES:
            self.size, self._good_pages = min(self.size * 2, self._full_size), 0
        return [*new.values()]

    def aim(self, size: int) -> None:
        """Set how many runs a page should hold. A page that was halved still grows by its own rule."""
        self.size = size if self.size == self._full_size else min(self.size, size)
        self._full_size = size

    def _skip(self, error: RunqlError) -> Flow[None]:
        yield from self._leave_out(1, lambda name: self.unread.add(name, error))
        self._streak.fail(error)
        while self.more and self._streak.is_hopeless:
            yield from self._leave_out(NAMES, lambda name: self.unread.add_not_requested(name, self._streak))

    def _leave_out(self, runs: int, note: Callable[[str], None]) -> Flow[None]:
        size = runs if self._left is None else min(runs, self._left)
        page = yield from list_light_page(self._query.sized(size), self._after)
        refuse_circle(page, self._cursors)
        for run in page.nodes:
            if run.id not in self._seen:
                note(run.name)
        self._move_past(page, len(page.nodes))

    def _move_past(self, page: Page[N] | Page[RunFields], runs: int) -> None:
        self._after, self.more = page.cursor, page.more
        if self._left is not None:
            self._left -= runs
            self.more = self.more and self._left > 0
