"""JSON that is nested more deeply than the parsers of Python and pydantic can follow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias, TypeGuard

from runql.limits import JSONTooDeepError

_Container: TypeAlias = list[object] | dict[str, object]

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_scan_scalar: Final = json.JSONDecoder(strict=False).raw_decode


def check_depth(value: object, most: int, what: str) -> None:
    """Refuse a decoded value that is nested more deeply than ``most``.

    Raises:
        JSONTooDeepError: it is.
    """
    level = list(_containers([value]))
    for _ in range(most):
        if not level:
            return
        level = [each for container in level for each in _containers(_members(container))]
    if level:
        raise _too_deep(most, what)


def decode_deep(text: str, most: int, what: str) -> object:
    """Decode JSON without recursion, as leniently as `json.JSONDecoder` with ``strict=False``.

    Raises:
        JSONTooDeepError: it is nested more deeply than ``most``.
        ValueError: it is not JSON.
    """
    return _Reader(text, most, what).read()


class _Reader:
    """Reads one JSON value; the containers around the current place are a list instead of frames."""

    def __init__(self, text: str, most: int, what: str) -> None:
        self._text = text
        self._most = most
        self._what = what
        self._place = 0
        self._open: list[_Container] = []
        self._keys: list[str] = []

    def read(self) -> object:
        """Return the value of the whole str."""
        while True:
            value = self._begin()
            if isinstance(value, _Opened):
                continue
            while self._open:
                container = self._open[-1]
                if isinstance(container, dict):
                    container[self._keys.pop()] = value
                else:
                    container.append(value)
                if self._takes(","):
                    if isinstance(container, dict):
                        self._read_key()
                    break
                self._need("}" if isinstance(container, dict) else "]")
                value = self._open.pop()
            else:
                if self._next():
                    raise self._error("Extra data")
                return value

    def _begin(self) -> object:
        """Read a scalar or an empty container, or open a container."""
        first = self._next()
        if first not in {"[", "{"}:
            value, self._place = self._scalar(first)
            return value
        if len(self._open) == self._most:
            raise _too_deep(self._most, self._what)
        self._place += 1
        container: _Container = [] if first == "[" else {}
        if self._takes("]" if first == "[" else "}"):
            return container
        self._open.append(container)
        if isinstance(container, dict):
            self._read_key()
        return _OPENED

    def _scalar(self, first: str) -> tuple[object, int]:
        if not first:
            raise self._error("Expecting value")
        return _scan_scalar(self._text, self._place)

    def _read_key(self) -> None:
        if self._next() != '"':
            raise self._error("Expecting property name enclosed in double quotes")
        key, self._place = _scan_scalar(self._text, self._place)
        self._keys.append(key)
        self._need(":")

    def _next(self) -> str:
        """Skip blanks, and return the next character; empty at the end."""
        blanks = _SPACE.match(self._text, self._place)
        self._place = blanks.end() if blanks else self._place
        return self._text[self._place : self._place + 1]

    def _takes(self, wanted: str) -> bool:
        is_next = self._next() == wanted
        self._place += is_next
        return is_next

    def _need(self, wanted: str) -> None:
        if not self._takes(wanted):
            raise self._error(f"Expecting {wanted!r}")

    def _error(self, reason: str) -> ValueError:
        return json.JSONDecodeError(reason, self._text, self._place)


class _Opened:
    """Stands for a container whose members follow."""


_OPENED: Final = _Opened()


def _too_deep(most: int, what: str) -> JSONTooDeepError:
    found = f"{what} cannot be read: it is nested more than {most:,} levels deep"
    return JSONTooDeepError(found, limit="json_depth", most=most)


def _containers(values: Iterable[object]) -> Iterator[_Container]:
    return (value for value in values if _is_container(value))


def _is_container(value: object) -> TypeGuard[_Container]:
    return isinstance(value, (list, dict))


def _members(container: _Container) -> Iterable[object]:
    return container.values() if isinstance(container, dict) else container
