"""Values of exported columns as history rows hold them: JSON decoded, missing members left out, members nested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runql.frames.parquet.layout import UnreadableParquetError
from runql.limits import JSONTooDeepError
from runql.values import SPELLED_FLOATS, JSONValue, dump_json, parse_json


def decode_cell(value: object) -> JSONValue:
    """The JSON value of a cell: bytes are JSON, pairs are an object, null members are missing.

    Raises:
        UnreadableParquetError: JSON has no such value.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return _parse(value)
        case dict():
            return _object(value.items())  # pyright: ignore[reportUnknownArgumentType] - the callee checks each member
        case list() if value and all(isinstance(item, tuple) for item in value):  # pyright: ignore[reportUnknownVariableType] - as above
            return _object(value)  # pyright: ignore[reportUnknownArgumentType] - as above
        case list():
            return [decode_cell(item) for item in value]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - as above
        case _:
            raise UnreadableParquetError(f"an export has a column of {type(value).__name__}")


def decode_metric(value: object) -> JSONValue:
    """As `decode_cell`, for a metric's own value, where a str such as "NaN" stands for a float."""
    found = decode_cell(value)
    return SPELLED_FLOATS.get(found, found) if isinstance(found, str) else found


def cell_to_json(value: object) -> bytes | None:
    """The JSON of a cell, for a column without a single type; None where it is missing."""
    return None if value is None else to_json(decode_cell(value))


def to_json(value: JSONValue) -> bytes:
    """The JSON of a value."""
    return dump_json(value).encode()


def lookup(row: Mapping[str, JSONValue], key: str) -> JSONValue:
    """A row's member by its own name, else by its dotted path, as the server does; None where there is none."""
    if row.get(key) is not None:
        return row[key]
    for head, rest in path_splits(key):
        inner = row.get(head)
        if isinstance(inner, dict):
            found = lookup(inner, rest)
            if found is not None:
                return found
    return None


def path_splits(key: str) -> Iterable[tuple[str, str]]:
    """The ways to read a dotted name as a member of an object."""
    parts = key.split(".")
    return ((".".join(parts[:count]), ".".join(parts[count:])) for count in range(1, len(parts)))


def member_paths(columns: Sequence[str], history_keys: JSONValue) -> dict[str, tuple[str, ...]]:
    """The columns that hold members of objects under dotted names, and the path of each member.

    A metric may have dots in its own name; only the run's history keys show the difference. Without them, every name is
    taken as it is.
    """
    known = history_keys.get("keys") if isinstance(history_keys, dict) else None
    if not isinstance(known, dict):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name in columns:
        path = _path(name, known) if "." in name and name not in known else None
        if path is not None and path[0] not in columns:
            found[name] = path
    return found


def nest_members(members: Mapping[tuple[str, ...], JSONValue]) -> JSONValue:
    """One object of the members at these paths; None when all are missing."""
    whole: dict[str, JSONValue] = {}
    for path, value in members.items():
        if value is not None:
            _put(whole, path, value)
    return whole or None


def _put(whole: dict[str, JSONValue], path: tuple[str, ...], value: JSONValue) -> None:
    if len(path) == 1:
        whole[path[0]] = value
        return
    inner = whole.setdefault(path[0], {})
    if isinstance(inner, dict):
        _put(inner, path[1:], value)


def _path(name: str, known: Mapping[str, JSONValue]) -> tuple[str, ...] | None:
    if name in known:
        return (name,)
    for head, rest in path_splits(name):
        members = _members(known.get(head))
        path = _path(rest, members) if members else None
        if path is not None:
            return (head, *path)
    return None


def _members(info: JSONValue) -> dict[str, JSONValue] | None:
    counts = info.get("typeCounts") if isinstance(info, dict) else None
    for entry in counts if isinstance(counts, list) else []:
        members = entry.get("keys") if isinstance(entry, dict) else None
        if isinstance(members, dict):
            return members
    return None


def _object(members: Iterable[tuple[object, object]]) -> JSONValue:
    return {str(name): decode_cell(member) for name, member in members if member is not None}


def _parse(content: bytes) -> JSONValue:
    try:
        return parse_json(content, "a cell of an export")
    except JSONTooDeepError:
        raise
    except ValueError as error:
        raise UnreadableParquetError("a binary column of an export holds no JSON") from error
