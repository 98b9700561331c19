"""The types of metrics as the server counts them, for frames whose schema is needed before their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Final

from runql.frames.asked_types import AskedType
from runql.quick_dataclasses import dataclass
from runql.resources.history.row_counts import NIL, key_infos, metrics_of, type_counts
from runql.resources.history.window import last_step
from runql.values import JSONValue

NUMBER: Final = "number"
_SCALARS: Final = frozenset({NUMBER, "string", "bool", NIL})


@dataclass(slots=True)
class LoggedTypes:
    """What kinds of values the metrics of some runs have.

    Attributes:
        kinds: metric to the kinds of its values, in the server's words.
        is_whole: whether the server counts the metrics of every run.
        full: metrics that every row of each run has, where no run has gaps between its steps; None before the first run.
    """

    kinds: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    is_whole: bool = True
    full: set[str] | None = None

    def add(self, lines: int | None, history_keys: JSONValue, names: Iterable[str] | None) -> None:
        """Add a run; ``names`` are the metrics to look for, None for all of whole rows."""
        keys = metrics_of(history_keys)
        if keys is None:
            self.is_whole = self.is_whole and lines == 0
            return
        # The server lists metrics of the machine along with those of the history.
        logged = [name for name in keys if not name.startswith("system/")] if names is None else names
        full: set[str] = set()
        usual: JSONValue = [{"type": NUMBER, "count": lines}]
        for name in logged:
            info = keys[name] if name in keys else next(key_infos(keys, name), None)
            if info is None:
                continue
            known = self.kinds.setdefault(name, set())
            # Most metrics are a number in each row; one comparison takes half the time of a look at the parts.
            if isinstance(info, dict) and info.get("typeCounts") == usual:
                known.add(NUMBER)
                full.add(name)
                continue
            kind, count = NIL, None
            for each in type_counts(info):
                kind, count = str(each.get("type")), each.get("count")
                known.add(kind)
            # Of several kinds, the last one has fewer rows than there are.
            if count == lines and kind != NIL:
                full.add(name)
        if lines:
            has_gaps = last_step(history_keys) != lines - 1
            found = set[str]() if has_gaps else full
            self.full = found if self.full is None else self.full & found

    def type_of(self, name: str) -> AskedType:
        """Return the type that holds the values of a metric; numbers are floats, objects and mixtures JSON strings."""
        kinds = self.kinds.get(name, set()) - {NIL}
        if kinds == {"bool"}:
            return AskedType("Boolean")
        return AskedType("Float64" if kinds <= {"bool", NUMBER} else "String")

    def are_numbers(self, names: Iterable[str]) -> bool:
        """Whether the server counted these metrics, and each has numbers alone."""
        return all(name in self.kinds and self.kinds[name] <= {NUMBER, NIL} for name in names)

    def fill_rows(self, names: Iterable[str]) -> bool:
        """Whether each row of every run had these metrics, at the steps 0, 1, 2, …"""
        return self.full is not None and self.full.issuperset(names)

    def are_plain(self, names: Iterable[str]) -> bool:
        """Whether rows that are read by these names have what whole rows have: no objects, and no path into one."""
        return self.is_whole and all(
            self.kinds.get(name, set()) <= _SCALARS
            and not any(not self.kinds.get(prefix, set()) <= _SCALARS for prefix in _prefixes(name))
            for name in names
        )


def _prefixes(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))
