"""State of a server, read by plain GraphQL without either library."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import httpx
from tests.conformance.calls.call import State
from tests.conformance.plain_values import Json, plain
from tests.patience import PATIENCE

Document: TypeAlias = Any  # Any: a response of the server, compared as JSON
CHANGES: Final = "changes"
"""Project of all objects that calls change."""
WITH_ARTIFACTS: Final = "with_artifacts"
"""The run that uses and logs artifacts."""
METADATA: Final = "wandb-metadata.json"

LINE_COUNT = """query LineCount($project: String!, $run: String!) {
  project(name: $project, entityName: "local") { run(name: $run) { historyLineCount } }
}"""
RUN = """query State($project: String!, $run: String!) {
  project(name: $project, entityName: "local") {
    run(name: $run) {
      displayName description notes tags group jobType state config summaryMetrics historyLineCount
    }
  }
}"""
FILES = """query Files($project: String!, $run: String!) {
  project(name: $project, entityName: "local") {
    run(name: $run) { files(first: 100) { edges { node { name sizeBytes md5 updatedAt } } } }
  }
}"""
ARTIFACT = """query Artifact($project: String!, $run: String!, $collection: String!) {
  project(name: $project, entityName: "local") {
    artifactCollection(name: $collection) {
      artifacts(first: 50) {
        edges {
          version
          node { state description metadata ttlDurationSeconds tags { name } aliases { alias } }
        }
      }
    }
    run(name: $run) {
      inputArtifacts(first: 50) { edges { usedAs node { versionIndex artifactSequence { name } } } }
      outputArtifacts(first: 50) { edges { node { versionIndex artifactSequence { name } } } }
    }
  }
}"""


class Server:
    """A connection for plain GraphQL requests; the caller closes it."""

    def __init__(self, url: str, api_key: str) -> None:
        self._http = httpx.Client(base_url=url, auth=("api", api_key), timeout=PATIENCE, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def line_count(self, project: str, run: str) -> int:
        """Return the number of a run's rows, 0 for a missing run."""
        found = self._project(LINE_COUNT, project=project, run=run)
        return int(found["run"]["historyLineCount"]) if found and found["run"] else 0

    def state(self, what: State, call: str) -> Json:
        """Return the target of the call of this name, None if it was deleted."""
        readers: dict[State, Callable[[str], Json]] = {
            "run": self._run,
            "created": self._created,
            "files": self._files,
            "artifact": self._artifact,
        }
        return readers[what](call)

    def _run(self, name: str) -> dict[str, Json] | None:
        found = self._project(RUN, project=CHANGES, run=name)["run"]
        if found is None:
            return None
        config: Document = json.loads(found.pop("config") or "{}")
        values = {key: plain(entry["value"]) for key, entry in config.items()}
        return {**found, "config": values, "summaryMetrics": _parsed(found["summaryMetrics"])}

    def _created(self, name: str) -> Json:
        """Omit the display name, which the server chose."""
        found = self._run(name) or {}
        return {key: value for key, value in found.items() if key != "displayName"}

    def _files(self, run: str) -> Json:
        """Return names, sizes and MD5s; of the metadata, which hold the creation time, only the name."""
        edges = self._project(FILES, project=CHANGES, run=run)["run"]["files"]["edges"]
        nodes = [edge["node"] for edge in edges if edge["node"]["updatedAt"]]
        return [
            [node["name"]] if node["name"] == METADATA else [node["name"], node["sizeBytes"], node["md5"]]
            for node in nodes
        ]

    def _artifact(self, name: str) -> Json:
        """Return the versions of a collection, and those that the run `with_artifacts` used and logged."""
        found = self._project(ARTIFACT, project=CHANGES, run=WITH_ARTIFACTS, collection=name)
        collection: Document = found["artifactCollection"] or {"artifacts": {"edges": []}}
        return {
            "used": _of_collection(name, found["run"]["inputArtifacts"]),
            "made": _of_collection(name, found["run"]["outputArtifacts"]),
            "versions": {
                edge["version"]: _version(edge["node"]) for edge in collection["artifacts"]["edges"]
            },
        }

    def _project(self, document: str, **variables: str) -> Document:
        answer = self._http.post("/graphql", json={"query": document, "variables": variables})
        body: Document = answer.raise_for_status().json()
        if body.get("errors"):
            raise RuntimeError(f"the server was asked wrongly: {body['errors']}")
        return body["data"]["project"]


def _parsed(text: str | None) -> Json:
    return plain(json.loads(text or "null"))


def _version(node: Document) -> Json:
    return {
        **node,
        "metadata": _parsed(node["metadata"]),
        "tags": sorted(tag["name"] for tag in node["tags"]),
        "aliases": sorted(alias["alias"] for alias in node["aliases"]),
    }


def _of_collection(name: str, connection: Document) -> list[Json]:
    return [
        [edge["node"]["versionIndex"], edge.get("usedAs")]
        for edge in connection["edges"]
        if edge["node"]["artifactSequence"]["name"] == name
    ]
