"""The histories of many runs as a source of ray.data; needs the extra ``ray``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from runql.frames.extras import require
from runql.resources.runs.histories.fixed_frame import fixed_frame

if TYPE_CHECKING:
    from runql.frames.library_types import pyarrow_types as pa
    from runql.resources.runs.histories.scan import HistoriesScan

    # What is used of ray, which is too large to be installed where types are checked.
    class Datasource: ...

    class BlockMetadata:
        def __init__(
            self, *, num_rows: None, size_bytes: None, exec_stats: None, input_files: None
        ) -> None: ...

    class ReadTask:
        def __init__(
            self, read_fn: Callable[[], Iterable[pa.Table]], metadata: BlockMetadata, schema: pa.Schema
        ) -> None: ...

        def __call__(self) -> Iterable[pa.Table]: ...

else:
    try:
        from ray.data import Datasource, ReadTask
        from ray.data.block import BlockMetadata
    except ImportError:
        Datasource = object


class HistoriesSource(Datasource):
    """A source whose read tasks are parts of a scan::

        types = {"loss": float}
        scan = api.runs("team/vision").scan_histories(["loss"], format="arrow", schema=types)
        rows = ray.data.read_datasource(HistoriesSource(scan, workers=4), override_num_blocks=64)

    A task that runs again, as after the loss of a worker, gives the same rows; see `HistoriesScan.split`. The API key does
    not travel: each worker needs ``WANDB_API_KEY`` or netrc.

    Raises: `ValueError`, the scan has another format, no keys, or a key without a type in its schema.

    Requests: one for each 500 runs, once; in the workers as an iteration over each part.
    """

    def __init__(self, scan: HistoriesScan[pa.Table], *, workers: int = 1) -> None:
        """Take a scan with ``format="arrow"``; ``workers`` processes share the server's rate limit."""
        require("ray", needed_for="runql.integrations.ray")
        self._scan = scan
        self._workers = workers
        self._schema = fixed_frame(scan, "arrow").schema
        self._frozen: HistoriesScan[pa.Table] | None = None

    def get_name(self) -> str:
        """The name in ray's plans."""
        return "RunqlHistories"

    def estimate_inmemory_data_size(self) -> int | None:
        """Not known."""
        return None

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,  # noqa: ARG002 - ray's own signature
        data_context: object = None,  # noqa: ARG002 - as above
    ) -> list[ReadTask]:
        """Return a task for each part."""
        # ray asks more than once, by other numbers, too: a part is split without a request.
        self._frozen = self._frozen or self._scan.split(1)[0]
        parts = self._frozen.split(parallelism, workers=self._workers)
        metadata = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ReadTask(partial(_read, part), metadata, schema=self._schema) for part in parts]


def _read(part: HistoriesScan[pa.Table]) -> Iterator[pa.Table]:
    yield from part
