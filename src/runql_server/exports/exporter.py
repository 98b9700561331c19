"""Writes the exports of a run when a client requests them and the run has ended."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

from runql_server.exports.policy import ExportPolicy
from runql_server.runs import history_exports, lines
from runql_server.runs.history_exports import Export
from runql_server.storage import files
from runql_server.storage.store import Store, make_private_file, make_private_folder

logger: Final = logging.getLogger("runql_server")

ALIVE = frozenset({"running", "pending", "preempting"})
"""States of runs that may still log; their rows stay live."""


class Exporter:
    """Exports live rows in a background thread. Without pyarrow it writes nothing, and every row is live."""

    def __init__(self, store: Store, policy: ExportPolicy) -> None:
        self._store = store
        self._policy = policy
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="runql-exports")
        self._under_way: dict[int, Future[None]] = {}
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._can_write = find_spec("pyarrow") is not None

    def update(self, run: int, state: str) -> None:
        """Export the live rows of an ended run that is long enough; do nothing for any other run.

        A long run takes longer than a request may. After the policy's ``patience`` this method returns, and the
        background thread continues for the next request. Overwritten lines invalidate the export: they stay live
        until the next request.
        """
        if state in ALIVE or not self._can_write or self._closing.is_set() or not self._is_due(run):
            return
        with self._guard:
            writing = self._under_way.get(run)
            if writing is None or writing.done():
                writing = self._under_way[run] = self._writer.submit(self._export, run)
        # The server cancels it at shutdown; the rows stay live then.
        with suppress(CancelledError, TimeoutError):
            writing.result(self._policy.patience)

    def close(self) -> None:
        """Stop writing."""
        self._closing.set()
        self._writer.shutdown(wait=True, cancel_futures=True)

    def _is_due(self, run: int) -> bool:
        with self._store.connection() as connection:
            count = lines.line_count(connection, "history", run)
            exported = history_exports.exported_lines(connection, run)
        return count > max(exported, self._policy.above_rows)

    def _export(self, run: int) -> None:
        try:
            while (export := self._announce_next(run)) is not None and self._write(export):
                pass
        except Exception:
            logger.exception("the history of run %d cannot be exported: its rows stay live", run)
        finally:
            with self._guard:
                self._under_way.pop(run, None)

    def _announce_next(self, run: int) -> Export | None:
        with self._store.connection() as connection:
            count = lines.line_count(connection, "history", run)
            start = history_exports.exported_lines(connection, run)
            if count <= self._policy.above_rows or count <= start:
                return None
            with self._store.transaction(connection):
                leftovers = history_exports.remove_leftovers(connection, run)
                export = history_exports.announce(
                    connection, run, start, min(count, start + self._policy.rows_per_file)
                )
        files.remove_blobs(self._store, leftovers)
        return export

    def _write(self, export: Export) -> bool:
        # A late import: pyarrow is optional and slow to load.
        from runql_server.exports.parquet_file import write_lines  # noqa: PLC0415 - see above

        path = files.blob_path(self._store, export.blob)
        completed = False
        try:
            make_private_folder(path.parent)
            make_private_file(path, create=True)
            with self._store.reading() as connection:
                written = write_lines(
                    connection,
                    export.run,
                    export.start,
                    export.stop,
                    path,
                    rows_per_group=self._policy.rows_per_group,
                    is_over=self._closing.is_set,
                )
            if written:
                with self._store.writing() as connection:
                    completed = history_exports.complete(connection, export)
        finally:
            if not completed:
                files.remove_blobs(self._store, [export.blob])
        return completed
