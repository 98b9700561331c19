"""Which rows and columns of a run's exports are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runql.frames.exported_values import flattened, splits
from runql.values import JSONValue


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """What a scan wants of the exports.

    Attributes:
        keys: only these columns beside `_step`, and only rows that have them; None for whole rows.
        match: rows that have ``all`` of the keys, or ``any``.
        start: the first step.
        stop: the step before which to end; None for the end.
        history_keys: what the run's metrics are, which tells dotted names from members of objects.
    """

    keys: tuple[str, ...] | None
    match: Literal["all", "any"]
    start: int
    stop: int | None
    history_keys: JSONValue = None

    def flat(self, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Those columns that hold members of objects, see `runql.frames.exported_values.flattened`."""
        return flattened(columns, self.history_keys)

    def of(self, columns: Sequence[str]) -> list[str]:
        """Those of a file's columns that are needed: a key may be a column, or lie inside of one that holds objects."""
        if self.keys is None:
            return list(columns)
        inner = (head for key in self.keys for head, _rest in splits(key))
        heads = {"_step", *self.keys, *inner}
        flat = self.flat(columns)
        return [name for name in columns if name in heads or flat.get(name, (name,))[0] in heads]
