"""What a server holds, read by plain GraphQL: neither library has a part in it."""

from __future__ import annotations

import json

import httpx
from tests.conformance.answers import Json, plain
from tests.conformance.calls.call import State

WITH_ARTIFACTS = "with_artifacts"
"""The run that artifacts are tied to."""
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
    """A server, asked by plain requests."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = f"{url}/graphql"
        self._auth = ("api", api_key)

    def line_count(self, project: str, run: str) -> int:
        """Rows of a run, 0 as long as there is no such run."""
        found = self._run(LINE_COUNT, project, run)
        return int(found["historyLineCount"] or 0) if found else 0

    def state(self, what: State, call: str) -> Json:
        """What the call of this name may have changed, None when it is gone."""
        if what == "files":
            found = self._run(FILES, "changes", call)
            nodes = [edge["node"] for edge in found["files"]["edges"]] if found else []
            # The metadata of each run tells when it was made.
            return [
                [node["name"], *([] if node["name"] == "wandb-metadata.json" else [node["sizeBytes"], node["md5"]])]
                for node in nodes
                if node.pop("updatedAt")
            ]
        if what == "artifact":
            return self._artifact(call)
        found = self._run(RUN, "changes", call)
        if found is None:
            return None
        if what == "created":
            # The server gives a name of its own making.
            del found["displayName"]
        config = json.loads(found.pop("config") or "{}")
        summary = json.loads(found.pop("summaryMetrics") or "{}")
        return {
            **found,
            "config": {key: plain(entry["value"]) for key, entry in config.items()},
            "summary": plain(summary),
        }

    def _artifact(self, collection: str) -> Json:
        """The versions of a collection, and which of them the run `with_artifacts` used and made."""
        found = self._project(ARTIFACT, project="changes", run=WITH_ARTIFACTS, collection=collection)
        versions = found["artifactCollection"]["artifacts"]["edges"] if found["artifactCollection"] else []
        lineage = {
            direction: [
                [edge["node"]["versionIndex"], edge.get("usedAs")]
                for edge in found["run"][direction]["edges"]
                if edge["node"]["artifactSequence"]["name"] == collection
            ]
            for direction in ("inputArtifacts", "outputArtifacts")
        }
        return lineage | {
            edge["version"]: {
                **edge["node"],
                "metadata": plain(json.loads(edge["node"]["metadata"] or "null")),
                "tags": sorted(tag["name"] for tag in edge["node"]["tags"]),
                "aliases": sorted(alias["alias"] for alias in edge["node"]["aliases"]),
            }
            for edge in versions
        }

    def _run(self, document: str, project: str, run: str) -> Json:
        found = self._project(document, project=project, run=run)
        return found and found["run"]

    def _project(self, document: str, **variables: str) -> Json:
        answer = httpx.post(
            self._url, json={"query": document, "variables": variables}, auth=self._auth, timeout=30
        )
        told = answer.raise_for_status().json()
        if told.get("errors"):
            raise RuntimeError(f"the server was asked wrongly: {told['errors']}")
        return told["data"]["project"]
