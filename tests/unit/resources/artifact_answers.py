"""An artifact as a server answers it, in its parts."""

from __future__ import annotations

from runql.paths import ArtifactAddress
from runql.resources.artifacts.lookup import ResolvedArtifact, resolved_at
from runql.values import JSONValue
from runql_graphql.fragments import ArtifactFields

PLACE = ArtifactAddress("e", "p", "mnist", "v3")


def artifact(**changes: JSONValue) -> dict[str, JSONValue]:
    whole: dict[str, JSONValue] = {
        "id": "QTox",
        "artifactSequence": {"name": "mnist", "project": {"name": "p", "entityName": "e"}},
        "artifactType": {"name": "dataset"},
        "versionIndex": 3,
        "commitHash": "c0",
        "description": "digits",
        "metadata": '{"rows": 10}',
        "state": "COMMITTED",
        "digest": "d1",
        "size": 11,
        "fileCount": 2,
        "historyStep": 5,
        "ttlDurationSeconds": 0,
        "ttlIsInherited": True,
        "createdAt": "2026-01-01T00:00:00",
        "updatedAt": None,
        "tags": [{"name": "old"}],
        "aliases": [alias("latest"), alias("v3"), alias("best"), alias("prod", project="other")],
    }
    return {**whole, **changes}


def alias(name: str, *, project: str = "p") -> JSONValue:
    home: JSONValue = {"id": "C", "name": "mnist", "project": {"name": project, "entityName": "e"}}
    return {"alias": name, "artifactCollection": home}


def fields(**changes: JSONValue) -> ArtifactFields:
    return ArtifactFields.model_validate(artifact(**changes))


def found(**changes: JSONValue) -> ResolvedArtifact:
    return resolved_at(fields(**changes), PLACE)
