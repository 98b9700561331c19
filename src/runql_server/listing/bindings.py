"""Values bound to one SQL statement, so that user input never becomes part of the statement."""

from __future__ import annotations

from runql_server.errors import RequestError

SqlValue = None | int | float | str

_MOST = 32_000
"""Slightly below SQLite's limit of parameters per statement."""


class Bindings(dict[str, SqlValue]):
    """Named parameters of one statement."""

    def __init__(self, **named: SqlValue) -> None:
        super().__init__(named)
        self._placeholders: dict[tuple[type, SqlValue], str] = {}

    def bind(self, value: SqlValue) -> str:
        """Add a value, and return its placeholder; binding an equal value again reuses the placeholder."""
        # UTF-8 cannot encode lone surrogates, which JSON allows: replacement characters stand for them.
        kept = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        known = self._placeholders.get((type(kept), kept))
        if known is not None:
            return known
        if len(self) >= _MOST:
            raise RequestError("the filter holds too many values")
        name = f"p{len(self)}"
        self[name] = kept
        self._placeholders[type(kept), kept] = f":{name}"
        return f":{name}"
