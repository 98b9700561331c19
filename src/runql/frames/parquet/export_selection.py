"""Which rows and columns of a run's exports to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runql.frames.parquet.exported_values import member_paths, path_splits
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """The rows and columns that a scan reads from exports.

    Attributes:
        keys: only these columns and `_step`, and only rows that have them; None for whole rows.
        match: rows that have ``all`` of the keys, or ``any`` of them.
        start: the first step.
        stop: the step before which to end; None for the end.
        history_keys: what the server knows of each metric, which separates dotted names from members of objects.
        required: keys that a row must have, where ``match`` is ``any``.
        every_row: whether rows that lack keys are selected too.
    """

    keys: tuple[str, ...] | None
    match: Literal["all", "any"]
    start: int
    stop: int | None
    history_keys: JSONValue = None
    required: tuple[str, ...] = ()
    every_row: bool = False

    def member_paths(self, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The columns that hold members of objects, see `runql.frames.parquet.exported_values.member_paths`."""
        return member_paths(columns, self.history_keys)

    def columns_of(self, columns: Sequence[str]) -> list[str]:
        """The columns of a file to read. A key may be a column, or a member of one that holds objects."""
        if self.keys is None:
            return list(columns)
        inner = (head for key in self.keys for head, _rest in path_splits(key))
        heads = {"_step", *self.keys, *inner}
        paths = self.member_paths(columns)
        return [name for name in columns if name in heads or paths.get(name, (name,))[0] in heads]
