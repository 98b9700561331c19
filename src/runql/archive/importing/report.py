"""What an import returns."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import wrote, or with ``dry_run`` would write.

    Attributes:
        project: entity and project.
        counts: runs, rows, files and so on, of the whole archive.
        notes: what differs from the source, one sentence each.
        left_out: what was not written, one sentence each.
        is_dry_run: whether nothing was written.
    """

    project: str
    counts: dict[str, int]
    notes: list[str] = field(default_factory=list[str])
    left_out: list[str] = field(default_factory=list[str])
    is_dry_run: bool = False
