"""What a list of runs offers beyond the list itself: the full histories of all of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, overload

from runql.resources.runs.query import RunQuery
from runql.transport.flow import DEFAULT_CONCURRENCY

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row
    from runql.resources.runs.histories.formats import FullFormat
    from runql.resources.runs.histories.page import HistoriesPlan
    from runql.resources.runs.histories.scan import AsyncHistoriesScan, HistoriesScan
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.sync import RetryingClient

PAGE_SIZE: Final = 10_000


class RunsMetrics:
    """The metrics of all runs of a `Runs`."""

    _client: RetryingClient
    _query: RunQuery

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["polars"] = "polars",
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> HistoriesScan[pl.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["pandas"],
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> HistoriesScan[pd.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["arrow"],
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> HistoriesScan[pa.Table]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["default"],
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> HistoriesScan[list[Row]]: ...

    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: FullFormat = "polars",
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> HistoriesScan[list[Row] | pd.DataFrame | pl.DataFrame | pa.Table]:
        """Return every row of every run, never thinned, as a scan that is read when you ask it to.

        Args:
            keys: only these metrics and `_step`; None for whole rows.
            min_step: the first step; None for the start.
            max_step: the step before which to end; None for the end, also of runs that still log.
            match: ``any`` for the rows that have at least one of the keys, ``all`` for those that have every key.
            format: of what the scan gives: a frame of polars, of pandas or of Arrow, or ``default`` for a list of dicts.
            pivot: `HistoriesScan.collect` gives one row for each step and a column for each run and metric, named
                ``metric/run``, or by the run alone where one key was asked for.
            page_size: steps and rows that a request for a single run covers, at least 1.
            max_concurrency: such requests under way at the same time, at least 1.

        Raises:
            ValueError: unknown format or match, a bound that is negative or the wrong way round, ``page_size`` or
                ``max_concurrency`` below 1.
            TypeError: ``keys`` is no list of texts.
            MissingExtraError: the format's library is not installed; raised before anything is sent.
        """
        from runql.resources.runs.histories.formats import histories_form
        from runql.resources.runs.histories.scan import HistoriesScan

        plan = histories_plan(self._query, keys, min_step, max_step, match, page_size, max_concurrency)
        return HistoriesScan(self._client, plan, histories_form(format, plan.scan.keys or ()), pivot=pivot)


class AsyncRunsMetrics:
    """As `RunsMetrics`, awaited."""

    _client: AsyncRetryingClient
    _query: RunQuery

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["polars"] = "polars",
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> AsyncHistoriesScan[pl.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["pandas"],
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> AsyncHistoriesScan[pd.DataFrame]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["arrow"],
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> AsyncHistoriesScan[pa.Table]: ...

    @overload
    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: Literal["default"],
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> AsyncHistoriesScan[list[Row]]: ...

    def scan_histories(
        self,
        keys: Sequence[str] | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        match: Match = "any",
        format: FullFormat = "polars",
        pivot: bool = False,
        page_size: int = PAGE_SIZE,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> AsyncHistoriesScan[list[Row] | pd.DataFrame | pl.DataFrame | pa.Table]:
        """As `Runs.scan_histories`."""
        from runql.resources.runs.histories.formats import histories_form
        from runql.resources.runs.histories.scan import AsyncHistoriesScan

        plan = histories_plan(self._query, keys, min_step, max_step, match, page_size, max_concurrency)
        return AsyncHistoriesScan(
            self._client, plan, histories_form(format, plan.scan.keys or ()), pivot=pivot
        )


def histories_plan(
    query: RunQuery,
    keys: Sequence[str] | None,
    min_step: int | None,
    max_step: int | None,
    match: Match,
    page_size: int,
    max_concurrency: int,
) -> HistoriesPlan:
    """Check what a caller gave, see `Runs.scan_histories`."""
    from runql.resources.history.plan import ScanPlan
    from runql.resources.runs.histories.page import HistoriesPlan

    scan = ScanPlan.checked(
        query.entity,
        query.project,
        "",
        keys=keys,
        match=match,
        page_size=page_size,
        min_step=min_step,
        max_step=max_step,
        max_concurrency=max_concurrency,
    )
    return HistoriesPlan(query, scan)
