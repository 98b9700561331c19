"""Rows of exports in order, some row groups at a time, so that memory stays bounded however long the run is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec

from runql.errors import AnswerError, TransportError
from runql.frames.parquet.layout import UnreadableParquetError, is_ascending
from runql.resources.history.exports.files import has_repeats
from runql.resources.history.exports.listing import ExportListing, list_exports
from runql.resources.history.exports.parts import (
    FileGroup,
    first_portion,
    groups_of,
    offload_parsing,
    open_files,
    read_groups,
)
from runql.resources.history.exports.scan import ReadLive, rows_of_exports, selection_of
from runql.resources.history.plan import ScanPlan
from runql.resources.history.sampled import Row
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow

PORTION = 1 << 22
"""Bytes of parquet that are fetched and turned into rows before the next are fetched."""


class ExportRows:
    """The rows of a scan from exports, in step order, up to the end of the files or the first one that cannot be read.

    Attributes:
        plan: what is left to read once `next_rows` returns None; None when nothing is.
    """

    def __init__(self, plan: ScanPlan, listing: ExportListing, read_live: ReadLive) -> None:
        self.plan: ScanPlan | None = plan
        self._read_live = read_live
        self._selection = selection_of(plan, listing)
        self._listing = listing
        self._left: list[FileGroup] | None = None
        self._renewed = False

    def next_rows(self) -> Flow[Iterator[list[Row]] | None]:
        """Return the rows of the next row groups, some thousands at a time; None at the end.

        Sends one request a file at first, then one or more for each `PORTION` bytes.
        """
        while self.plan is not None:
            try:
                return (yield from self._next())
            except AnswerError as error:
                if error.status not in EXPIRED_URL_STATUSES or self._renewed:
                    return None
            except (TransportError, UnreadableParquetError):
                return None
            self._renewed, self._left = True, None
            renewed = yield from list_exports(self.plan.run, with_keys=True)
            if renewed is None or not renewed.urls:
                return None
            self._listing = renewed
        return None

    def _next(self) -> Flow[Iterator[list[Row]] | None]:
        from runql.frames.parquet.exported_frames import (  # noqa: PLC0415 - optional
            check_values,
            merge_frames,
            rows_of,
            select_rows,
        )

        plan, selection = self.plan, self._selection
        if plan is None:
            return None
        left = self._left if self._left is not None else (yield from self._open())
        if left is None:
            rows = yield from rows_of_exports(plan, self._listing, self._read_live)
            self.plan = plan if rows is None else None
            return rows
        self._left = left
        if not left:
            self._finish()
            return None
        groups = first_portion(left, selection, PORTION)
        frames = yield from read_groups(groups, selection, plan.max_concurrency)
        frame = yield from offload_parsing(
            lambda: check_values(
                merge_frames([select_rows(each, selection) for each in frames], selection, repeats=False)
            )
        )
        self._pass(groups)
        return rows_of(frame)

    def _open(self) -> Flow[list[FileGroup] | None]:
        """Return the row groups that are left, in step order; None where they cannot be read one after the other."""
        plan, listing = self.plan, self._listing
        if plan is None or find_spec("pyarrow") is None:
            return None
        files = yield from open_files(listing.urls, plan.max_concurrency)
        if has_repeats(listing, sum(file.layout.rows for file in files)):
            return None
        found = groups_of(files, plan.min_step, plan.max_step)
        found.sort(key=lambda group: (group.row_group.first, group.row_group.last))
        live = listing.live_within(plan.min_step, None)
        is_before = not found or not live or found[-1].row_group.last < live[0]
        return found if is_before and is_ascending([group.row_group for group in found]) else None

    def _pass(self, groups: Sequence[FileGroup]) -> None:
        """Go on behind these row groups."""
        if self._left is None or self.plan is None:
            return
        del self._left[: len(groups)]
        last = int(groups[-1].row_group.last)
        self.plan = replace(self.plan, min_step=max(self.plan.min_step, last + 1))

    def _finish(self) -> None:
        """Leave the live rows to read, if any; all files are read."""
        plan = self.plan
        if plan is None:
            return
        live = self._listing.live_within(plan.min_step, plan.max_step)
        self.plan = replace(plan, min_step=live[0], max_step=live[-1] + 1) if live else None
