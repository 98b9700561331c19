"""Values bound to one SQL statement: user input never becomes part of its text."""

from __future__ import annotations

from runql_server.errors import RequestError

SqlValue = None | int | float | str

_MOST = 32_000
"""A little below SQLite's own limit of parameters per statement."""


class Bindings(dict[str, SqlValue]):
    """Named parameters; ``bind`` keeps a value and gives the placeholder to write for it."""

    def __init__(self, **named: SqlValue) -> None:
        super().__init__(named)
        self._placeholders: dict[tuple[type, SqlValue], str] = {}

    def bind(self, value: SqlValue) -> str:
        """Keep a value; the placeholder stands for it in the statement, however often it is bound."""
        # JSON can spell lone surrogates, UTF-8 cannot: they are stored and searched as replacement characters.
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
