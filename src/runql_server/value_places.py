"""Where a ``config.*`` or ``summary_metrics.*`` key is found among the flattened values, as SQL over ``runs``."""

# ruff: noqa: S608 - the SQL put together is our own text: values are always bound

from __future__ import annotations

from dataclasses import dataclass

from runql_server.bindings import Bindings

_STATISTICS = ("best", "min", "max", "last", "mean", "first")
_FALLING = ("best", "max", "last", "mean", "first", "min")
_RISING = ("best", "min", "last", "mean", "first", "max")


@dataclass(frozen=True)
class ValuePlace:
    """The paths that a key may mean, the literal one first.

    A summary value may be an object of statistics: ``define_metric("acc", summary="max")`` stores ``{"max": 0.3}``.
    Such a metric counts as each of its numbers, or as the one that fits an order.
    """

    paths: tuple[str, ...]
    has_statistics: bool

    def exists(self, condition: str, bindings: Bindings) -> str:
        """There is a row at the place for which the condition over ``kind``, ``number`` and ``text`` holds."""
        row = "EXISTS (SELECT 1 FROM run_values WHERE run_values.run_id = runs.id AND path IN ({}) AND {})"
        found = row.format(_bound(self.paths, bindings), condition)
        if not self.has_statistics:
            return found
        paths = _bound(self._statistics(_STATISTICS), bindings)
        number = row.format(paths, f"kind = 'number' AND {condition} AND {self._is_summarized(bindings)}")
        return f"({found} OR {number})"

    def sort_key(self, bindings: Bindings, *, descending: bool) -> str:
        """The value to sort by. SQLite sorts numbers before texts; what cannot be placed counts as missing."""
        other = "WHEN 'text' THEN text WHEN 'bool' THEN number"
        return self._first_row(other, bindings, descending=descending)

    def number(self, bindings: Bindings, *, descending: bool) -> str:
        """The value if it is a number, else NULL."""
        return self._first_row("", bindings, descending=descending)

    def _first_row(self, other_kinds: str, bindings: Bindings, *, descending: bool) -> str:
        statistic = f"WHEN 'map' THEN {self._statistic(bindings, descending)}" if self.has_statistics else ""
        return (
            f"(SELECT CASE kind WHEN 'number' THEN number {other_kinds} {statistic} END "
            f"FROM run_values WHERE run_values.run_id = runs.id AND path IN ({_bound(self.paths, bindings)}) "
            "ORDER BY length(path) DESC LIMIT 1)"
        )

    def _statistic(self, bindings: Bindings, descending: bool) -> str:
        paths = [bindings.bind(path) for path in self._statistics(_FALLING if descending else _RISING)]
        ranks = " ".join(f"WHEN {path} THEN {rank}" for rank, path in enumerate(paths))
        return (
            f"(SELECT number FROM run_values AS one WHERE one.run_id = runs.id AND one.path IN ({', '.join(paths)}) "
            f"AND {self._is_summarized(bindings)} ORDER BY CASE one.path {ranks} END LIMIT 1)"
        )

    def _is_summarized(self, bindings: Bindings) -> str:
        """The value is an object that holds statistics and nothing else."""
        path, names = self.paths[0], self._statistics(_STATISTICS)
        # "/" follows "." in every encoding that SQLite has, so the range holds what lies below the path.
        below = f"other.path > {bindings.bind(path + '.')} AND other.path < {bindings.bind(path + '/')}"
        return (
            "EXISTS (SELECT 1 FROM run_values AS whole WHERE whole.run_id = runs.id "
            f"AND whole.path = {bindings.bind(path)} AND whole.kind = 'map') "
            f"AND NOT EXISTS (SELECT 1 FROM run_values AS other WHERE other.run_id = runs.id AND {below} "
            f"AND NOT (other.path IN ({_bound(names, bindings)}) AND other.kind = 'number'))"
        )

    def _statistics(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{self.paths[0]}.{name}" for name in names)


def find(key: str) -> ValuePlace | None:
    """The place of a key, or ``None`` for a key of another kind.

    A config entry is stored as ``{"a": {"value": ...}}``. Filters leave the ``value`` level out, orders have it, and
    users copy it from what they see. So each ``value`` in a config key may be that level or a real member.
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
    return ValuePlace((".".join(parts), *dict.fromkeys(shorter)), has_statistics=prefix == "summary_metrics")


def _bound(paths: tuple[str, ...], bindings: Bindings) -> str:
    return ", ".join(bindings.bind(path) for path in paths)
