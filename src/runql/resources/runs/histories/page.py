"""A page of runs with their whole histories: what is asked, and what is answered of each run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runql.errors import CorruptHistoryError
from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources.history import chosen_rows as sampled
from runql.resources.history.plan import ScanPlan
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.window import (
    Outline,
    asked_keys,
    chosen_rows,
    outlined,
    specs_of,
    steps_spec,
    whole_rows,
)
from runql.resources.pages.listing import Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Flow, fetch_with_raw_lists
from runql.values import as_json
from runql_graphql.operations import list_whole_histories

if TYPE_CHECKING:
    from runql_graphql.fragments import WholeHistory


@dataclass(frozen=True, slots=True)
class HistoriesPlan:
    """A checked wish for all rows of many runs.

    Attributes:
        query: which runs.
        scan: which rows of each, for a run without a name.
    """

    query: RunQuery
    scan: ScanPlan


@dataclass(frozen=True, slots=True)
class RunMark:
    """A run whose rows are all read, and by what to see that it has changed since.

    Attributes:
        name: its id.
        line_count: rows in its history, as the server counted when the run was listed.
        heartbeat_at: its last sign of life then.
    """

    name: str
    line_count: int | None
    heartbeat_at: str | None


@dataclass(slots=True)
class Part:
    """Rows that follow each other: run after run in list order, in step order within a run, labelled with `run_id`.

    Attributes:
        batches: the rows.
        ended: the runs whose last rows are among them, also those without any row.
    """

    batches: list[Batch] = field(default_factory=list[Batch])
    ended: list[RunMark] = field(default_factory=list[RunMark])

    def add(self, part: Part) -> None:
        """Append what follows."""
        self.batches += part.batches
        self.ended += part.ended


@dataclass(slots=True)
class ListedHistory:
    """A run of a page and what was answered of it.

    Attributes:
        fields: the run, without the rows of chosen keys.
        text: these, as JSON where they could be cut out of the response.
        scan: what was asked of it.
        samples: rows that were asked for in each list.
        lists: the rows of chosen keys, one batch a spec in step order; None for a spec that the server sent null for.
        steps: of all of its rows, where they were asked for.
        is_complete: whether all wanted rows of it came.
    """

    fields: WholeHistory
    text: bytes | None
    scan: ScanPlan
    samples: int
    lists: list[Batch | None] = field(default_factory=list[Batch | None])
    steps: Batch | None = None
    is_complete: bool = False

    def read_chosen(self, reader: RowReader) -> None:
        """Read the rows of chosen keys, where there are any; of a run with a row that cannot be read there are none."""
        told = self.fields.sampled_history
        if told is None and self.text is None:
            self.lists = [None] * len(asked_keys(self.scan))
            return
        specs = len(asked_keys(self.scan))
        try:
            lists = chosen_rows(self.path, told, self.text, specs + 1, reader)
        except CorruptHistoryError:
            # Read alone, its error is named.
            lists = []
        self.lists = (lists + [None] * specs)[:specs]
        self.steps = lists[specs] if len(lists) > specs else None

    @property
    def has_chosen(self) -> bool:
        """Whether there are rows of chosen keys, or should be."""
        return self.scan.keys is not None or self.text is not None or bool(self.fields.sampled_history)

    @property
    def path(self) -> str:
        """Entity, project and run."""
        return f"{self.scan.entity}/{self.scan.project}/{self.name}"

    @property
    def id(self) -> str:
        """What the server knows it by."""
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
    def texts(self) -> list[str]:
        """Its whole rows."""
        return self.fields.history or []

    @property
    def is_missing(self) -> bool:
        """Whether the server sent null where rows were due."""
        if self.line_count == 0:
            return False
        return self.fields.history is None if self.scan.keys is None else None in self.lists

    @property
    def heights(self) -> list[int]:
        """Rows of each list."""
        if self.scan.keys is None:
            return [len(self.texts)]
        return [0 if rows is None else rows.height for rows in self.lists]

    @property
    def answered(self) -> int:
        """Rows of the longest list."""
        return max(self.heights, default=0)

    @property
    def chosen(self) -> list[Batch]:
        """The rows of chosen keys, one batch a spec."""
        return [RowBatch([]) if rows is None else rows for rows in self.lists]

    def outline(self, reader: RowReader) -> Outline:
        """What its lists are like.

        Raises:
            CorruptHistoryError: a row cannot be read.
        """
        lists = whole_rows(self.path, self.texts, reader) if self.scan.keys is None else self.chosen
        answers = [rows for rows in lists if rows is not None]
        return outlined(answers, self.scan.min_step, self.scan.max_step, self.samples)

    @property
    def mark(self) -> RunMark:
        """By what to see that it has changed."""
        return RunMark(self.name, self.line_count, self.fields.heartbeat_at)


def list_histories(
    query: RunQuery,
    scan: ScanPlan,
    after: str | None,
    *,
    samples: int,
    with_steps: bool,
    fail_fast: bool,
) -> Flow[Page[ListedHistory]]:
    """A page of runs, with up to ``samples`` rows of each; one request.

    ``with_steps`` asks for the steps of all rows besides.
    """
    keys = scan.keys is not None
    specs = specs_of(scan, scan.min_step, scan.max_step, samples)
    if with_steps:
        specs.append(steps_spec(samples))
    operation = list_whole_histories(
        entity=query.entity,
        project=query.project,
        filters=query.filters,
        order=query.order,
        first=query.per_page,
        after=after,
        min_step=scan.min_step,
        max_step=scan.max_step,
        samples=samples,
        specs=specs,
        whole=not keys,
        chosen=keys or with_steps,
        with_keys=keys or not scan.wants_every_step,
    )
    answer, texts = yield from fetch_with_raw_lists(operation, sampled.CUT, fail_fast=fail_fast)
    page = read_page(require_runs(answer.project, query.entity, query.project), after)
    told = sampled.text_of_each(texts, len(page.nodes))
    nodes = [
        ListedHistory(fields, text, scan, samples) for fields, text in zip(page.nodes, told, strict=True)
    ]
    return Page(nodes, page.after, page.cursor, page.more, page.total)
