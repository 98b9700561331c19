"""The filter language of the command: the builder's spelling, read as Python syntax and never evaluated; or JSON."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

from runql import filters as builder
from runql.arguments import shown
from runql.cli.console.misread import MisreadError
from runql.filters import Filter
from runql.resources.runs.filters import filter_json
from runql.values import JSONInput, JSONValue, as_json, refuse_surrogates

FIELDS: Final[Mapping[str, builder.Field[str] | builder.Field[float] | builder.Field[datetime]]] = {
    "id": builder.id,
    "display_name": builder.display_name,
    "created_at": builder.created_at,
    "updated_at": builder.updated_at,
    "heartbeat_at": builder.heartbeat_at,
    "duration": builder.duration,
    "sweep": builder.sweep,
    "group": builder.group,
    "job_type": builder.job_type,
    "host": builder.host,
    "notes": builder.notes,
    "user": builder.user,
}
"""The fields with one value, by the names that they have in `runql.filters`."""

DATES: Final = frozenset({"created_at", "updated_at", "heartbeat_at"})
NESTED: Final[
    Mapping[str, Callable[[str, Any], builder.Field[Any]]]
] = {  # Any: a key's type follows from its value
    "config": builder.config,
    "summary": builder.summary,
}
TYPES: Final[Mapping[str, type]] = {"bool": bool, "int": int, "float": float, "str": str}
OTHER_NAMES: Final[Mapping[str, str]] = {
    "name": "display_name for the name that is shown, or id",
    "tag": "tags.contains('x')",
    "username": "user",
    "summary_metrics": "summary",
    "sweep_id": "sweep",
    "true": "True",
    "false": "False",
    "null": "None",
}
OTHER_OPERATORS: Final[Mapping[str, str]] = {"&": "and", "|": "or", "!": "not", "=": "=="}

SIGNS: Final[Mapping[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
COMPARISONS: Final[
    Mapping[str, Callable[[Any, Any], Any]]
] = {  # Any: as a field compares, see `runql.filters`
    "==": lambda field, value: field == value,
    "!=": lambda field, value: field != value,
    "<": lambda field, value: field < value,
    "<=": lambda field, value: field <= value,
    ">": lambda field, value: field > value,
    ">=": lambda field, value: field >= value,
}
MIRRORED: Final[Mapping[str, str]] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
METHODS: Final = ("eq", "ne", "between", "is_in", "exists", "matches")
STATE_METHODS: Final = ("eq", "ne", "is_in", "other")
TAGS_METHODS: Final = ("contains", "contains_any")

ARGUMENTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("eq", "ne", "matches", "other", "contains"), 1),
    "between": 2,
    "exists": 0,
}
"""How many values a method takes; the others take any number."""

EXAMPLE: Final = """config.lr < 0.01 and state == "finished\""""

Node: TypeAlias = ast.expr
ValueField: TypeAlias = "builder.Field[Any] | builder.StateField | Key"
AnyField: TypeAlias = "ValueField | builder.TagsField"


class FilterError(MisreadError):
    """A filter cannot be read."""

    option = "--filter"


class Key:
    """A config entry or a summary value whose type is still open: a value that it is compared with gives it."""

    def __init__(self, place: str, key: str) -> None:
        self.place: str = place
        self.key: str = key

    def typed(self, kind: type) -> builder.Field[Any]:
        """Return the field of this type."""
        return NESTED[self.place](self.key, kind)

    def __repr__(self) -> str:
        return f"{self.place}.{self.key}" if self.key.isidentifier() else f"{self.place}[{self.key!r}]"


def parse_filter(text: str) -> Filter:
    """Read a filter such as ``config.lr < 0.01 and state == "finished"``, or one in JSON such as ``{"state": "failed"}``.

    The spelling is that of `runql.filters`, with ``and``, ``or`` and ``not`` beside ``&``, ``|`` and ``~``, ``in``,
    chains of comparisons, ``"x" in tags``, and ``config.lr`` or ``summary["train/loss"]`` without a type. A date is a
    str in ISO 8601, in UTC where it names no zone.

    Raises:
        FilterError: it cannot be read; the error has the column.
    """
    stripped = text.strip()
    try:
        refuse_surrogates(stripped, "the filter")
    except ValueError as error:
        raise FilterError("it holds half of a surrogate pair", "", 1) from error
    if not stripped:
        raise FilterError(f"it is empty: write a condition such as {EXAMPLE}", "", 1)
    parsed = _read_json(stripped) if stripped.startswith("{") else _Reader(stripped).read()
    try:
        filter_json(parsed)
    except ValueError as error:
        raise FilterError(str(error), stripped, 1) from error
    return parsed


