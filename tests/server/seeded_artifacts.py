"""Seeded artifacts for the server's tests, and queries for them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact, SeedReference

Query = Callable[..., dict[str, Any]]

DIGITS = {"train.csv": b"1,2,3\n" * 50, "deep/er/test.csv": b"4,5\n", "naïve ✓.txt": b"\x00\xff"}

VERSION = """id state digest digestAlgorithm size storageBytes fileCount description metadata labels versionIndex commitHash
ttlDurationSeconds ttlIsInherited historyStep tags { name tagCategoryName attributes } aliases { alias artifactCollectionName }
artifactType { name } artifactSequence { __typename name project { entityName name internalId } latestArtifact { versionIndex } }
currentManifest { type digest file { directUrl sizeBytes md5 } }"""


def md5(content: bytes) -> str:
    """Return the MD5 in the form of manifests."""
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def hex_of(content: bytes) -> str:
    """Return the MD5 in the form of URLs."""
    return hashlib.md5(content).hexdigest()


def fill(server: RunningServer) -> None:
    """Seed two runs, three versions of a dataset, a model in the older layout, and a pending version."""
    server.seed("p", [SeedRun(name="train"), SeedRun(name="evaluate"), SeedRun(name="idle")])
    names = server.seed_artifacts(
        "p",
        [
            SeedArtifact(name="digits", files={"train.csv": DIGITS["train.csv"]}, aliases=("first",)),
            SeedArtifact(
                name="digits",
                files=DIGITS,
                references={
                    "far.bin": SeedReference(uri="s3://bucket/far.bin", digest="etag-1", size=700),
                    "unknown": SeedReference(uri="https://example.org/x"),
                },
                aliases=("best", "prod"),
                tags=("clean", "year 2024"),
                description="all of it",
                metadata={"rows": 1797, "nested": {"a": [1, None]}},
                ttl_seconds=3600,
                logged_by="train",
                used_by=("evaluate", "train"),
            ),
            SeedArtifact(name="digits", files={"train.csv": b"shorter"}),
            SeedArtifact(
                name="weights",
                type="model",
                files={"w.json": b"[1]"},
                logged_by="train",
                used_by=("evaluate",),
                storage_layout="V1",
            ),
            SeedArtifact(
                name="weights", type="model", files={"w.json": b"[2]"}, logged_by="train", state="PENDING"
            ),
        ],
    )
    assert names == ["digits:v0", "digits:v1", "digits:v2", "weights:v0", "weights:v1"]


def project(query: Query, fields: str, **variables: object) -> dict[str, Any]:
    """Query fields of the project."""
    declared = "".join(
        f"${name}: {'Int' if isinstance(value, int) else 'String'} " for name, value in variables.items()
    )
    head = f"query({declared})" if declared else "query"
    body = query(f'{head} {{ project(name: "p") {{ {fields} }} }}', **variables)
    assert "errors" not in body, body
    found: dict[str, Any] = body["data"]["project"]
    return found
