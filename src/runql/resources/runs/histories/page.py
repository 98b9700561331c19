"""A page of runs with their whole histories: the request, and what arrived of each run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from runql.frames.batches import Batch, RowBatch, step_of
from runql.frames.row_readers import RowReader
from runql.quick_dataclasses import dataclass
from runql.resources.history.chosen_rows import BAD_ROW, BAD_ROW_OF_RUN, CHOSEN_ROWS, content_by_run
from runql.resources.history.plan import ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.row_tally import RowTally
from runql.resources.history.window import (
    Outline,
    chosen_rows,
    last_step,
    outline_of,
    requested_keys,
    shares_steps,
    specs_of,
    steps_spec,
    whole_rows,
)
from runql.resources.pages.listing import Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.records.tables import Contents
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch_with_raw_lists
from runql.transport.sample_limits import is_far_below
from runql.values import as_json, parse_rows
from runql_graphql.operations import list_whole_histories

if TYPE_CHECKING:
    from runql_graphql.fragments import WholeHistory


@dataclass(frozen=True, slots=True)
class HistoriesPlan:
    """The checked options of a scan of many runs.

    Attributes:
        query: which runs.
        scan: which rows of each; its run has no id.
        heights: how many rows each of the runs had when they were counted; empty where nobody counted them.
        are_numbers: whether the rows hold numbers alone, as the server counts, so that their bytes are known.
    """

    query: RunQuery
    scan: ScanPlan
    heights: tuple[int, ...] = ()
    are_numbers: bool = False

    def words(self) -> str:
        """Which rows of which runs, for people."""
        return self.scan.words(self.query.words())

    def contents(self) -> Contents:
        """The same as fields."""
        query = self.query
        runs = {"project": f"{query.entity}/{query.project}", "filters": query.filters, "order": query.order}
        return Contents({**runs, "limit": query.limit, **self.scan.options, "page_size": self.scan.page_size})


@dataclass(frozen=True, slots=True)
class RunFingerprint:
    """A run whose rows are all read, with the fields that change when rows are added.

    Attributes:
        name: its id.
        line_count: rows in its history, as the server counted when the run was listed.
        heartbeat_at: its last sign of life at that time.
    """

    name: str
    line_count: int | None
    heartbeat_at: str | None


@dataclass(slots=True)
class HistoriesPart:
    """Rows that follow each other: run after run in list order, in step order within a run, labelled with `run_id`.

    Attributes:
        batches: the rows.
        ended: the runs whose last rows are among them, and runs without any row.
    """

    batches: list[Batch] = field(default_factory=list[Batch])
    ended: list[RunFingerprint] = field(default_factory=list[RunFingerprint])

    def add(self, part: HistoriesPart) -> None:
        """Append the part that follows."""
        self.batches += part.batches
        self.ended += part.ended


@dataclass(slots=True)
class ListedHistory:
    """A run of a page, and the rows of it that arrived.

    Attributes:
        fields: the run, without the rows of chosen keys.
        content: these rows as JSON, where they were cut out of the response.
        scan: what was requested.
        samples: rows that were requested in each list.
        lists: the rows of chosen keys, one batch a spec in step order; None for a spec that the server returned null for,
            or for each spec where they cannot be read.
        steps: of all of its rows, where they were requested.
        is_complete: whether all requested rows arrived.
    """

    fields: WholeHistory
    content: bytes | None
    scan: ScanPlan
    samples: int
    lists: list[Batch | None] = field(default_factory=list[Batch | None])
    steps: Batch | None = None
    is_complete: bool = False

    def read_chosen(self, reader: RowReader) -> None:
        """Read the rows of chosen keys; a run with a row that cannot be read keeps none."""
        parsed = self.fields.sampled_history
        if parsed is None and self.content is None:
            self.take_lists([])
            return
        specs = len(requested_keys(self.scan))
        try:
            lists = chosen_rows(self.path, parsed, self.content, specs + 1, reader)
        except BAD_ROW_OF_RUN:
            # The run is read alone later, and then raises its error.
            lists = []
        self.take_lists(lists)

    def take_lists(self, lists: Sequence[Batch | None]) -> None:
        """Keep the rows of each spec, and the steps of all rows where they follow."""
        specs = len(requested_keys(self.scan))
        self.lists = [*lists, *([None] * specs)][:specs]
        self.steps = lists[specs] if len(lists) > specs else None

    @property
    def lacks_rows(self) -> bool:
        """Whether all lists arrived, but do not show each row: some lack keys, or share a step."""
        if not self.scan.every_row or self.is_missing or self.received >= self.samples:
            return False
        if self.scan.needs_full_rows:
            return not self._has_full_rows
        present = [rows for rows in self.lists if rows is not None]
        return shares_steps(self.scan, present) or self._counts_more_than_steps

    @property
    def needs_whole_rows(self) -> bool:
        """Whether the server counts more rows than have a step, so that only whole rows show all."""
        return self.scan.every_row and not self.scan.needs_full_rows and self._counts_more_than_steps

    @property
    def _counts_more_than_steps(self) -> bool:
        if not self.scan.wants_every_step or self.received >= self.samples:
            return False
        return self.heights[-1] < (self.line_count or 0)

    @property
    def _has_full_rows(self) -> bool:
        """Whether each row has the keys: there are as many as the server counts, with the steps 0, 1, 2, …"""
        rows = self.lists[0] if self.lists else None
        if self.line_count == 0:
            return not self.received
        # Without gaps no row lies between these, also where the count lags behind.
        return (
            rows is not None
            and rows.height == self.line_count
            and rows.extent() == (0, rows.height - 1)
            and rows.has_each_step_once()
        )

    @property
    def has_chosen(self) -> bool:
        """Whether there are rows of chosen keys, or should be."""
        return self.scan.keys is not None or self.content is not None or bool(self.fields.sampled_history)

    @property
    def path(self) -> str:
        """Entity, project and run."""
        return f"{self.scan.run.entity}/{self.scan.run.project}/{self.name}"

    @property
    def id(self) -> str:
        """The server's own id."""
        return self.fields.id

    @property
    def name(self) -> str:
        """The run's id."""
        return self.fields.name

    @property
    def line_count(self) -> int | None:
        """Rows in its history, where the server counts them."""
        return self.fields.history_line_count

    @property
    def counts(self) -> RowCounts:
        """What the server counts of it."""
        return RowCounts.of(self.line_count, as_json(self.fields.history_keys))

    @property
    def lines(self) -> list[str]:
        """Its whole rows, each as JSON."""
        return self.fields.history or []

    @property
    def is_missing(self) -> bool:
        """Whether the server returned null instead of rows."""
        if self.line_count == 0:
            return False
        return self.fields.history is None if self.scan.keys is None else None in self.lists

    @property
    def heights(self) -> list[int]:
        """Rows of each list."""
        if self.scan.keys is None:
            return [len(self.lines)]
        return [0 if rows is None else rows.height for rows in self.lists]

    @property
    def received(self) -> int:
        """Rows of the longest list."""
        return max(self.heights, default=0)

    @property
    def wanted(self) -> int:
        """The most rows that are requested of the run, as far as its response shows."""
        return self.received if self.is_complete else max(self.received, self.line_count or 0)

    @property
    def chosen(self) -> list[Batch]:
        """The rows of chosen keys, one batch a spec."""
        return [RowBatch([]) if rows is None else rows for rows in self.lists]

    @property
    def fingerprint(self) -> RunFingerprint:
        """The fields that change when rows are added."""
        return RunFingerprint(self.name, self.line_count, self.fields.heartbeat_at)

    def end_before(self, end: int) -> None:
        """Forget the rows from this step on."""
        lines = self.lines
        keep = len(lines)
        with suppress(*BAD_ROW):
            while keep and (step_of(parse_rows(lines[keep - 1 : keep])[0]) or 0) >= end:
                keep -= 1
        if keep < len(lines):
            self.fields = self.fields.model_copy(update={"history": lines[:keep]})
        self.lists = [None if rows is None else rows.between(0, end) for rows in self.lists]

    def outline(self, reader: RowReader) -> Outline:
        """The numbers and steps of its rows.

        Raises:
            CorruptHistoryError: a row cannot be read.
        """
        lists = whole_rows(self.path, self.lines, reader) if self.scan.keys is None else self.chosen
        present = [rows for rows in lists if rows is not None]
        return outline_of(present, self.scan.min_step, self.scan.max_step, self.samples)

    def holds_all_rows(self, reader: RowReader, bound: int) -> bool:
        """Whether the response shows that all requested rows arrived.

        Args:
            reader: reads the rows, where their steps are needed.
            bound: the fewest rows, give or take a few, that a downsampled list has.
        """
        if self.is_missing or self.received >= self.samples or self.lacks_rows:
            return False
        if self.scan.needs_full_rows:
            return True
        scan, tally = self.scan, RowTally(self.scan)
        tally.note(self.counts)
        if scan.wants_every_step:
            if tally.is_complete_with(self.heights):
                return True
            if scan.keys is None and self.received and is_far_below(self.received, bound):
                return True
        try:
            outline = self.outline(reader)
        except BAD_ROW_OF_RUN:
            return False
        if tally.is_complete_with(outline.heights):
            return True
        if self.steps is not None and self.steps.height == self.line_count:
            rows = self.steps.between(scan.min_step, scan.max_step).height
            if all(height == rows for height in outline.heights):
                return True
        reported = last_step(as_json(self.fields.history_keys))
        ends = [scan.max_step, None if reported is None else reported + 1]
        end = min((end for end in ends if end is not None), default=None)
        return outline.is_whole(end, bound) and not tally.misses_all


