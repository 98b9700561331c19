"""The export policy: which histories are exported, and the sizes of their files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportPolicy:
    """When a server exports a history, and in which parts.

    Attributes:
        above_rows: the server exports an ended run with more rows than this; smaller ones stay live.
        rows_per_file: a longer history is split into several files.
        rows_per_group: rows of a row group, which readers can skip by the statistics on ``_step``.
        patience: seconds that a request waits for unfinished files; rows that are not ready stay live. None waits
            without limit, so that tests do not depend on the speed of the machine.
    """

    above_rows: int = 10_000
    rows_per_file: int = 1_000_000
    rows_per_group: int = 10_000
    patience: float | None = None

    def __post_init__(self) -> None:
        if self.above_rows < 0 or self.rows_per_file < 1 or self.rows_per_group < 1:
            raise ValueError(f"an export needs rows to hold: {self}")


DEFAULT_POLICY = ExportPolicy()
