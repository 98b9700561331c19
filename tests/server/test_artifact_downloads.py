"""Manifests and files of artifacts: lists, every form of their URLs, and downloads."""

from __future__ import annotations

import hashlib
import time

import httpx
import pytest
from tests.server.seeded_artifacts import DIGITS, VERSION, Query, fill, hex_of, md5, project

from runql_server.running import RunningServer


@pytest.fixture
def seeded(server: RunningServer) -> RunningServer:
    """A server with the versions of the shared world."""
    fill(server)
    return server


def test_the_manifest_lists_every_entry_and_has_the_digest_of_the_version(
    seeded: RunningServer, query: Query
) -> None:
    version = project(query, f'artifact(name: "digits:v1") {{ {VERSION} }}')["artifact"]
    answer = httpx.get(version["currentManifest"]["file"]["directUrl"], trust_env=False)
    assert md5(answer.content) == version["currentManifest"]["file"]["md5"]
    manifest = answer.json()
    assert (manifest["version"], manifest["storagePolicy"]) == (1, "wandb-storage-policy-v1")
    assert manifest["storagePolicyConfig"] == {"storageLayout": "V2"}
    contents = manifest["contents"]
    first = project(query, 'artifact(name: "digits:v0") { id }')["artifact"]["id"]
    assert contents["train.csv"] == {
        "digest": md5(DIGITS["train.csv"]),
        "size": 300,
        "birthArtifactID": first,
    }
    assert contents["naïve ✓.txt"]["birthArtifactID"] == version["id"]
    assert contents["far.bin"] == {"digest": "etag-1", "ref": "s3://bucket/far.bin", "size": 700}
    assert contents["unknown"] == {"digest": "https://example.org/x", "ref": "https://example.org/x"}
    lines = "".join(f"{path}:{contents[path]['digest']}\n" for path in sorted(contents))
    assert version["digest"] == hashlib.md5(f"wandb-artifact-manifest-v1\n{lines}".encode()).hexdigest()


FILES = """files(names: $names, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
edges { cursor node { id name displayName sizeBytes md5 digest mimetype updatedAt storagePath url directUrl artifact { versionIndex } } } }"""
BY_NAME = f"""query($names: [String!], $first: Int, $after: String) {{ project(name: "p") {{ artifact(name: "digits:v1") {{ {FILES} }}
artifactCollection(name: "digits") {{ artifactMembership(aliasName: "v1") {{ {FILES} }} }} }} }}"""


