"""Orders: ``+`` or ``-`` and a column, for runs also ``config.<k>.value`` and ``summary_metrics.<k>``; missing values last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runql_server.errors import RequestError
from runql_server.listing import value_paths
from runql_server.listing.bindings import Bindings
from runql_server.listing.cursors import Position
from runql_server.runs.columns import COLUMNS

DEFAULT_ORDER = "+created_at"

ExpressionOf = Callable[[str, Bindings, bool], str]
"""Returns the SQL sort key, descending or not; raises ``OrderError`` for an unknown key."""


class OrderError(RequestError):
    """The order names an unknown key."""


@dataclass(frozen=True)
class Order:
    """A parsed order: the sort key as an SQL expression, and the string to which cursors are bound."""

    text: str
    expression: str
    descending: bool

    @property
    def clause(self) -> str:
        """ORDER BY over ``sort_key`` and ``id``; the row number breaks ties, in the same direction."""
        way = "DESC" if self.descending else "ASC"
        return f"sort_key IS NULL, sort_key {way}, id {way}"

    @property
    def reversed_clause(self) -> str:
        """ORDER BY of the same rows from the last to the first."""
        way = "ASC" if self.descending else "DESC"
        return f"sort_key IS NULL DESC, sort_key {way}, id {way}"

    def beyond(self, position: Position, bindings: Bindings) -> str:
        """Return the condition that a row comes after this position."""
        sign = "<" if self.descending else ">"
        number = bindings.bind(position.number)
        if position.key is None:
            return f"(sort_key IS NULL AND id {sign} {number})"
        key = bindings.bind(position.key)
        return f"(sort_key {sign} {key} OR (sort_key = {key} AND id {sign} {number}) OR sort_key IS NULL)"

    def ahead(self, position: Position, bindings: Bindings) -> str:
        """Return the condition that a row comes before this position."""
        sign = ">" if self.descending else "<"
        number = bindings.bind(position.number)
        if position.key is None:
            return f"(sort_key IS NOT NULL OR id {sign} {number})"
        key = bindings.bind(position.key)
        return f"(sort_key {sign} {key} OR (sort_key = {key} AND id {sign} {number}))"


def run_expression(key: str, bindings: Bindings, descending: bool) -> str:
    """Return the sort key of runs as SQL over ``runs``."""
    if key in COLUMNS:
        return COLUMNS[key].expression
    paths = value_paths.find(key)
    if paths is None:
        columns = ", ".join(sorted(COLUMNS))
        raise unknown_key(key, f"a column ({columns}), config.<key>.value or summary_metrics.<key>")
    return paths.sort_key(bindings, descending=descending)


def unknown_key(key: str, known: str) -> OrderError:
    """Make the error for an unknown sort key."""
    return OrderError(f"order: unknown key {key!r}: use + or - and {known}")


def parse_order(
    text: str | None,
    bindings: Bindings,
    expression_of: ExpressionOf = run_expression,
    default: str = DEFAULT_ORDER,
) -> Order:
    """Parse an order; no sign means ascending, no order means the default: oldest first."""
    wanted = (text or "").strip() or default
    sign, key = (wanted[0], wanted[1:]) if wanted[0] in "+-" else ("+", wanted)
    descending = sign == "-"
    return Order(f"{sign}{key}", expression_of(key, bindings, descending), descending)
