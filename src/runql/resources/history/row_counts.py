"""What a server counts of a run's history, and the numbers of rows that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

NIL = "nil"
MAP = "map"


@dataclass(frozen=True, slots=True)
class RowCounts:
    """A server's counts of one run; each may be missing, late or wrong.

    Attributes:
        lines: rows of the history.
        keys: what `historyKeys` says of each key; empty where it was not requested, or says nothing.
    """

    lines: int | None = None
    keys: Mapping[str, JSONValue] = field(default_factory=dict[str, JSONValue])

    @classmethod
    def of(cls, lines: int | None, history_keys: JSONValue) -> RowCounts:
        """Read the counts from a response."""
        return cls(lines, metrics_of(history_keys) or {})

    def of_rows_with(self, keys: Sequence[str]) -> tuple[int, ...]:
        """The numbers that the rows with all of these keys may have; empty where the server does not count them.

        One key gives two numbers: the server counts rows in which the key is null, and may not return them. Several
        keys give upper bounds: no more rows have all keys than have the rarest of them.
        """
        if not keys:
            # Each of the two counts may lag behind, so the higher one is nearer to the truth.
            lines = [count for count in (self.lines, _total(self.keys.get("_step"))) if count is not None]
            return (max(lines),) if lines else ()
        if not self.keys:
            return ()
        found = [self._of_key(key) for key in keys]
        if any(counts is None for counts in found):
            return ()
        counts = [each for each in found if each is not None]
        return tuple(dict.fromkeys(min(each) for each in zip(*counts, strict=True)))

    def _of_key(self, key: str) -> tuple[int, int] | None:
        """In how many rows the key has a value, and in how many it is present."""
        info = next((info for info in key_infos(self.keys, key)), None)
        if info is None:
            # A dotted name may be a path that the server counts in another way.
            return None if "." in key else (0, 0)
        total = _total(info)
        return None if total is None else (total - sum(_counts(info, NIL)), total)


def metrics_of(history_keys: JSONValue) -> dict[str, JSONValue] | None:
    """What `historyKeys` says of each key; None where the server does not count them."""
    keys = history_keys.get("keys") if isinstance(history_keys, dict) else None
    return keys if isinstance(keys, dict) else None


def key_infos(keys: Mapping[str, JSONValue], key: str) -> Iterator[JSONValue]:
    """What `historyKeys` says of a key: first under the whole name, then under members of objects."""
    if key in keys:
        yield keys[key]
    head, dot, rest = key.partition(".")
    while dot:
        for kind in type_counts(keys.get(head)):
            members = kind.get("keys")
            if kind.get("type") == MAP and isinstance(members, dict):
                yield from key_infos(members, rest)
        part, dot, rest = rest.partition(".")
        head = f"{head}.{part}"


def _total(info: JSONValue) -> int | None:
    counts = [*_counts(info)]
    return sum(counts) if counts else None


def _counts(info: JSONValue, kind: str | None = None) -> Iterator[int]:
    for each in type_counts(info):
        count = each.get("count")
        if isinstance(count, (int, float)) and (kind is None or each.get("type") == kind):
            yield int(count)


def type_counts(info: JSONValue) -> Sequence[dict[str, JSONValue]]:
    """The kinds of values of a key, each with its count."""
    kinds = info.get("typeCounts") if isinstance(info, dict) else None
    return [kind for kind in kinds if isinstance(kind, dict)] if isinstance(kinds, list) else ()
