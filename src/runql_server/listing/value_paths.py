"""Paths of a ``config.*`` or ``summary_metrics.*`` key in the flattened values, as SQL over ``runs``."""

from __future__ import annotations

from dataclasses import dataclass

from runql_server.listing.bindings import Bindings

_FALLING = ("best", "max", "last", "mean", "first", "min")
_RISING = ("best", "min", "last", "mean", "first", "max")


@dataclass(frozen=True)
class ValuePaths:
    """The paths that a key may mean, the literal one first.

    A summary value may be an object of statistics: ``define_metric("acc", summary="max")`` stores ``{"max": 0.3}``.
    A filter matches such a metric by any of its numbers; an order uses the number that fits its direction.
    """

    paths: tuple[str, ...]
    has_statistics: bool

    def exists(self, condition: str, bindings: Bindings) -> str:
        """Return whether a row at the paths matches the condition over ``kind``, ``number`` and ``text``."""
        return f"EXISTS (SELECT 1 {self._rows(self.paths, bindings)} AND {condition})"

    def has_number(self, condition: str, bindings: Bindings) -> str:
        """Return whether a number at the paths matches the condition over ``number``."""
        here = f"(kind = 'number' OR kind = 'statistic') AND {condition}"
        if not self.has_statistics:
            return self.exists(here, bindings)
        own = f"(kind = 'statistic' OR (kind = 'number' AND path = {bindings.bind(self.paths[0])}))"
        paths = (*self.paths, *self._statistics(_RISING))
        return f"EXISTS (SELECT 1 {self._rows(paths, bindings)} AND {own} AND {condition})"

    def sort_key(self, bindings: Bindings, *, descending: bool) -> str:
        """Return the sort value. SQLite sorts numbers before strings; other kinds count as missing."""
        other = "WHEN 'text' THEN text WHEN 'bool' THEN number"
        return self._first_row(other, bindings, descending=descending)

    def number(self, bindings: Bindings, *, descending: bool) -> str:
        """Return the value if it is a number, else NULL."""
        return self._first_row("", bindings, descending=descending)

    def _first_row(self, other_kinds: str, bindings: Bindings, *, descending: bool) -> str:
        # Longer paths are more literal; statistics apply where the value itself is an object.
        statistics = self._statistics(_FALLING if descending else _RISING)
        paths = (*sorted(self.paths, key=len, reverse=True), *statistics)
        ranks = " ".join(f"WHEN {bindings.bind(path)} THEN {rank}" for rank, path in enumerate(paths))
        own = f"(kind = 'statistic' OR (kind <> 'map' AND path IN ({_bound(self.paths, bindings)})))"
        return (
            f"(SELECT CASE kind WHEN 'number' THEN number WHEN 'statistic' THEN number {other_kinds} END "
            f"{self._rows(paths, bindings)} AND {own} ORDER BY CASE path {ranks} END LIMIT 1)"
        )

    def _rows(self, paths: tuple[str, ...], bindings: Bindings) -> str:
        return f"FROM run_values WHERE run_values.run_id = runs.id AND path IN ({_bound(paths, bindings)})"

    def _statistics(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{self.paths[0]}.{name}" for name in names) if self.has_statistics else ()


def find(key: str) -> ValuePaths | None:
    """Return the paths of a key, or ``None`` for a key of another kind.

    The SDK stores a config entry as ``{"a": {"value": ...}}``. Filters omit the ``value`` level, orders include it, and
    users copy both. So each ``value`` in a config key may be that level or a real member.
    """
    prefix, dot, rest = key.partition(".")
    prefix = {"summaryMetrics": "summary_metrics"}.get(prefix, prefix)
    if not dot or not rest or prefix not in {"config", "summary_metrics"}:
        return None
    parts = [prefix, *rest.split(".")]
    shorter = [
        ".".join(parts[:index] + parts[index + 1 :])
        for index, part in enumerate(parts)
        if prefix == "config" and part == "value" and index > 1
    ]
    return ValuePaths((".".join(parts), *dict.fromkeys(shorter)), has_statistics=prefix == "summary_metrics")


def _bound(paths: tuple[str, ...], bindings: Bindings) -> str:
    return ", ".join(bindings.bind(path) for path in paths)
