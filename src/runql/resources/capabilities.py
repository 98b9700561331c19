"""The features that a server lists, and the operations that need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runql.errors import OutdatedServerError
from runql.transport.flow import Flow, fetch
from runql_graphql.operations import get_server_info

NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "GetArtifactMembership": frozenset({"PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP"}),
    "ListFilteredProjectCollections": frozenset({"ARTIFACT_COLLECTIONS_FILTERING_SORTING"}),
    "MarkRunFilesUploaded": frozenset({"MARK_RUN_FILES_UPLOADED"}),
    "UseArtifact": frozenset({"USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION"}),
}
"""The features without which the server refuses or limits an operation, as the descriptions in the SDL say."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The features of a server.

    Attributes:
        features: names of those that are on, such as ``MARK_RUN_FILES_UPLOADED``; empty on servers older than features.
    """

    features: frozenset[str]

    @property
    def limited_operations(self) -> Mapping[str, frozenset[str]]:
        """GraphQL operations that this server refuses or limits, each with the features that it lacks.

        Where an older operation does the same, runql falls back to it.
        """
        lacking = {name: features - self.features for name, features in NEEDED.items()}
        return {name: features for name, features in lacking.items() if features}


def read_capabilities() -> Flow[Capabilities]:
    """Ask the server for its features; one request."""
    return Capabilities((yield from read_features()))


def read_features() -> Flow[frozenset[str]]:
    """The names of the features that are on; one request. Servers older than features list none."""
    try:
        info = (yield from fetch(get_server_info())).server_info
    except OutdatedServerError:
        # Such a server does not know the field. Any other error says nothing about its features.
        return frozenset()
    features = info.features if info else []
    return frozenset(each.name for each in features if each is not None and each.is_enabled)