def _read_json(text: str) -> Filter:
    def no_constant(name: str) -> JSONValue:
        raise FilterError(f"{name} is no JSON", text, text.index(name) + 1)

    def once(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            place = max(text.rfind(json.dumps(twice)), 0)
            raise FilterError(
                f"the key {shown(twice)} is there twice: combine both with $and", text, place + 1
            )
        return members

    try:
        document: object = json.loads(text, parse_constant=no_constant, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        lines = text.splitlines() or [""]
        line = lines[min(error.lineno, len(lines)) - 1]
        raise FilterError(f"as JSON: {error.msg}", line, error.colno, error.lineno) from error
    except RecursionError as error:
        raise FilterError("it is nested too deeply", text, 1) from error
    except FilterError:
        raise
    except ValueError as error:  # an int of thousands of digits
        raise FilterError(f"as JSON: {error}", text, 1) from error
    members = as_json(document)
    if not isinstance(members, dict):
        raise FilterError("a filter in JSON is an object", text, 1)
    return Filter(members)


class _Reader:
    """Reads one expression; every node has a place, which an error points at."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.split("\n")

    def read(self) -> Filter:
        try:
            with warnings.catch_warnings():
                # A regular expression such as "\d" is no escape of Python's, which warns and keeps the backslash.
                warnings.simplefilter("ignore")
                tree = ast.parse(self._text, mode="eval")
            return self._condition(tree.body)
        except SyntaxError as error:
            raise self._syntax(error) from error
        except (RecursionError, MemoryError) as error:
            raise FilterError("it is nested too deeply", self._lines[0], 1) from error
        except FilterError:
            raise
        except ValueError as error:  # a null character
            raise FilterError(str(error), self._text, 1) from error

    def _condition(self, node: Node) -> Filter:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return builder.all_of(*map(self._condition, values))
            case ast.BoolOp(values=values):
                return builder.any_of(*map(self._condition, values))
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
                return ~self._condition(operand)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() as sign, right=right):
                both = self._condition(left), self._condition(right)
                return both[0] & both[1] if isinstance(sign, ast.BitAnd) else both[0] | both[1]
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._call(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                field = self._field(node)
                example = "tags.contains('x')" if isinstance(field, builder.TagsField) else "it == 1"
                raise self._error(node, f"this is no condition: compare it, such as {example}")
            case _:
                raise self._error(node, f"this is no condition: write one such as {EXAMPLE}")

    def _comparison(self, node: ast.Compare) -> Filter:
        operands = [node.left, *node.comparators]
        parts = [
            self._compared(left, sign, right)
            for left, sign, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else builder.all_of(*parts)

    def _compared(self, left: Node, comparison: ast.cmpop, right: Node) -> Filter:
        sign = SIGNS[type(comparison)]
        if sign in ("in", "not in"):
            found = self._membership(left, right)
            return found if sign == "in" else ~found
        if _is_field(right) and _is_field(left):
            if isinstance(right, ast.Name) and right.id not in (*_names(), *NESTED):
                self._constant(right)
            raise self._error(right, "a field is compared with a value, not with another field")
        if _is_field(right):
            if sign not in MIRRORED:
                raise self._error(right, f"the field comes first before {sign!r}")
            left, sign, right = right, MIRRORED[sign], left
        field = self._field(left)
        if isinstance(field, builder.TagsField):
            raise self._error(left, "tags are several: write tags.contains('x'), or 'x' in tags")
        value = self._value(right, field)
        if sign in ("is", "is not"):
            if value is not None:
                raise self._error(right, f"{sign!r} goes with None: write {'==' if sign == 'is' else '!='}")
            sign = "==" if sign == "is" else "!="
        return self._built(left, lambda: self._by_sign(left, field, sign, value))

    def _by_sign(
        self, node: Node, field: ValueField, sign: str, value: Any
    ) -> Filter:  # Any: the builder checks it
        if isinstance(field, builder.StateField):
            if sign not in ("==", "!="):
                raise self._error(node, "states have no order: write state == 'finished'")
            return field.eq(value) if sign == "==" else field.ne(value)
        if value is None and sign not in ("==", "!="):
            raise self._error(node, f"None is neither more nor less: write {field!r} == None")
        typed: builder.Field[Any] = field.typed(_kind([value])) if isinstance(field, Key) else field
        made: Filter = COMPARISONS[sign](typed, value)
        return made

    def _membership(self, left: Node, right: Node) -> Filter:
        if _is_field(right):
            field = self._field(right)
            if not isinstance(field, builder.TagsField):
                raise self._error(right, "'in' takes a list of values, or tags")
            return self._built(left, partial(field.contains, self._value(left, field)))
        field = self._field(left)
        if isinstance(field, builder.TagsField):
            raise self._error(left, "write 'x' in tags, or tags.contains_any('x', 'y')")
        if not isinstance(right, (ast.Tuple, ast.List, ast.Set)):
            raise self._error(right, "'in' takes a list of values, such as (1, 2)")
        values = [self._value(each, field) for each in right.elts]
        return self._built(right, lambda: self._typed(field, values).is_in(*values))

    def _call(self, node: ast.Call) -> Filter:
        for keyword in node.keywords:
            raise self._error(keyword.value, "no argument has a name here")
        if isinstance(node.func, ast.Name):
            return self._function(node, node.func.id)
        if not isinstance(node.func, ast.Attribute):
            raise self._error(node, "this cannot be called")
        field, method = self._field(node.func.value), node.func.attr
        known = (
            STATE_METHODS
            if isinstance(field, builder.StateField)
            else TAGS_METHODS
            if isinstance(field, builder.TagsField)
            else METHODS
        )
        if method not in known:
            raise self._error(node, f"there is no {shown(method)} here: write one of {', '.join(known)}")
        values = [self._value(each, field) for each in node.args]
        if (count := ARGUMENTS.get(method)) is not None and len(values) != count:
            raise self._error(node, f"{method} takes {('no value', 'one value', 'two values')[count]}")
        target: Any = self._typed(field, values)  # Any: the names of its methods are in `known`
        return self._built(node, lambda: getattr(target, method)(*values))

    def _function(self, node: ast.Call, name: str) -> Filter:
        if name in ("all_of", "any_of"):
            conditions = [self._condition(each) for each in node.args]
            combine = builder.all_of if name == "all_of" else builder.any_of
            return self._built(node, lambda: combine(*conditions))
        if name == "Filter" and len(node.args) == 1 and isinstance(node.args[0], ast.Dict):
            document = self._json(node.args[0])
            if isinstance(document, Mapping):
                return Filter(document)
        if name in NESTED:
            raise self._error(node, f"this is no condition: compare it, such as {name}('lr', float) < 0.01")
        raise self._error(node, f"there is no function {shown(name)}")

    def _json(self, node: Node) -> JSONInput:
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self._json(each) for each in node.elts]
        if not isinstance(node, ast.Dict):
            return self._constant(node)
        members: dict[str, JSONInput] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                raise self._error(key or value, "keys are str")
            members[key.value] = self._json(value)
        return members

    def _field(self, node: Node) -> AnyField:
        if isinstance(node, ast.Call):
            return self._typed_key(node)
        names: list[str] = []
        inner = node
        while isinstance(inner, (ast.Attribute, ast.Subscript)):
            names.append(self._key(inner))
            inner = inner.value
        if isinstance(inner, ast.BinOp):
            raise self._error(
                inner, 'this is no field; a key with other signs is written as config["learning-rate"]'
            )
        if not isinstance(inner, ast.Name):
            raise self._error(node, "this is no field")
        name = self._spelled(inner, inner.id)
        if name in NESTED:
            if not names:
                raise self._error(inner, f"which entry? Write {name}.lr, or {name}['train/loss']")
            key = Key(name, ".".join(reversed(names)))
            self._built(node, lambda: key.typed(str).exists())
            return key
        found = {"state": builder.state, "tags": builder.tags, **FIELDS}.get(name)
        if found is None:
            hint = OTHER_NAMES.get(name, f"config.{name} or summary.{name}, or one of {', '.join(_names())}")
            raise self._error(inner, f"there is no field {shown(name)}: write {hint}")
        if names:
            raise self._error(node, f"{name} has no entries")
        return found

    def _typed_key(self, node: ast.Call) -> AnyField:
        if not isinstance(node.func, ast.Name) or node.func.id not in NESTED:
            raise self._error(node, "this is no field")
        match node.args:
            case [ast.Constant(value=str() as key), ast.Name(id=kind)] if kind in TYPES and not node.keywords:
                name = node.func.id
                made = Key(name, key)
                self._built(node, lambda: made.typed(TYPES[kind]).exists())
                return made.typed(TYPES[kind])
            case _:
                raise self._error(node, f"write {node.func.id}('key', float), with one of {', '.join(TYPES)}")

    def _key(self, node: ast.Attribute | ast.Subscript) -> str:
        if isinstance(node, ast.Attribute):
            return self._spelled(node, node.attr)
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
            return node.slice.value
        raise self._error(node.slice, 'a key in brackets is a str, such as summary["train/loss"]')

    def _spelled(self, node: Node, name: str) -> str:
        # Python replaces letters such as "ﬁ" in names: another key than the one that was written.
        if name not in self._text:
            raise self._error(node, f"Python reads this name as {shown(name)}: write it as a str in brackets")
        return name

    def _typed(self, field: AnyField, values: Sequence[Any]) -> Any:  # Any: the builder checks the values
        return field.typed(_kind(values)) if isinstance(field, Key) else field

    def _value(self, node: Node, field: AnyField) -> Any:  # Any: the builder checks its type
        value = self._constant(node)
        if isinstance(value, str) and any(field is FIELDS[name] for name in DATES):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError as error:
                raise self._error(node, f"{shown(value)} is no date such as '2026-01-31T12:00'") from error
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return value

    def _constant(self, node: Node) -> None | bool | float | str:
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(
                op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)
            ) if not isinstance(value, bool):
                return -value if isinstance(sign, ast.USub) else value
            case ast.Name(id=name):
                hint = OTHER_NAMES.get(name, f"'{name}' for a str") if name not in _names() else "a value"
                raise self._error(node, f"{shown(name)} is no value: write {hint}")
            case ast.BinOp() | ast.BoolOp() | ast.Compare():
                raise self._error(
                    node, "this is no value: put comparisons in parentheses before & and |, or write and, or"
                )
            case _:
                raise self._error(
                    node, "this is no value: write a number, a str in quotes, True, False or None"
                )

    def _built(self, node: Node, build: Callable[[], Filter]) -> Filter:
        try:
            return build()
        except FilterError:
            raise
        except (TypeError, ValueError) as error:
            raise self._error(node, str(error)) from error

    def _error(self, node: Node, reason: str) -> FilterError:
        line = self._lines[node.lineno - 1]
        # Python counts bytes.
        column = len(line.encode()[: node.col_offset].decode()) + 1
        return FilterError(reason, line, column, node.lineno)

    def _syntax(self, error: SyntaxError) -> FilterError:
        number = min(max(error.lineno or 1, 1), len(self._lines))
        line = self._lines[number - 1]
        # Python names no column where the end is too early.
        column = min(error.offset or len(line) + 1, len(line) + 1)
        reason = error.msg or "invalid syntax"
        sign = line[column - 1 : column]
        if sign in OTHER_OPERATORS:
            reason = f"write {OTHER_OPERATORS[sign]!r} here"
        elif reason == "invalid syntax":
            reason = 'invalid syntax; a key that is no name of Python is written as config["learning-rate"]'
        return FilterError(reason, line, column, number)


def _is_field(node: Node) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))


def _kind(values: Sequence[object]) -> type:
    """Return the type of a key that is compared with these values: an int among floats is a float."""
    kinds = [type(value) for value in values if value is not None]
    if not kinds:
        return str
    return float if set(kinds) == {int, float} else kinds[0]


def _names() -> list[str]:
    return ["state", "tags", *FIELDS]
