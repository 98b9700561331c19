"""What a server can do beyond the oldest ones: the features that it lists."""

from __future__ import annotations

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
