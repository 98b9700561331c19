"""Deletes versions and collections, and returns the blobs without owners."""

from __future__ import annotations

import sqlite3

from runql_server.artifacts import aliases, memberships, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.contents import blobs, manifests
from runql_server.artifacts.versions import Artifact
from runql_server.errors import RequestError


def delete_artifact(connection: sqlite3.Connection, artifact: Artifact, *, with_aliases: bool) -> list[str]:
    """Delete a version from its sequence and from all portfolios.

    Refuses a version with aliases unless ``with_aliases``. ``latest`` moves to the newest remaining version. Needs a
    write transaction.
    """
    held = aliases.of_artifact(connection, artifact.number)
    if held and not with_aliases:
        names = ", ".join(sorted({each.alias for each in held}))
        raise RequestError(f"the artifact has aliases ({names}): take them away first, or set deleteAliases")
    blobs_of_manifests = _remove(connection, artifact)
    return blobs_of_manifests + blobs.delete_unreferenced(connection)


def delete_collection(connection: sqlite3.Connection, collection: Collection) -> list[str]:
    """Delete a sequence with all its versions, or a portfolio with its links. Needs a write transaction."""
    made = versions.of_sequence(connection, collection.number)
    gone = [blob for artifact in made for blob in _remove(connection, artifact)]
    artifact_collections.remove(connection, collection)
    return gone + blobs.delete_unreferenced(connection)


def delete_outputs(connection: sqlite3.Connection, run: int) -> list[str]:
    """Delete the versions that a run created. Needs a write transaction."""
    rows = connection.execute("SELECT artifact_id FROM artifact_outputs WHERE run_id = ?", (run,)).fetchall()
    made = versions.by_numbers(connection, [row["artifact_id"] for row in rows])
    gone = [blob for artifact in made for blob in _remove(connection, artifact)]
    return gone + blobs.delete_unreferenced(connection)


def _remove(connection: sqlite3.Connection, artifact: Artifact) -> list[str]:
    places = memberships.of_artifact(connection, artifact.number)
    gone = manifests.blobs_of(connection, artifact.number)
    connection.execute("DELETE FROM artifacts WHERE id = ?", (artifact.number,))
    for place in places:
        aliases.assign_latest_to_newest(connection, place.collection_number)
    return gone
