"""Which histories are exported, and how their files are cut."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportPolicy:
    """What a server exports.

    Attributes:
        above_rows: an ended run is exported when its history has more rows than this; small ones stay live.
        rows_per_file: a longer history is cut into several files.
        rows_per_group: rows of a row group, which readers can skip by the statistics on ``_step``.
        patience: seconds that a request waits for files that are being written; what is not ready then is live.
            None waits until they are written, so that what a test reads does not depend on how fast the machine is.
    """

    above_rows: int = 10_000
    rows_per_file: int = 1_000_000
    rows_per_group: int = 10_000
    patience: float | None = None

    def __post_init__(self) -> None:
        if self.above_rows < 0 or self.rows_per_file < 1 or self.rows_per_group < 1:
            raise ValueError(f"an export needs rows to hold: {self}")


DEFAULT_POLICY = ExportPolicy()
