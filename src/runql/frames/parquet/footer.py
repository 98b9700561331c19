"""Reads the footer of a parquet file without a library: where its columns are, and the bounds of their steps."""

from __future__ import annotations

import math
import struct
from typing import Final, TypeAlias

from runql.frames.parquet.layout import Chunk, Layout, RowGroup, UnreadableParquetError

# Thrift's compact protocol; the numbers are those of its specification and of parquet.thrift.
_TRUE, _FALSE, _BYTE, _LONGEST_INT, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = (
    1,
    2,
    3,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
)
_FORMATS: Final = {1: "<i", 2: "<q", 4: "<f", 5: "<d"}
"""How statistics encode the numbers of a physical type."""

Thrift: TypeAlias = "bool | int | bytes | list[Thrift] | dict[int, Thrift]"


class _Reader:
    """Decodes values one after the other; a struct is a dict by field number."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place: int = 0

    def struct(self) -> dict[int, Thrift]:
        """The struct at the place, up to its stop."""
        # Numbers and strings, of which footers consist, are decoded here: a call for each takes longer than they do.
        content, place = self._content, self._place
        found, number = dict[int, Thrift](), 0
        while True:
            head = content[place]
            place += 1
            if not head:
                self._place = place
                return found
            kind = head & 15
            if head >> 4:
                number += head >> 4
            else:
                self._place = place
                number, place = self._int(), self._place
            if kind == _BINARY or _BYTE < kind <= _LONGEST_INT:
                value, place = content[place], place + 1
                if value > 127:
                    self._place = place - 1
                    value, place = self._varint(), self._place
                if kind != _BINARY:
                    found[number] = (value >> 1) ^ -(value & 1)
                    continue
                found[number] = content[place : place + value]
                place += value
                if place > len(content):
                    raise IndexError
            elif kind <= _FALSE:
                found[number] = kind == _TRUE
            else:
                self._place = place
                found[number], place = self._value(kind), self._place

    def _value(self, kind: int) -> Thrift:
        if kind == _BINARY:
            start = self._place
            start, self._place = self._skip(self._varint())
            return self._content[start : self._place]
        if _BYTE < kind <= _LONGEST_INT:
            return self._int()
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            return self._list()
        if kind in (_TRUE, _FALSE, _BYTE):
            start, self._place = self._skip(1)
            return self._content[start]
        if kind == _DOUBLE:
            start, self._place = self._skip(8)
            return self._content[start : self._place]
        if kind == _MAP:
            return self._map()
        raise UnreadableParquetError(f"the footer of an export has a value of kind {kind}")

    def _list(self) -> list[Thrift]:
        head = self._content[self._place]
        self._place += 1
        size = self._varint() if head >> 4 == 15 else head >> 4
        return [self._value(head & 15) for _ in range(size)]

    def _map(self) -> list[Thrift]:
        size = self._varint()
        if not size:
            return []
        kinds = self._content[self._place]
        self._place += 1
        return [self._value(kind) for _ in range(size) for kind in (kinds >> 4, kinds & 15)]

    def _skip(self, size: int) -> tuple[int, int]:
        if self._place + size > len(self._content):
            raise IndexError
        return self._place, self._place + size

    def _varint(self) -> int:
        content, place = self._content, self._place
        byte = content[place]
        value, shift = byte & 127, 7
        while byte & 128:
            place += 1
            byte = content[place]
            value |= (byte & 127) << shift
            shift += 7
        self._place = place + 1
        return value

    def _int(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def layout_of_footer(footer: bytes) -> Layout:
    """The layout of a file with this footer, as `read_layout` reads it with pyarrow.

    Raises:
        UnreadableParquetError: it is no footer of an export.
    """
    try:
        metadata = _Reader(footer).struct()
        names = _top_names(_structs(metadata[2]))
        groups = [_group(_struct(group)) for group in _structs(metadata[4])]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError, struct.error) as error:
        raise UnreadableParquetError(f"the footer of an export cannot be read: {error}") from error
    if "_step" not in names or len(set(names)) < len(names):
        raise UnreadableParquetError("an export has one column for each metric, and one of steps")
    return Layout(tuple(groups), names)


def _top_names(schema: list[dict[int, Thrift]]) -> tuple[str, ...]:
    names: list[str] = []
    # The numbers of children that follow at each level; the first element is the root.
    left = [_number(schema[0].get(5, 0))]
    for element in schema[1:]:
        while left and not left[-1]:
            left.pop()
        if len(left) == 1:
            names.append(_text(element[4]))
        left[-1] -= 1
        children = _number(element.get(5, 0))
        if children:
            left.append(children)
    return tuple(names)


def _group(group: dict[int, Thrift]) -> RowGroup:
    chunks: list[Chunk] = []
    first, last = -math.inf, math.inf
    for chunk in _structs(group[1]):
        column = _struct(chunk[3])
        path = ".".join(map(_text, _list(column[3])))
        start = min(place for place in (_number(column.get(11, 0)), _number(column[9])) if place > 0)
        chunks.append(Chunk(path, start, start + _number(column[7])))
        if path == "_step":
            first, last = _bounds(_number(column[1]), _struct(column.get(12, {})))
    rows = _number(group[3])
    if rows < 0 or any(chunk.stop < chunk.start for chunk in chunks):
        raise ValueError("a size below 0")
    return RowGroup(rows, first, last, tuple(chunks))


def _bounds(physical: int, statistics: dict[int, Thrift]) -> tuple[float, float]:
    low, high = statistics.get(6, statistics.get(2)), statistics.get(5, statistics.get(1))
    kind = _FORMATS.get(physical)
    if kind is None or not isinstance(low, bytes) or not isinstance(high, bytes):
        return -math.inf, math.inf
    (first,), (last,) = struct.unpack(kind, low), struct.unpack(kind, high)
    return (first, last) if first <= last else (-math.inf, math.inf)


def _struct(value: Thrift) -> dict[int, Thrift]:
    if not isinstance(value, dict):
        raise TypeError("no struct")
    return value


def _list(value: Thrift) -> list[Thrift]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _structs(value: Thrift) -> list[dict[int, Thrift]]:
    return [_struct(each) for each in _list(value)]


def _number(value: Thrift) -> int:
    if not isinstance(value, int):
        raise TypeError("no number")
    return value


def _text(value: Thrift) -> str:
    if not isinstance(value, bytes):
        raise TypeError("no str")
    return value.decode()