def list_histories(
    query: RunQuery,
    scan: ScanPlan,
    after: str | None,
    *,
    samples: int,
    with_steps: bool,
    fail_fast: bool,
) -> Flow[Page[ListedHistory]]:
    """Return a page of runs, with up to ``samples`` rows of each; one request.

    ``with_steps`` also requests the steps of all rows.
    """
    keys = scan.keys is not None
    specs = specs_of(scan, scan.min_step, scan.max_step, samples)
    if with_steps:
        specs.append(steps_spec(samples))
    if query.ids == ():
        return Page([], after, None, False, 0)
    sent, cursor = query.request(after)
    operation = list_whole_histories(
        entity=sent.entity,
        project=sent.project,
        filters=sent.filters,
        order=sent.order,
        first=sent.per_page,
        after=cursor,
        min_step=scan.min_step,
        max_step=scan.max_step,
        samples=samples,
        specs=specs,
        whole=not keys,
        chosen=keys or with_steps,
        with_keys=not scan.wants_every_step or (keys and not scan.needs_full_rows),
    )
    response, cut = yield from fetch_with_raw_lists(operation, CHOSEN_ROWS, fail_fast=fail_fast)
    page = read_page(require_runs(response.project, query.entity, query.project), cursor)
    contents = content_by_run(cut, len(page.nodes))
    nodes = [
        ListedHistory(fields, content, scan, samples)
        for fields, content in zip(page.nodes, contents, strict=True)
    ]
    return query.placed(page.with_nodes(nodes), after)
