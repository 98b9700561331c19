"""JSON values: lenient decoding of the server's strings, and checked encoding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, ForwardRef, Literal, TypeAlias, TypeGuard, cast

from pydantic_core import from_json

from runql.deep_json import check_depth, decode_deep
from runql.errors import UnreadableValueError
from runql.limits import ResponseLimitError, RowTooLargeError, current_limits
from runql.quick_dataclasses import dataclass

JSONValue: TypeAlias = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]
"""A JSON value that runql returns: exact lists and dicts."""

JSONInput: TypeAlias = None | bool | int | float | str | Sequence["JSONInput"] | Mapping[str, "JSONInput"]
"""A JSON value that runql accepts: any sequence, any mapping with str keys. bytes fit the type, and are refused."""

Missing: TypeAlias = Literal["last", "raise"]
"""What becomes of an order by a value that no run has."""

Filters: TypeAlias = Mapping[str, JSONInput]
"""A filter that runql accepts: fields, or operators such as ``$and``, and their values."""

if not TYPE_CHECKING:  # with their module, both resolve wherever an annotation names them
    _VALUE, _INPUT = (ForwardRef(name, module=__name__) for name in ("JSONValue", "JSONInput"))
    JSONValue = None | bool | int | float | str | list[_VALUE] | dict[str, _VALUE]
    JSONInput = None | bool | int | float | str | Sequence[_INPUT] | Mapping[str, _INPUT]
    Filters = Mapping[str, JSONInput]

INTERNAL_KEYS: Final[tuple[str, ...]] = ("_wandb", "wandb_version")
SPELLED_FLOATS: Final[Mapping[str, float]] = {
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
EXCERPT: Final = 80

MOST_BYTES_OF_CHARACTER: Final = 4
"""Bytes of a character in UTF-8."""

QUICK_DEPTH: Final = 201
"""No value that the fast parser accepts is nested more deeply."""

_BUFFERS: Final = (bytes, bytearray, memoryview)
_NOTHING: Final[dict[str, JSONValue]] = {}

# TypeError: a str with lone surrogates, which the fast parser cannot encode as UTF-8.
_PARSER_ERRORS: Final = (ValueError, TypeError)
_lenient_decode = json.JSONDecoder(strict=False).decode


class UnreadableRowError(UnreadableValueError):
    """A history row is not JSON, or no object.

    Attributes:
        row: its index among the rows that were decoded together, from 0.
    """

    def __init__(self, row: int, reason: str) -> None:
        self.row = row
        super().__init__(reason)


@dataclass(frozen=True)
class ParsedConfig:
    """A run's config, unwrapped from the ``{"value": …, "desc": …}`` objects that the server stores.

    Attributes:
        values: the user's entries.
        internal: ``_wandb`` and ``wandb_version``, where the server sent them.
    """

    values: dict[str, JSONValue] = field(default_factory=dict[str, JSONValue])
    internal: dict[str, JSONValue] = field(default_factory=dict[str, JSONValue])


def parse_json(text: str | bytes, what: str = "a value") -> JSONValue:
    """Decode a JSON string as the server writes it.

    Beyond strict JSON this accepts bare ``NaN``, ``Infinity`` and ``-Infinity``, raw control characters and lone
    surrogates in strings, and nesting up to `Limits.json_depth`. Integers are exact, floats keep their bits.

    Args:
        text: the JSON string.
        what: its name for the error, such as ``the config of run e/p/r``.

    Raises:
        UnreadableValueError: it is not JSON; the message shows the first 80 characters.
        JSONTooDeepError: it is nested more deeply than `Limits` accepts.
    """
    try:
        quick: JSONValue = from_json(text, allow_inf_nan=True, cache_strings="keys")
    except _PARSER_ERRORS:
        return _parse_leniently(text, what)
    most = current_limits().json_depth
    if most < QUICK_DEPTH:
        check_depth(quick, most, what)
    return quick


def parse_object(text: str | None, what: str = "a value") -> dict[str, JSONValue]:
    """Decode a JSON string that holds an object; None, an empty str and ``null`` give ``{}``.

    Raises:
        UnreadableValueError: it is not JSON, or not an object.
    """
    if not text:
        return {}
    value = parse_json(text, what)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableValueError(f"{what} cannot be read: expected a JSON object, not {_excerpt(text)}")
    return value


def parse_config(text: str | None, what: str = "a config") -> ParsedConfig:
    """Decode a run's config; an entry that is an object with a ``value`` becomes that value.

    Raises:
        UnreadableValueError: it is not JSON, or not an object.
    """
    entries = parse_object(text, what)
    try:
        # Nearly always each entry has a value; asking each first takes twice as long.
        values = _unwrapped(entries)
    except (KeyError, TypeError):
        values = {
            key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
            for key, entry in entries.items()
        }
    internal = {key: values.pop(key) for key in INTERNAL_KEYS if key in values}
    return ParsedConfig(values, internal)


def parse_summary(text: str | None, what: str = "a summary") -> dict[str, JSONValue]:
    """Decode a run's summary; blanks around keys are stripped.

    Raises:
        UnreadableValueError: it is not JSON, or not an object.
    """
    entries = parse_object(text, what)
    # Nearly always there are no blanks at all, which one look at all keys shows.
    keys = "".join(entries)
    if keys.split() == [keys]:
        return entries
    return {key.strip(): value for key, value in entries.items()}


def parse_rows(encoded: Sequence[str]) -> list[dict[str, JSONValue]]:
    """Decode history rows, each a JSON string of one object; the list has the length and order of ``encoded``.

    The strings "NaN", "Infinity" and "-Infinity" become floats; see `restore_floats`.

    Raises:
        UnreadableRowError: a row is not JSON, or not an object.
        RowTooLargeError, JSONTooDeepError: a row is beyond `Limits`.
    """
    joined = f"[{','.join(encoded)}]"
    check_row_sizes(encoded, len(joined) * MOST_BYTES_OF_CHARACTER)
    rows = _parse_together(joined, expected=len(encoded))
    if rows is None:
        rows = [_parse_row(place, text) for place, text in enumerate(encoded)]
    # One search of the whole string is far cheaper than a look at every value.
    if 'NaN"' in joined or 'Infinity"' in joined:
        return [restore_floats(row) for row in rows]
    return rows


def check_row_sizes(encoded: Iterable[str], total: int) -> None:
    """Refuse a history row that is larger than `Limits` accepts.

    Args:
        encoded: the JSON of each row.
        total: at least the bytes of all rows; where they are few, no row is looked at.

    Raises:
        RowTooLargeError: a row is larger.
    """
    most = current_limits().row_bytes
    if total <= most:
        return
    for place, row in enumerate(encoded):
        size = len(row.encode("utf-8", "surrogatepass"))
        if size > most:
            raise RowTooLargeError(
                f"row {place} of a response has {size:,} bytes", limit="row_bytes", most=most
            )


def rows_of_array(array: JSONValue) -> list[dict[str, JSONValue]]:
    """Return the objects of a JSON array, special floats restored; a value that is no array gives none."""
    return [restore_floats(row) for row in array if isinstance(row, dict)] if isinstance(array, list) else []


def history_rows(array: Sequence[JSONValue]) -> list[dict[str, JSONValue]]:
    """Return the rows of a decoded JSON array, special floats restored.

    Raises:
        UnreadableRowError: a row is no object.
    """
    return [restore_floats(_row(place, value)) for place, value in enumerate(array)]


def restore_floats(row: dict[str, JSONValue]) -> dict[str, JSONValue]:
    """Return a history row with top-level strings "NaN", "Infinity" and "-Infinity" as floats.

    The SDK writes bare tokens, and the backend sends these strings. A row without them is returned itself.
    """
    spelled = {
        key: SPELLED_FLOATS[value]
        for key, value in row.items()
        if isinstance(value, str) and value in SPELLED_FLOATS
    }
    return {**row, **spelled} if spelled else row


def dump_json(value: JSONValue, *, ensure_ascii: bool = True) -> str:
    """Encode a value as a JSON string, at any depth of nesting."""
    encode = json.JSONEncoder(ensure_ascii=ensure_ascii).encode
    try:
        return encode(value)
    except RecursionError:
        return "".join(_pieces(value, encode))


def checked_json(
    value: object,
    what: str,
    *,
    allow_nan: bool = False,
    allow_surrogates: bool = False,
    default: Callable[[object], object] | None = None,
) -> str:
    """Encode a caller's value as a JSON string to send.

    Args:
        value: the Python value.
        what: its name for the error, such as ``filters``.
        allow_nan: write NaN and infinities as bare tokens.
        allow_surrogates: write halves of surrogate pairs as JSON escapes; not every server keeps them.
        default: converts objects of other types, as in `json.dumps`.

    Raises:
        ValueError: it has no JSON form, contains itself, is nested too deeply, or holds half of a surrogate pair.
    """
    try:
        text = json.dumps(value, allow_nan=allow_nan, default=default)
    except RecursionError:
        raise ValueError(f"{what} must be JSON: it contains itself, or is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what} must be JSON (str keys; str, finite numbers, booleans, None, lists, dicts): {error}"
        ) from error
    if "\\ud" in text and not allow_surrogates:
        refuse_surrogates(json.dumps(value, ensure_ascii=False, default=default), what)
    return text


def refuse_surrogates(text: str, what: str) -> None:
    """Refuse half of a surrogate pair: UTF-8 cannot encode it, so servers would store another character.

    Raises:
        ValueError: the str holds one; the message shows the characters around it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 20) : error.end + 20]
        raise ValueError(
            f"{what} holds half of a surrogate pair, which is no character: {around!a}"
        ) from None


