"""What a filter condition is about: a column, a list of texts such as tags, or a flattened config or summary value."""

# ruff: noqa: S608 - the SQL put together is our own text: values are always bound

from __future__ import annotations

from typing import Protocol

from runql_server import timestamps
from runql_server.bindings import Bindings, SqlValue
from runql_server.columns import Column
from runql_server.jsontext import JsonValue
from runql_server.run_values import flat_value, sql_number


class Subject(Protocol):
    """Writes SQL conditions that are always 0 or 1, never NULL, so that they can be negated."""

    def equals(self, value: JsonValue) -> str:
        """The subject is this value; null means missing."""
        ...

    def is_any_of(self, values: list[JsonValue]) -> str:
        """The subject is one of these values."""
        ...

    def compares(self, sign: str, value: float | str) -> str:
        """The subject is of the value's kind and stands in this relation to it."""
        ...

    def matches(self, pattern: str) -> str:
        """The subject is a text in which the pattern is found."""
        ...

    def exists(self) -> str:
        """The subject is there and not null."""
        ...


class ColumnSubject:
    """One column."""

    def __init__(self, column: Column, bindings: Bindings) -> None:
        self._column = column
        self._bindings = bindings

    def equals(self, value: JsonValue) -> str:
        """Null means that the column is empty."""
        return self.is_any_of([value])

    def is_any_of(self, values: list[JsonValue]) -> str:
        """Values of another kind than the column never match."""
        usable = [self._operand(value) for value in values if value is not None and self._fits(value)]
        places = ", ".join(self._bindings.bind(value) for value in usable)
        found = f"COALESCE({self._column.expression} IN ({places}), 0)"
        return f"({found} OR {self._column.expression} IS NULL)" if None in values else found

    def compares(self, sign: str, value: float | str) -> str:
        """Times compare as texts, after bringing the operand to UTC without a zone."""
        if not self._fits(value):
            return "0"
        return f"COALESCE({self._column.expression} {sign} {self._bindings.bind(self._operand(value))}, 0)"

    def matches(self, pattern: str) -> str:
        """Numbers and bools have no text to search."""
        if self._column.kind not in {"text", "time"}:
            return "0"
        return f"COALESCE({self._column.expression} REGEXP {self._bindings.bind(pattern)}, 0)"

    def exists(self) -> str:
        """The column is not empty."""
        return f"({self._column.expression} IS NOT NULL)"

    def _fits(self, value: JsonValue) -> bool:
        match self._column.kind:
            case "number":
                return isinstance(value, int | float) and not isinstance(value, bool)
            case "bool":
                return isinstance(value, bool)
            case _:
                return isinstance(value, str)

    def _operand(self, value: JsonValue) -> SqlValue:
        match value:
            case str():
                return timestamps.comparable(value) if self._column.kind == "time" else value
            case int() | float():
                return sql_number(value)
            case _:
                return None


class ListSubject:
    """Several texts, such as tags: a condition holds if it holds for any one of them."""

    def __init__(self, rows: str, column: str, bindings: Bindings) -> None:
        self._rows = rows
        self._column = column
        self._bindings = bindings

    def equals(self, value: JsonValue) -> str:
        """The value is among the texts; null means that there are none."""
        return self.is_any_of([value])

    def is_any_of(self, values: list[JsonValue]) -> str:
        """One of the values is among the texts."""
        places = ", ".join(self._bindings.bind(value) for value in values if isinstance(value, str))
        found = self._row(f"{self._column} IN ({places})")
        return f"({found} OR NOT {self.exists()})" if None in values else found

    def compares(self, sign: str, value: float | str) -> str:
        """One of the texts stands in this relation to the given one."""
        return (
            self._row(f"{self._column} {sign} {self._bindings.bind(value)}")
            if isinstance(value, str)
            else "0"
        )

    def matches(self, pattern: str) -> str:
        """The pattern is found in one of the texts."""
        return self._row(f"{self._column} REGEXP {self._bindings.bind(pattern)}")

    def exists(self) -> str:
        """There is a text."""
        return self._row("1")

    def _row(self, condition: str) -> str:
        return f"EXISTS (SELECT 1 {self._rows} AND {condition})"


class ValueSubject:
    """A config or summary value, read from the flattened rows."""

    def __init__(self, paths: tuple[str, ...], bindings: Bindings) -> None:
        self._bindings = bindings
        self._paths = ", ".join(bindings.bind(path) for path in paths)

    def equals(self, value: JsonValue) -> str:
        """Lists are equal as a whole; an object can only be asked for by its members."""
        return self.is_any_of([value])

    def is_any_of(self, values: list[JsonValue]) -> str:
        """One of the values, each of its own kind."""
        parts: list[str] = []
        for kind, column in (("number", "number"), ("bool", "number"), ("text", "text"), ("list", "text")):
            flat = [flat_value("", value) for value in values if value is not None]
            same = [item.number if column == "number" else item.text for item in flat if item.kind == kind]
            if same:
                places = ", ".join(self._bindings.bind(value) for value in same)
                parts.append(self._row(f"kind = '{kind}' AND {column} IN ({places})"))
        if None in values:
            parts.append(f"NOT {self.exists()}")
        return f"({' OR '.join(parts)})" if parts else "0"

    def compares(self, sign: str, value: float | str) -> str:
        """Numbers with numbers, texts with texts."""
        if isinstance(value, str):
            return self._row(f"kind = 'text' AND text {sign} {self._bindings.bind(value)}")
        return self._row(f"kind = 'number' AND number {sign} {self._bindings.bind(sql_number(value))}")

    def matches(self, pattern: str) -> str:
        """The value is a text in which the pattern is found."""
        return self._row(f"kind = 'text' AND text REGEXP {self._bindings.bind(pattern)}")

    def exists(self) -> str:
        """The value is there, of whatever kind, and not null."""
        return self._row("kind <> 'null'")

    def _row(self, condition: str) -> str:
        return (
            "EXISTS (SELECT 1 FROM run_values WHERE run_values.run_id = runs.id "
            f"AND path IN ({self._paths}) AND {condition})"
        )
