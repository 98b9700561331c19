"""What a server can do beyond the oldest ones: the features that it lists."""

from __future__ import annotations

from collections.abc import Sequence

from runql.errors import QueryError
from runql.transport.flow import Flow, fetch
from runql_graphql.operations import get_server_info


def read_features() -> Flow[frozenset[str]]:
    """The names of the features that are switched on; one request. Servers from before features list none."""
    try:
        info = (yield from fetch(get_server_info())).server_info
    except QueryError:
        # They do not know the field.
        return frozenset()
    features = info.features if info else []
    return frozenset(each.name for each in features if each is not None and each.is_enabled)


def unknown_to_server(error: QueryError, names: Sequence[str]) -> list[str]:
    """Which of these fields, arguments or input fields the server refused the operation for, not knowing them."""
    told = [problem.message for problem in error.problems]
    return [name for name in names if any(_is_unknown(name, message) for message in told)]


def _is_unknown(name: str, message: str) -> bool:
    # Servers word it in their own ways; all name what they do not know, in quotes, before anything is executed.
    quoted = any(f"{quote}{name}{quote}" in message for quote in "\"'`") or f".{name}" in message
    lowered = message.lower()
    return quoted and any(word in lowered for word in ("cannot query", "unknown", "not defined", "no such"))