def plain_container(value: object) -> object:
    """Convert a mapping to a dict and a sequence to a list, as `checked_json` asks of ``default``.

    Raises:
        TypeError: it is neither.
    """
    if _is_mapping(value):
        return dict(value)
    if _is_sequence(value):
        return list(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def plain_json(value: JSONInput) -> JSONValue:
    """Copy an accepted JSON value to dicts and lists; keys and other values stay what they are.

    Raises:
        RecursionError: it contains itself, or is nested too deeply.
    """
    # Loops, not comprehensions: a level of nesting costs one frame.
    if isinstance(value, Mapping):
        entries: dict[str, JSONValue] = {}
        for key, member in value.items():
            entries[key] = plain_json(member)
        return entries
    if isinstance(value, Sequence) and not isinstance(value, (str, Iterator)) and not _is_buffer(value):
        members: list[JSONValue] = []
        for member in value:
            members.append(plain_json(member))  # noqa: PERF401 - a comprehension is a second frame
        return members
    return as_json(value)


def as_json(value: object) -> JSONValue:
    """Cast a decoded JSON value to its type: generated models declare the server's JSON scalars as `object`."""
    return cast("JSONValue", value)


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return _is_any_sequence(value) and not _is_buffer(value)


def _is_any_sequence(value: object) -> TypeGuard[Sequence[object]]:
    # A list of runs is a sequence and an iterator: reading it would send requests, and no run is JSON.
    return isinstance(value, Sequence) and not isinstance(value, Iterator)


def _is_buffer(value: object) -> bool:
    return isinstance(value, _BUFFERS)


def _pieces(value: JSONValue, encode: Callable[[JSONValue], str]) -> Iterator[str]:
    """Yield the pieces that `dump_json` joins, without recursion."""
    pending: list[tuple[str, JSONValue]] = [("", value)]
    while pending:
        before, item = pending.pop()
        yield before
        match item:
            case dict() if item:
                yield "{"
                entries = [(f"{encode(name)}: ", member) for name, member in item.items()]
                pending.append(("}", _NOTHING))
            case list() if item:
                yield "["
                entries = [("", member) for member in item]
                pending.append(("]", _NOTHING))
            case _:
                yield "" if item is _NOTHING else encode(item)
                continue
        first, *others = entries
        pending += [(f", {before}", member) for before, member in reversed(others)]
        pending.append(first)


def _parse_row(place: int, text: str) -> dict[str, JSONValue]:
    try:
        value = parse_json(text, f"row {place} of a response")
    except ResponseLimitError:
        raise
    except UnreadableValueError as error:
        raise UnreadableRowError(place, str(error)) from error
    return _row(place, value)


def _row(place: int, value: JSONValue) -> dict[str, JSONValue]:
    if not isinstance(value, dict):
        raise UnreadableRowError(place, f"not a JSON object: {_excerpt(str(value))}")
    return value


def _parse_leniently(text: str | bytes, what: str) -> JSONValue:
    most = current_limits().json_depth
    try:
        decoded = _decoded(text)
        try:
            value: JSONValue = _lenient_decode(decoded)
        except RecursionError:
            return as_json(decode_deep(decoded, most, what))
        check_depth(value, most, what)
    except ResponseLimitError:
        raise
    except ValueError as error:
        raise UnreadableValueError(f"{what} cannot be read: not JSON ({error}): {_excerpt(text)}") from error
    return value


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "surrogatepass")


def _parse_together(joined: str, *, expected: int) -> list[dict[str, JSONValue]] | None:
    """Return the rows of one JSON array, or None where each must be decoded on its own."""
    try:
        together: JSONValue = from_json(joined, allow_inf_nan=True, cache_strings="keys")
    except _PARSER_ERRORS:
        return None
    if not isinstance(together, list) or len(together) != expected:
        return None
    if current_limits().json_depth < QUICK_DEPTH:
        return None
    rows = list(_objects(together))
    return rows if len(rows) == expected else None


def _objects(values: Iterable[JSONValue]) -> Iterable[dict[str, JSONValue]]:
    return (value for value in values if isinstance(value, dict))


def _unwrapped(entries: Mapping[str, Any]) -> dict[str, JSONValue]:
    # Any: an entry of another type raises, and the caller asks each.
    return {key: entry["value"] for key, entry in entries.items()}


def _excerpt(text: str | bytes) -> str:
    return repr(text[:EXCERPT]) + ("…" if len(text) > EXCERPT else "")
