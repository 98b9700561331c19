"""Subjects of filter conditions: a column, a list of strings such as tags, or a config or summary value."""

from __future__ import annotations

from typing import Protocol

from runql_server import lenient_json, timestamps
from runql_server.errors import FilterError
from runql_server.lenient_json import JsonValue
from runql_server.listing.bindings import Bindings, SqlValue
from runql_server.listing.value_paths import ValuePaths
from runql_server.runs.columns import Column
from runql_server.runs.run_values import flat_value, sql_number

_KINDS = {"text": "a string", "time": "a date in ISO 8601", "number": "a number", "bool": "true or false"}


def join(word: str, parts: list[str], *, empty: str) -> str:
    """Join conditions as a balanced tree, because SQLite limits the depth of an expression."""
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = join(word, parts[:middle], empty=empty), join(word, parts[middle:], empty=empty)
    return f"({left} {word} {right})"


class Subject(Protocol):
    """Writes SQL conditions that are 0 or 1, never NULL, so that NOT works on them."""

    def equals(self, value: JsonValue) -> str:
        """Match subjects equal to the value; null matches a missing subject."""
        ...

    def is_any_of(self, values: list[JsonValue]) -> str:
        """Match subjects equal to one of the values."""
        ...

    def holds_all(self, values: list[JsonValue]) -> str:
        """Match subjects that are or contain each of the values; there is at least one value."""
        ...

    def has_size(self, size: int) -> str:
        """Match lists of ``size`` items."""
        ...

    def compares(self, sign: str, value: float | str) -> str:
        """Match subjects of the value's kind that compare so with it."""
        ...

    def matches(self, pattern: str, options: str) -> str:
        """Match strings that contain the pattern."""
        ...

    def exists(self) -> str:
        """Match subjects that are present and not null."""
        ...


class ColumnSubject:
    """One column; refuses a value that the column can never hold."""

    def __init__(self, key: str, column: Column, bindings: Bindings) -> None:
        self._key = key
        self._column = column
        self._bindings = bindings

    def equals(self, value: JsonValue) -> str:
        """Match the value; null matches an empty column."""
        return self.is_any_of([value])

    def is_any_of(self, values: list[JsonValue]) -> str:
        """Match one of the values; null among them matches an empty column."""
        operands = [self._bindings.bind(self._operand(value)) for value in values if value is not None]
        found = f"COALESCE({self._column.expression} IN ({', '.join(operands)}), 0)"
        return f"({found} OR {self._column.expression} IS NULL)" if None in values else found

    def holds_all(self, values: list[JsonValue]) -> str:
        """Match columns that equal every value."""
        return join("AND", [self.equals(value) for value in values], empty="0")

    def has_size(self, size: int) -> str:  # noqa: ARG002 - of no size
        """Refuse: a column is no list."""
        raise FilterError(f"filters: $size of {self._key!r}: it is no list")

    def compares(self, sign: str, value: float | str) -> str:
        """Compare; times compare as strings, with the operand converted to UTC without a zone."""
        return f"COALESCE({self._column.expression} {sign} {self._bindings.bind(self._operand(value))}, 0)"

    def matches(self, pattern: str, options: str) -> str:
        """Search strings; refuses columns of numbers and bools."""
        if self._column.kind not in {"text", "time"}:
            raise FilterError(f"filters: $regex of {self._key!r}: it is {_KINDS[self._column.kind]}")
        return f"matches({self._bindings.bind(pattern)}, {self._bindings.bind(options)}, {self._column.expression})"

    def exists(self) -> str:
        """Match a column that is not empty."""
        return f"({self._column.expression} IS NOT NULL)"

    def _operand(self, value: JsonValue) -> SqlValue:
        match self._column.kind, value:
            case "bool", bool():
                return int(value)
            case "number", int() | float() if not isinstance(value, bool):
                return sql_number(value)
            case "text", str():
                return value
            case "time", str():
                try:
                    return timestamps.comparable(value)
                except ValueError:
                    pass
            case _:
                pass
        advice = ": use $in for one of several" if isinstance(value, list) else ""
        given = lenient_json.dump(value)[:80]
        raise FilterError(f"filters: {self._key!r} needs {_KINDS[self._column.kind]}, not {given}{advice}")


