"""The files of an artifact are fetched whole, checked, each different one once, and from storage without the key."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.contract.artifacts.conftest import FILES
from tests.contract.artifacts.refusing import STORAGE, RefusingTransport
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken

from runql import (
    AnswerError,
    ArtifactDamagedError,
    DigestMismatchError,
    EntryNotFoundError,
    ServerFailureError,
)
from runql.resources.artifacts.manifest import ManifestEntry
from runql_server.running import RunningServer
from runql_server.seed_artifacts import SeedArtifact


def operations(server: RunningServer) -> list[str]:
    return [request.operation or request.method for request in server.requests]


def left_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def artifact(api: Untyped, face: Face, home: str, server: RunningServer) -> Untyped:
    found = taken(face, api.artifact(f"{home}/rows:v1"))
    server.clear()
    return found


def reached(face: Face, server: RunningServer, name: str, transport: RefusingTransport) -> Untyped:
    """The artifact, through a transport that refuses some of what follows."""
    return taken(face, face.api(server.url, server.api_key, transport=transport).artifact(name))


def test_all_files_are_saved(artifact: Untyped, face: Face, server: RunningServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        seen.append((done, total))

    root = taken(face, artifact.download(tmp_path, progress=note))
    assert root == tmp_path
    assert left_in(tmp_path) == FILES
    # One for the manifest's address, one for the manifest, one for all addresses, one for each of three contents.
    assert operations(server) == ["GetArtifactManifest", "GET", "ListArtifactFiles", "GET", "GET", "GET"]
    size = sum(len(content) for content in {*FILES.values()})
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_what_is_here_costs_no_request(
    artifact: Untyped, face: Face, server: RunningServer, tmp_path: Path
) -> None:
    taken(face, artifact.download(tmp_path))
    server.clear()
    (tmp_path / "mine.txt").write_text("stays")
    taken(face, artifact.download(tmp_path))
    assert server.requests == []
    (tmp_path / "train.csv").write_bytes(b"A,B\n1,2\n")
    (tmp_path / "deep/er/x.bin").unlink()
    taken(face, artifact.download(tmp_path))
    assert operations(server) == ["ListArtifactFiles", "GET"], "an equal file is here, and is copied"
    assert left_in(tmp_path) == {**FILES, "mine.txt": b"stays"}


def test_files_below_a_folder_of_it(
    artifact: Untyped, face: Face, server: RunningServer, tmp_path: Path
) -> None:
    taken(face, artifact.download(tmp_path, path_prefix="deep/"))
    assert set(left_in(tmp_path)) == {"deep/er/x.bin"}
    assert operations(server) == ["GetArtifactManifest", "GET", "ListArtifactFiles", "GET"]
    taken(face, artifact.download(tmp_path / "none", path_prefix="nothing"))
    assert list((tmp_path / "none").iterdir()) == []


@pytest.mark.posix
def test_where_it_is_saved_by_default(
    artifact: Untyped, face: Face, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert taken(face, artifact.download()) == Path("artifacts/rows:v1")
    assert left_in(tmp_path / "artifacts/rows:v1") == FILES
    monkeypatch.setenv("WANDB_ARTIFACT_DIR", str(tmp_path / "elsewhere"))
    assert taken(face, artifact.download()) == tmp_path / "elsewhere/rows:v1"


@pytest.mark.posix
def test_one_entry(artifact: Untyped, face: Face, server: RunningServer, tmp_path: Path) -> None:
    entry = taken(face, artifact.get_entry("deep/er/x.bin"))
    assert (entry.path, entry.size, entry.ref, entry.is_reference) == ("deep/er/x.bin", 102_400, None, False)
    assert (len(entry.digest), entry.extra) == (24, {})
    assert repr(entry) == f"<ArtifactEntry {artifact.qualified_name} deep/er/x.bin>"
    server.clear()
    assert taken(face, entry.download(tmp_path)) == tmp_path / "deep/er/x.bin"
    assert left_in(tmp_path) == {"deep/er/x.bin": FILES["deep/er/x.bin"]}
    assert operations(server) == ["ListArtifactFiles", "GET"]
    assert taken(face, entry.download()) == Path("artifacts/rows:v1/deep/er/x.bin")
    with pytest.raises(EntryNotFoundError, match="has no entry 'nothing'"):
        taken(face, artifact.get_entry("nothing"))
    with pytest.raises(KeyError):
        taken(face, artifact.get_entry("nothing"))


def test_the_manifest_is_read_once(artifact: Untyped, face: Face, server: RunningServer) -> None:
    manifest = taken(face, artifact.manifest)
    entries = taken(face, artifact.entries)
    assert list(entries) == sorted(FILES)
    assert manifest.entries is entries
    assert (manifest.size, manifest.storage_layout) == (artifact.size, "V2")
    assert isinstance(entries["empty"], ManifestEntry)
    assert operations(server) == ["GetArtifactManifest", "GET"]


def test_its_files_as_the_server_lists_them(
    artifact: Untyped, face: Face, server: RunningServer, tmp_path: Path
) -> None:
    files = artifact.files(per_page=3)
    assert server.requests == []
    assert [(file.name, file.size) for file in listed(face, files)] == [
        (name, len(FILES[name])) for name in sorted(FILES)
    ]
    assert operations(server) == ["ListArtifactFiles"] * 2
    assert taken(face, files.length) == 4
    assert repr(files) == f"<ArtifactFiles {artifact.qualified_name}>"
    (file,) = listed(face, artifact.files(["deep/er/x.bin"]))
    assert (file.mimetype, len(file.md5)) == ("application/octet-stream", 24)
    assert repr(file) == "<ArtifactFile deep/er/x.bin (application/octet-stream) 100.0KiB>"
    assert taken(face, file.download(tmp_path)) == tmp_path / "deep/er/x.bin"
    with pytest.raises(ValueError, match="exists already"):
        taken(face, file.download(tmp_path))
    (tmp_path / "deep/er/x.bin").write_text("mine")
    taken(face, file.download(tmp_path, exist_ok=True))
    assert left_in(tmp_path) == {"deep/er/x.bin": b"mine"}
    taken(face, file.download(tmp_path, replace=True))
    assert left_in(tmp_path) == {"deep/er/x.bin": FILES["deep/er/x.bin"]}
    with pytest.raises(TypeError, match="list of str"):
        artifact.files("empty")
    with pytest.raises(ValueError, match="per_page"):
        artifact.files(per_page=0)


def test_a_folder_is_checked(artifact: Untyped, face: Face, server: RunningServer, tmp_path: Path) -> None:
    taken(face, artifact.download(tmp_path))
    server.clear()
    assert taken(face, artifact.verify(tmp_path)) == []
    assert server.requests == []
    (tmp_path / "train.csv").write_bytes(b"A,B\n1,2\n")
    (tmp_path / "empty").unlink()
    (tmp_path / "deep/mine.txt").write_text("?")
    with pytest.raises(ArtifactDamagedError, match=r"rows:v1") as error:
        taken(face, artifact.verify(tmp_path))
    assert error.value.missing == ("empty",)
    assert error.value.changed == ("train.csv",)
    assert error.value.unexpected == ("deep/mine.txt",)
    with pytest.raises(ValueError, match=r"missing: copy\.csv, deep/er/x\.bin, empty, train\.csv"):
        taken(face, artifact.verify(tmp_path / "nowhere"))


def test_many_files_are_one_list_and_one_request_each(
    api: Untyped, face: Face, home: str, server: RunningServer, project: str, tmp_path: Path
) -> None:
    files = {f"{number % 7}/{number}.txt": str(number).encode() for number in range(150)}
    server.seed_artifacts(project, [SeedArtifact(name="many", files=files)])
    artifact = taken(face, api.artifact(f"{home}/many:v0"))
    server.clear()
    taken(face, artifact.download(tmp_path, max_concurrency=16))
    assert left_in(tmp_path) == files
    assert len(server.requests) == 3 + len(files)
    with pytest.raises(ValueError, match="max_concurrency"):
        taken(face, artifact.download(tmp_path, max_concurrency=0))


@pytest.mark.parametrize(("name", "layout"), [("rows:v1", "/artifactsV2/"), ("net:v0", "/artifacts/")])
@pytest.mark.parametrize("status", [403, 404, 400])
def test_an_address_that_expired_is_replaced_by_way_of_the_api(
    name: str, layout: str, status: int, face: Face, home: str, server: RunningServer, tmp_path: Path
) -> None:
    refused: set[str] = set()

    def expired(request: httpx.Request) -> httpx.Response | None:
        path = request.url.path
        digest = path.rpartition("/")[2]
        if not path.startswith(STORAGE) or "manifests" in path or digest in refused:
            return None
        refused.add(digest)
        return httpx.Response(status)

    transport = RefusingTransport(expired)
    artifact = reached(face, server, f"{home}/{name}", transport)
    server.clear()
    taken(face, artifact.download(tmp_path))
    assert left_in(tmp_path) == (FILES if name == "rows:v1" else {"weights": b"w"})
    through_api = [path for path in transport.asked if path.startswith(layout)]
    assert len(through_api) == len(refused)
    assert set(through_api) <= set(transport.with_key)
    assert operations(server).count("GetServerInfo") == 1


def test_a_file_that_storage_does_not_give_is_told(
    face: Face, home: str, server: RunningServer, tmp_path: Path
) -> None:
    transport = RefusingTransport(
        lambda request: (
            httpx.Response(403)
            if STORAGE in request.url.path and "manifests" not in request.url.path
            else None
        )
    )
    artifact = reached(face, server, f"{home}/rows:v1", transport)
    with pytest.raises(AnswerError):
        taken(face, artifact.download(tmp_path))
    assert left_in(tmp_path) == {}


def test_a_storage_that_fails_is_no_reason_to_ask_the_api(
    face: Face, home: str, server: RunningServer, tmp_path: Path
) -> None:
    transport = RefusingTransport(
        lambda request: (
            httpx.Response(501)
            if STORAGE in request.url.path and "manifests" not in request.url.path
            else None
        )
    )
    artifact = reached(face, server, f"{home}/rows:v1", transport)
    server.clear()
    with pytest.raises(ServerFailureError):
        taken(face, artifact.download(tmp_path))
    assert "GetServerInfo" not in operations(server)


def test_damaged_bytes_are_not_kept(face: Face, home: str, server: RunningServer, tmp_path: Path) -> None:
    def damaged(request: httpx.Request) -> httpx.Response | None:
        stored = STORAGE in request.url.path and "manifests" not in request.url.path
        return httpx.Response(200, content=b"?" * 8) if stored else None

    (tmp_path / "train.csv").write_text("old")
    artifact = reached(face, server, f"{home}/rows:v1", RefusingTransport(damaged))
    with pytest.raises(DigestMismatchError):
        taken(face, artifact.download(tmp_path))
    assert left_in(tmp_path) == {"train.csv": b"old"}
