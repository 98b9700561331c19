"""A page of runs with their whole histories: what is asked, and what is answered of each run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runql.frames.batches import Batch
from runql.frames.row_readers import RowReader
from runql.resources import sampled
from runql.resources.identity import require_runs
from runql.resources.pages import Page, read_page
from runql.resources.run_query import RunQuery
from runql.resources.scan import ScanPlan
from runql.resources.window import asked_keys, specs_of
from runql.transport.flow import Flow, fetch_cut
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
        text: these, as text where they could be cut out of the answer.
        answers: these, read; one batch a spec.
    """

    fields: WholeHistory
    text: bytes | None
    answers: list[Batch] = field(default_factory=list[Batch])

    def read_chosen(self, scan: ScanPlan, reader: RowReader) -> None:
        """Read the rows of chosen keys, where there are any."""
        if specs := len(asked_keys(scan)):
            self.answers = sampled.rows_by_spec(self.fields.sampled_history or [], self.text, specs, reader)

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
        """Rows in its history, where the server tells it."""
        return self.fields.history_line_count

    @property
    def texts(self) -> list[str]:
        """Its whole rows."""
        return self.fields.history or []

    @property
    def answered(self) -> int:
        """Rows of the longest answer."""
        return max((answer.height for answer in self.answers), default=len(self.texts))

    @property
    def mark(self) -> RunMark:
        """By what to see that it has changed."""
        return RunMark(self.name, self.line_count, self.fields.heartbeat_at)


def list_histories(
    query: RunQuery, scan: ScanPlan, after: str | None, *, spare_server: bool
) -> Flow[Page[ListedHistory]]:
    """A page of runs, with up to ``page_size + 1`` rows of each; one request."""
    operation = list_whole_histories(
        entity=query.entity,
        project=query.project,
        filters=query.filters,
        order=query.order,
        first=query.per_page,
        after=after,
        min_step=scan.min_step,
        max_step=scan.max_step,
        samples=scan.page_size + 1,
        specs=specs_of(scan, scan.min_step, scan.max_step),
        whole=scan.keys is None,
        chosen=scan.keys is not None,
    )
    answer, texts = yield from fetch_cut(operation, sampled.CUT, spare_server=spare_server)
    page = read_page(require_runs(answer.project, query.entity, query.project), after)
    told = sampled.text_of_each(texts, len(page.nodes))
    nodes = [ListedHistory(fields, text) for fields, text in zip(page.nodes, told, strict=True)]
    return Page(nodes, page.after, page.cursor, page.more, page.total)
