"""The write protocol of artifacts, step by step, for tests of the server."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
from tests.server.seeded_artifacts import md5

from runql_server.artifacts.contents.manifest_format import Manifest, ManifestEntry

Files = dict[str, bytes]

CREATE = """mutation($input: CreateArtifactInput!) { createArtifact(input: $input) {
artifact { id state versionIndex artifactSequence { id latestArtifact { id versionIndex } } } } }"""
MANIFEST = """mutation($id: ID!, $base: ID, $digest: String!, $type: ArtifactManifestType) { createArtifactManifest(input: {
name: "wandb_manifest.json", artifactID: $id, baseArtifactID: $base, digest: $digest, type: $type, entityName: "local",
projectName: "p", runName: "r"}) { artifactManifest { id type file { uploadUrl uploadHeaders } } } }"""
FILES = """mutation($files: [CreateArtifactFileSpecInput!]!) { createArtifactFiles(input: {artifactFiles: $files, storageLayout: V2}) {
files { edges { node { name uploadUrl uploadHeaders storagePath uploadMultipartUrls { uploadID } artifact { id } } } } } }"""
COMMIT = """mutation($id: ID!) { commitArtifact(input: {artifactID: $id}) {
artifact { id state versionIndex digest size storageBytes fileCount aliases { alias } tags { name } } } }"""


def manifest_of(files: Files, births: dict[str, str] | None = None) -> Manifest:
    """Make the manifest of these files."""
    known = births or {}
    return Manifest(
        contents={
            path: ManifestEntry(digest=md5(content), size=len(content), birth_artifact_id=known.get(path))
            for path, content in files.items()
        }
    )


class Writer:
    """Sends the mutations as the official SDK does."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(self, text: str, /, **variables: object) -> dict[str, Any]:
        """Send one operation, and return the response body."""
        body: dict[str, Any] = self.http.post("/graphql", json={"query": text, "variables": variables}).json()
        return body

    def ask(self, text: str, /, **variables: object) -> dict[str, Any]:
        """Send an operation that must succeed, and return the payload of the first root field."""
        body = self.send(text, **variables)
        assert "errors" not in body, body
        payload: dict[str, Any] = next(iter(body["data"].values()))
        return payload

    def refusal(self, text: str, /, **variables: object) -> str:
        """Send an operation that must fail, and return the error message."""
        message: str = self.send(text, **variables)["errors"][0]["message"]
        return message

    def wanted(self, files: Files, **more: object) -> dict[str, object]:
        """Make the CreateArtifactInput for these files."""
        return {
            "entityName": "local",
            "projectName": "p",
            "artifactTypeName": "dataset",
            "artifactCollectionNames": ["a"],
            "digest": manifest_of(files).digest(),
            "digestAlgorithm": "MANIFEST_MD5",
            "enableDigestDeduplication": True,
            **more,
        }

    def open(self, files: Files, **more: object) -> dict[str, Any]:
        """Create a version."""
        made: dict[str, Any] = self.ask(CREATE, input=self.wanted(files, **more))["artifact"]
        return made

    def announce(self, artifact: str, files: Files) -> list[dict[str, Any]]:
        """Announce files, and return the nodes in the same order."""
        specs = [
            {"artifactID": artifact, "name": path, "md5": md5(content)} for path, content in files.items()
        ]
        return [edge["node"] for edge in self.ask(FILES, files=specs)["files"]["edges"]]

    def put(self, url: str, content: bytes) -> httpx.Response:
        """PUT to a signed URL, without the API key."""
        return httpx.put(url, content=content, trust_env=False)

    def upload(self, artifact: str, files: Files) -> dict[str, str]:
        """Announce files, upload the missing bytes, and return the birth artifact of each."""
        nodes = self.announce(artifact, files)
        for node, content in zip(nodes, files.values(), strict=True):
            if node["uploadUrl"] is not None:
                assert self.put(node["uploadUrl"], content).status_code == 200
        return {node["name"]: node["artifact"]["id"] for node in nodes}

    def upload_manifest(
        self, artifact: str, content: bytes, *, kind: str = "FULL", base: str | None = None
    ) -> httpx.Response:
        """Announce and upload a manifest."""
        made = self.ask(MANIFEST, id=artifact, base=base, digest=md5(content), type=kind)["artifactManifest"]
        return self.put(made["file"]["uploadUrl"], content)

    def commit(self, artifact: str) -> dict[str, Any]:
        """Commit a version."""
        committed: dict[str, Any] = self.ask(COMMIT, id=artifact)["artifact"]
        return committed

    def log(self, files: Files, **more: object) -> dict[str, Any]:
        """Log files in all steps, and return the committed version."""
        made = self.open(files, **more)
        if made["state"] == "COMMITTED":
            return made
        births = self.upload(made["id"], files)
        assert self.upload_manifest(made["id"], manifest_of(files, births).to_json()).status_code == 200
        return self.commit(made["id"])


def digest_of(text: str) -> str:
    """Return the digest of a manifest with exactly these lines."""
    return hashlib.md5(f"wandb-artifact-manifest-v1\n{text}".encode()).hexdigest()


def manifest_text(**fields: object) -> bytes:
    """Make a manifest with some other fields."""
    whole: dict[str, object] = {
        "version": 1,
        "storagePolicy": "wandb-storage-policy-v1",
        "storagePolicyConfig": {"storageLayout": "V2"},
        "contents": {},
        **fields,
    }
    return json.dumps(whole).encode()
