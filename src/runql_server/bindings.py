"""Values bound to one SQL statement: user input never becomes part of its text."""

from __future__ import annotations

from runql_server.errors import RequestError

SqlValue = None | int | float | str

_MOST = 32_000
"""A little below SQLite's own limit of parameters per statement."""


class Bindings(dict[str, SqlValue]):
    """Named parameters; ``bind`` keeps a value and gives the placeholder to write for it."""

    def bind(self, value: SqlValue) -> str:
        """Keep a value; the placeholder stands for it in the statement."""
        if len(self) >= _MOST:
            raise RequestError("the filter holds too many values")
        name = f"p{len(self)}"
        # JSON can spell lone surrogates, UTF-8 cannot: they are stored and searched as replacement characters.
        self[name] = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        return f":{name}"
