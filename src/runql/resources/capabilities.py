"""What a server can do: the features it lists, and which operations need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runql.errors import QueryError
from runql.transport.flow import Flow, fetch
from runql_graphql.operations import get_server_info

NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "GetArtifactMembership": frozenset({"PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP"}),
    "ListFilteredProjectCollections": frozenset({"ARTIFACT_COLLECTIONS_FILTERING_SORTING"}),
    "MarkRunFilesUploaded": frozenset({"MARK_RUN_FILES_UPLOADED"}),
    "UseArtifact": frozenset({"USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION"}),
}
"""The features without which an operation is refused, or does less; the SDL's descriptions tell, a test compares."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server can do beyond the oldest ones.

    Attributes:
        features: names of what is switched on, such as ``MARK_RUN_FILES_UPLOADED``; empty on servers from before features.
    """

    features: frozenset[str]

    @property
    def limited_operations(self) -> Mapping[str, frozenset[str]]:
        """GraphQL operations that this server does not take in full, each with the features that it lacks.

        Where there is an older way to the same end, runql goes it by itself.
        """
        lacking = {name: features - self.features for name, features in NEEDED.items()}
        return {name: features for name, features in lacking.items() if features}


def read_capabilities() -> Flow[Capabilities]:
    """Ask the server what it can do; one request."""
    return Capabilities((yield from read_features()))


def read_features() -> Flow[frozenset[str]]:
    """The names of the features that are switched on; one request. Servers from before features list none."""
    try:
        info = (yield from fetch(get_server_info())).server_info
    except QueryError:
        # They do not know the field.
        return frozenset()
    features = info.features if info else []
    return frozenset(each.name for each in features if each is not None and each.is_enabled)
