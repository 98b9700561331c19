"""Manifests: what is read of them, and where each layout keeps an entry."""

from __future__ import annotations

import json

import pytest

from runql.errors import ManifestError
from runql.paths import ArtifactAddress
from runql.resources.artifacts.manifest import (
    URLS_WITH_ARTIFACT_ID,
    URLS_WITH_COLLECTION,
    Manifest,
    ManifestEntry,
    api_path,
    parse_manifest,
)
from runql.values import JSONValue

PLACE = ArtifactAddress("te am", "pro/ject", "col", "v3")
DIGEST = "XrY7u+Ae7tCTyyK7j1rNww=="
HEX = "5eb63bbbe01eeed093cb22bb8f5acdc3"


def written(**changes: JSONValue) -> bytes:
    whole: dict[str, JSONValue] = {
        "version": 1,
        "storagePolicy": "wandb-storage-policy-v1",
        "storagePolicyConfig": {"storageLayout": "V2", "storageRegion": "eu"},
        "contents": {
            "b.txt": {"digest": DIGEST, "birthArtifactID": "QXJ0", "size": 11},
            "a/ref": {
                "digest": "etag",
                "ref": "s3://bucket/key",
                "extra": {"etag": '"etag"', "n": [1, None]},
            },
        },
    }
    return json.dumps({**whole, **changes}).encode()


def test_entries_are_sorted_by_path() -> None:
    manifest = parse_manifest(written(), "e/p/a:v0")
    assert list(manifest.entries) == ["a/ref", "b.txt"]
    held, referred = manifest.entries["b.txt"], manifest.entries["a/ref"]
    assert held == ManifestEntry("b.txt", DIGEST, 11, None, "QXJ0")
    assert (held.is_reference, held.digest_algorithm) == (False, "MD5")
    assert (referred.is_reference, referred.ref, referred.size) == (True, "s3://bucket/key", None)
    assert referred.extra == {"etag": '"etag"', "n": [1, None]}
    assert (manifest.storage_layout, manifest.storage_region, manifest.size) == ("V2", "eu", 11)


def test_without_a_layout_it_is_the_first_one() -> None:
    manifest = parse_manifest(written(storagePolicyConfig={}), "a")
    assert (manifest.storage_layout, manifest.storage_region) == ("V1", None)


def test_entries_cannot_be_changed() -> None:
    entries = parse_manifest(written(), "a").entries
    with pytest.raises(TypeError):
        entries["new"] = entries["b.txt"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue] — that is what is tested


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (written(version=2), "version 2, runql reads version 1: upgrade"),
        (b"<html>", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{}", "version: Field required"),
        (written(contents=[]), "contents"),
        (written(contents={"a": {"size": 1}}), "contents.a.digest: Field required"),
        (written(contents={"a": {"digest": "d", "size": -1}}), "contents.a.size"),
        (written(storagePolicyConfig={"storageLayout": "V9"}), "storageLayout"),
    ],
)
def test_another_form_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(ManifestError, match="artifact e/p/a:v0") as error:
        parse_manifest(content, "e/p/a:v0")
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("layout", "features", "address"),
    [
        ("V1", set[str](), f"artifacts/te%20am/{HEX}"),
        ("V1", {URLS_WITH_ARTIFACT_ID}, f"artifacts/te%20am/{HEX}"),
        ("V2", set[str](), f"artifactsV2/default/te%20am/QXJ0/{HEX}"),
        ("V2", {URLS_WITH_COLLECTION}, f"artifactsV2/default/te%20am/pro/ject/col/QXJ0/{HEX}/b%23.txt"),
        (
            "V2",
            {URLS_WITH_COLLECTION, URLS_WITH_ARTIFACT_ID},
            f"artifactsV2/default/te%20am/pro/ject/col/ID%3D/QXJ0/{HEX}/b%23.txt",
        ),
    ],
)
def test_where_an_entry_is_kept(layout: str, features: set[str], address: str) -> None:
    entry = ManifestEntry("d/b#.txt", DIGEST, birth_artifact_id="QXJ0")
    manifest = Manifest({}, "V1" if layout == "V1" else "V2")
    assert api_path(manifest, entry, PLACE, "ID=", frozenset(features)) == address


def test_a_region_and_a_missing_birth_are_written_as_they_are() -> None:
    manifest = Manifest({}, "V2", "eu")
    assert api_path(manifest, ManifestEntry("b", DIGEST), PLACE, "I", frozenset()) == (
        f"artifactsV2/eu/te%20am//{HEX}"
    )
    assert api_path(manifest, ManifestEntry("b", "no base64"), PLACE, "I", frozenset()) is None
