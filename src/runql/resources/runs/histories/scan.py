"""The full histories of many runs as the reader sees them: one frame, frame after frame, or a parquet file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from runql.arguments import checked_path
from runql.frames.batches import Batch
from runql.frames.extras import require
from runql.resources.pages.next_item import AsyncNextItem, NextItem
from runql.resources.runs.histories.collect import incomplete, read_histories, sink_histories
from runql.resources.runs.histories.cursor import HistoriesPosition
from runql.resources.runs.histories.formats import Form
from runql.resources.runs.histories.page import HistoriesPlan, Part
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient

F_co = TypeVar("F_co", covariant=True)
HANDED_OUT = "was handed out"


class HistoriesScan(Generic[F_co]):
    """Every row of every run of a list, never thinned; nothing is sent before you ask for it, and each time anew.

    Rows come run after run in list order, in step order within a run. Frames have `run_id` and `_step` first, then the
    metrics by name; a metric called `run_id` gives way. Sends one request a page of runs, which brings the whole
    histories of all runs that fit, and one for each ``page_size`` steps (or rows, where these are few) of each run that
    does not fit, ``max_concurrency`` of them at a time; the next page is asked for meanwhile. A page begins with as many runs
    as a page of the list has, 50 at most, and 500 rows of each; then its size follows what the answers hold, up to 500
    runs, 100,000 rows or 8 MiB of texts. A page that is too much for the server (a failure, a timeout, a GraphQL error)
    is asked again in halves, down to one run. A run of which the server may have left out rows is read alone.
    """

    def __init__(self, client: RetryingClient, plan: HistoriesPlan, form: Form[F_co], *, pivot: bool) -> None:
        self._client = client
        self._plan = plan
        self._form = form
        self._pivot = pivot
        self._next: NextItem[F_co] = NextItem(self.__iter__)

    def __next__(self) -> F_co:
        return self._next.take()

    def collect(self) -> F_co:
        """Return all rows as one frame; types are decided over every value.

        With ``pivot=True`` one row for each step of any run, rising, and a column for each run and metric; see
        `runql.frames.wide.widen` for names and limits.

        Raises:
            IncompleteHistoriesError: some runs cannot be read, or the list not to its end; what was read of the others
                is in its ``partial``, as dicts.
            ValueError: with ``pivot``: more than 20,000 columns.
        """
        part = self._client.run(read_histories(self._plan, self._form.reader(), self._client.sample_limits))
        return collected(self._plan, self._form, part, pivot=self._pivot)

    def __iter__(self) -> Iterator[F_co]:
        """Read frame after frame from the first one: the runs of a page, or ``max_concurrency`` windows of a long run; all are bounded in rows.

        The types of a frame are decided over its own values. The first page is asked for alone; from then on the next
        page is asked for while one is read, so at most one more than was looked at. ``next(scan)`` goes on behind the frame that the last ``next`` returned.

        Raises:
            IncompleteHistoriesError: at the end, when some runs could not be read; of these, a long one may have
                been handed out in part.
            ValueError: with ``pivot``: a row of it needs every run.
        """
        refuse_pivot("iterate", pivot=self._pivot)
        position = HistoriesPosition(self._plan, self._form.reader(), limits=self._client.sample_limits)
        ahead = False
        while (batches := self._client.run(next_batches(position, ahead=ahead))) is not None:
            ahead = True
            yield self._form.make(batches)
        if position.failed:
            raise incomplete(position, HANDED_OUT)

    def sink_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write all rows into one parquet file; needs pyarrow, whatever the format.

        The file holds what it held before, or all rows. One schema over all of them: types are decided over every value,
        as in `collect` with ``format="arrow"``. Memory holds no more than an answer or two. Until the end, parts are
        kept in a hidden folder beside the file: a call that was interrupted, in whatever way, is gone on with by the
        next one for the same file and the same rows. That one sends a request for each 500 runs of the list, and reads
        the runs that are missing and those that have more rows or a later sign of life than before.

        Raises:
            IncompleteHistoriesError: some runs cannot be read; the file is not written, the others are kept.
            LocalFileError: the disk refuses, or another call writes the same file now.
            MissingExtraError: pyarrow is not installed; raised before anything is sent.
            ValueError: with ``pivot``.
        """
        self._client.run(
            sunk(
                self._plan,
                self._form,
                path,
                self._client.settings.base_url,
                self._client.sample_limits,
                pivot=self._pivot,
            )
        )


class AsyncHistoriesScan(Generic[F_co]):
    """As `HistoriesScan`: ``await scan.collect()``, ``async for frame in scan``, ``await scan.sink_parquet(path)``."""

    def __init__(
        self, client: AsyncRetryingClient, plan: HistoriesPlan, form: Form[F_co], *, pivot: bool
    ) -> None:
        self._client = client
        self._plan = plan
        self._form = form
        self._pivot = pivot
        self._next: AsyncNextItem[F_co] = AsyncNextItem(self.__aiter__)

    async def __anext__(self) -> F_co:
        return await self._next.take()

    async def collect(self) -> F_co:
        """As `HistoriesScan.collect`."""
        part = await self._client.run(
            read_histories(self._plan, self._form.reader(), self._client.sample_limits)
        )
        return collected(self._plan, self._form, part, pivot=self._pivot)

    async def __aiter__(self) -> AsyncIterator[F_co]:
        """As `HistoriesScan.__iter__`."""
        refuse_pivot("iterate", pivot=self._pivot)
        position = HistoriesPosition(self._plan, self._form.reader(), limits=self._client.sample_limits)
        ahead = False
        while (batches := await self._client.run(next_batches(position, ahead=ahead))) is not None:
            ahead = True
            yield self._form.make(batches)
        if position.failed:
            raise incomplete(position, HANDED_OUT)

    async def sink_parquet(self, path: str | os.PathLike[str]) -> None:
        """As `HistoriesScan.sink_parquet`."""
        await self._client.run(
            sunk(
                self._plan,
                self._form,
                path,
                self._client.settings.base_url,
                self._client.sample_limits,
                pivot=self._pivot,
            )
        )


F = TypeVar("F")


def collected(plan: HistoriesPlan, form: Form[F], part: Part, *, pivot: bool) -> F:
    """All rows as one frame."""
    if not pivot:
        return form.make(part.batches)
    keys = [key for key in plan.scan.keys or () if key != "_step"]
    runs = list(dict.fromkeys(mark.name for mark in part.ended))
    return form.pivoted(part.batches, runs, one_metric=len(keys) == 1)


def next_batches(position: HistoriesPosition, *, ahead: bool) -> Flow[list[Batch] | None]:
    """The rows that follow; None at the end."""
    while (part := (yield from position.next_part(bounded=True, ahead=ahead))) is not None:
        if part.batches:
            return part.batches
    return None


def sunk(
    plan: HistoriesPlan,
    form: Form[object],
    path: str | os.PathLike[str],
    server: str,
    limits: SampleLimits,
    *,
    pivot: bool,
) -> Flow[None]:
    """See `HistoriesScan.sink_parquet`; what cannot be is refused at once."""
    refuse_pivot("write", pivot=pivot)
    require("pyarrow", needed_for="HistoriesScan.sink_parquet")
    return sink_histories(plan, form.reader(), checked_path("path", path).absolute(), server, limits)


def refuse_pivot(what: str, *, pivot: bool) -> None:
    """Refuse what would need all runs at once."""
    if pivot:
        raise ValueError(
            f"cannot {what} a pivoted scan piece by piece, because each of its rows needs every run: "
            "use collect(), or leave out pivot"
        )