class ListSubject:
    """Several strings, such as tags: a condition holds if it holds for any of them."""

    def __init__(self, key: str, rows: str, column: str, bindings: Bindings) -> None:
        self._key = key
        self._rows = rows
        self._column = column
        self._bindings = bindings

    def equals(self, value: JsonValue) -> str:
        """Match lists with the value; null matches an empty list."""
        return self.is_any_of([value])

    def is_any_of(self, values: list[JsonValue]) -> str:
        """Match lists with one of the values."""
        placeholders = ", ".join(
            self._bindings.bind(self._text(value)) for value in values if value is not None
        )
        found = self._row(f"{self._column} IN ({placeholders})")
        return f"({found} OR NOT {self.exists()})" if None in values else found

    def holds_all(self, values: list[JsonValue]) -> str:
        """Match lists with all of the values."""
        return join("AND", [self.equals(value) for value in values], empty="0")

    def has_size(self, size: int) -> str:
        """Match lists of ``size`` strings."""
        return f"((SELECT COUNT(*) {self._rows}) = {self._bindings.bind(size)})"

    def compares(self, sign: str, value: float | str) -> str:
        """Match lists with a string that compares so with the value."""
        return self._row(f"{self._column} {sign} {self._bindings.bind(self._text(value))}")

    def matches(self, pattern: str, options: str) -> str:
        """Match lists with a string that contains the pattern."""
        operands = f"{self._bindings.bind(pattern)}, {self._bindings.bind(options)}"
        return self._row(f"matches({operands}, {self._column})")

    def exists(self) -> str:
        """Match lists that are not empty."""
        return self._row("1")

    def _row(self, condition: str) -> str:
        return f"EXISTS (SELECT 1 {self._rows} AND {condition})"

    def _text(self, value: JsonValue) -> str:
        if isinstance(value, str):
            return value
        advice = ": use $in for one of several, $all for all" if isinstance(value, list) else ""
        raise FilterError(
            f"filters: {self._key!r} needs a string, not {lenient_json.dump(value)[:80]}{advice}"
        )


class ValueSubject:
    """A config or summary value, read from the flattened rows."""

    def __init__(self, paths: ValuePaths, bindings: Bindings) -> None:
        self._bindings = bindings
        self._paths = paths

    def equals(self, value: JsonValue) -> str:
        """Match the value; lists are equal as a whole, objects match only by their members."""
        return self.is_any_of([value])

    def is_any_of(self, values: list[JsonValue]) -> str:
        """Match one of the values, each of its own kind."""
        parts: list[str] = []
        for kind, column in (("number", "number"), ("bool", "number"), ("text", "text"), ("list", "text")):
            flat = [flat_value("", value) for value in values if value is not None]
            same = [item.number if column == "number" else item.text for item in flat if item.kind == kind]
            if same:
                placeholders = ", ".join(self._bindings.bind(value) for value in same)
                parts.append(
                    self._paths.has_number(f"number IN ({placeholders})", self._bindings)
                    if kind == "number"
                    else self._row(f"kind = '{kind}' AND {column} IN ({placeholders})")
                )
        if None in values:
            parts.append(f"NOT {self.exists()}")
        return f"({' OR '.join(parts)})" if parts else "0"

    def holds_all(self, values: list[JsonValue]) -> str:
        """Match lists with all of the values; a scalar counts as a list of itself."""
        wanted = self._bindings.bind(lenient_json.dump(values))
        listed = self._row(f"kind = 'list' AND holds_all(text, {wanted})")
        return f"({listed} OR {join('AND', [self.equals(value) for value in values], empty='0')})"

    def has_size(self, size: int) -> str:
        """Match lists of ``size`` items."""
        return self._row(f"kind = 'list' AND list_size(text) = {self._bindings.bind(size)}")

    def compares(self, sign: str, value: float | str) -> str:
        """Compare numbers with numbers, strings with strings."""
        if isinstance(value, str):
            return self._row(f"kind = 'text' AND text {sign} {self._bindings.bind(value)}")
        operand = self._bindings.bind(sql_number(value))
        return self._paths.has_number(f"number {sign} {operand}", self._bindings)

    def matches(self, pattern: str, options: str) -> str:
        """Match strings that contain the pattern."""
        operands = f"{self._bindings.bind(pattern)}, {self._bindings.bind(options)}"
        return self._row(f"kind = 'text' AND matches({operands}, text)")

    def exists(self) -> str:
        """Match values of any kind that are not null."""
        return self._row("kind <> 'null'")

    def _row(self, condition: str) -> str:
        return self._paths.exists(condition, self._bindings)