def test_files_are_paged_by_path_and_downloaded_by_signed_address(
    seeded: RunningServer, query: Query
) -> None:
    names: list[str] = []
    after, more = None, True
    while more:
        found = query(BY_NAME, first=2, after=after)["data"]["project"]
        page = found["artifact"]["files"]
        assert page == found["artifactCollection"]["artifactMembership"]["files"]
        assert page["totalCount"] == 5
        names += [edge["node"]["name"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert names == sorted([*DIGITS, "far.bin", "unknown"])

    asked = query(BY_NAME, names=["train.csv", "far.bin", "nope"])["data"]["project"]["artifact"]["files"]
    far, train = (edge["node"] for edge in asked["edges"])
    assert asked["totalCount"] == 2
    assert (far["directUrl"], far["url"], far["md5"], far["digest"]) == (
        "s3://bucket/far.bin",
        "s3://bucket/far.bin",
        None,
        "etag-1",
    )
    assert (train["sizeBytes"], train["md5"], train["artifact"]) == (
        300,
        md5(DIGITS["train.csv"]),
        {"versionIndex": 0},
    )
    for name, content in DIGITS.items():
        node = query(BY_NAME, names=[name])["data"]["project"]["artifact"]["files"]["edges"][0]["node"]
        answer = httpx.get(node["directUrl"], trust_env=False)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (
            200,
            content,
            f'"{md5(content)}"',
        )


def test_files_by_the_entries_of_the_manifest(seeded: RunningServer, query: Query) -> None:
    text = """query($entries: [ArtifactManifestEntryInput!]) { project(name: "p") { artifact(name: "digits:v1") {
        filesByManifestEntries(entries: $entries, storageLayout: "V2", manifestVersion: "1") {
            edges { node { name directUrl } } } } } }"""
    asked = [
        {"name": "train.csv", "digest": md5(DIGITS["train.csv"])},
        {"name": "deep/er/test.csv", "digest": "AAAAAAAAAAAAAAAAAAAAAA=="},
    ]
    found = query(text, entries=asked)["data"]["project"]["artifact"]["filesByManifestEntries"]["edges"]
    assert [edge["node"]["name"] for edge in found] == ["train.csv"]
    assert httpx.get(found[0]["node"]["directUrl"], trust_env=False).content == DIGITS["train.csv"]


def test_ranges_of_a_download(seeded: RunningServer, query: Query) -> None:
    node = query(BY_NAME, names=["train.csv"])["data"]["project"]["artifact"]["files"]["edges"][0]["node"]
    whole, etag = DIGITS["train.csv"], f'"{md5(DIGITS["train.csv"])}"'

    def get(**headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(node["directUrl"], headers=named, trust_env=False)

    part = get(Range="bytes=100-")
    assert (part.status_code, part.content, part.headers["etag"]) == (206, whole[100:], etag)
    assert part.headers["content-range"] == "bytes 100-299/300"
    assert get(Range="bytes=10-19").content == whole[10:20]
    assert get(Range="bytes=300-").status_code == 416
    assert get(Range="bytes=100-", If_Range=etag).status_code == 206
    assert get(Range="bytes=100-", If_Range='"other"').status_code == 200


def test_every_form_of_the_download_url_needs_the_key_and_redirects(
    seeded: RunningServer, query: Query, http: httpx.Client
) -> None:
    content = DIGITS["train.csv"]
    first = project(query, 'artifact(name: "digits:v0") { id }')["artifact"]["id"]
    second = project(query, 'artifact(name: "digits:v1") { id }')["artifact"]["id"]
    model = b"[1]"
    forms = {
        f"/artifacts/local/{hex_of(content)}": content,
        f"/artifacts/local/{hex_of(model)}": model,
        f"/artifactsV2/default/local/{first}/{hex_of(content)}": content,
        f"/artifactsV2/default/local//{hex_of(content)}": content,
        f"/artifactsV2/default/local/p/digits/{first}/{hex_of(content)}/train.csv": content,
        f"/artifactsV2/default/local/p/digits//{hex_of(content)}/train.csv": content,
        f"/artifactsV2/default/local/p/digits/{second}/{first}/{hex_of(content)}/train.csv": content,
    }
    for form, expected in forms.items():
        assert httpx.get(seeded.url + form, trust_env=False).status_code == 401, form
        answer = http.get(form)
        assert answer.status_code == 307, form
        assert answer.headers["location"].startswith(f"{seeded.url}/artifact-storage/")
        assert httpx.get(answer.headers["location"], trust_env=False).content == expected
    for absent in (
        f"/artifacts/nobody/{hex_of(content)}",
        f"/artifacts/local/{'0' * 32}",
        "/artifacts/local/not-hex",
        "/artifacts/local/..%2f..%2frunql.sqlite3",
        f"/artifactsV2/default/local/p/weights//{hex_of(content)}/train.csv",
        f"/artifactsV2/default/local/p/digits/{first}/{second}/{hex_of(content)}/train.csv",
        f"/artifactsV2/default/local/p/digits/bogus/{first}/{hex_of(content)}/train.csv",
        "/artifactsV2/a/b",
    ):
        assert http.get(absent).status_code == 404, absent


def test_the_url_of_a_file_is_the_form_of_its_layout(
    seeded: RunningServer, query: Query, http: httpx.Client
) -> None:
    train = query(BY_NAME, names=["deep/er/test.csv"])["data"]["project"]["artifact"]["files"]["edges"][0][
        "node"
    ]
    assert train["url"].startswith(f"{seeded.url}/artifactsV2/default/local/p/digits/")
    assert train["url"].endswith("/test.csv")
    assert http.get(train["url"], follow_redirects=True).content == DIGITS["deep/er/test.csv"]
    files = project(
        query,
        'artifact(name: "weights:v0") { files { edges { node { url } } } currentManifest { file { directUrl } } }',
    )
    url = files["artifact"]["files"]["edges"][0]["node"]["url"]
    assert url == f"{seeded.url}/artifacts/local/{hex_of(b'[1]')}"
    assert http.get(url, follow_redirects=True).content == b"[1]"
    manifest = httpx.get(files["artifact"]["currentManifest"]["file"]["directUrl"], trust_env=False).json()
    assert manifest["storagePolicyConfig"] == {"storageLayout": "V1"}
    assert "birthArtifactID" not in manifest["contents"]["w.json"]


def test_a_changed_or_expired_signature_is_refused(
    seeded: RunningServer, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = query(BY_NAME, names=["train.csv"])["data"]["project"]["artifact"]["files"]["edges"][0]["node"]
    version = project(query, f'artifact(name: "digits:v1") {{ {VERSION} }}')["artifact"]
    for url in (node["directUrl"], version["currentManifest"]["file"]["directUrl"]):
        other = f"{'0' if url[-1] != '0' else '1'}"
        assert httpx.get(url[:-1] + other, trust_env=False).status_code == 403
        assert httpx.get(url.partition("?")[0], trust_env=False).status_code == 403
        assert httpx.put(url, content=b"x", trust_env=False).status_code == 403
        with monkeypatch.context() as later:
            late = time.time() + 48 * 3600
            later.setattr(time, "time", lambda now=late: now)
            answer = httpx.get(url, trust_env=False)
        assert (answer.status_code, "expired" in answer.text) == (403, True)


def test_bytes_that_several_versions_share_are_stored_once(seeded: RunningServer) -> None:
    store = seeded.store
    with store.connection() as connection:
        kept = connection.execute("SELECT digest FROM artifact_blobs").fetchall()
    distinct = {*DIGITS.values(), b"shorter", b"[1]"}
    assert sorted(row["digest"] for row in kept) == sorted(md5(content) for content in distinct)
    on_disk = [path for path in store.blobs.glob("*/*") if path.is_file()]
    assert len(on_disk) == len(distinct) + 4  # and the manifest of each committed version
