"""References are followed to files, web servers, other artifacts and file systems, and checked where that is possible."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.contract.both_clients import Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, taken

from runql import DigestMismatchError, EntryNotFoundError, MissingExtraError, ReferenceUnavailableError
from runql.resources.artifacts.download.references import local_paths
from runql_server.running import RunningServer
from runql_server.seed_artifacts import SeedArtifact, SeedReference

BODY = b"far away"


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


@pytest.fixture
def elsewhere() -> Iterator[ScriptedServer]:
    """Another web server."""
    with ScriptedServer() as running:
        running.give(ScriptedResponse(BODY, headers={"ETag": '"e1"'}))
        yield running


@pytest.fixture
def referring(api: Untyped, face: Face, home: str, server: RunningServer, project: str) -> Untyped:
    """Makes an artifact that refers to addresses."""

    def make(**references: SeedReference) -> Untyped:
        held = {"held.txt": b"held"}
        (name,) = server.seed_artifacts(
            project, [SeedArtifact(name="refs", files=held, references=references)]
        )
        artifact = taken(face, api.artifact(f"{home}/{name}"))
        server.clear()
        return artifact

    return make


def left_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_web_address(referring: Untyped, elsewhere: ScriptedServer, face: Face, tmp_path: Path) -> None:
    artifact = referring(x=SeedReference(uri=f"{elsewhere.url}/x", digest="e1", size=len(BODY)))
    taken(face, artifact.download(tmp_path))
    assert left_in(tmp_path) == {"held.txt": b"held", "x": BODY}
    assert "authorization" not in elsewhere.asked[0].headers
    assert taken(face, artifact.verify(tmp_path)) == ["x"]
    assert taken(face, taken(face, artifact.get_entry("x")).download(tmp_path / "one")).read_bytes() == BODY


def test_a_web_address_that_now_holds_something_else(
    referring: Untyped, elsewhere: ScriptedServer, face: Face, tmp_path: Path
) -> None:
    artifact = referring(x=SeedReference(uri=f"{elsewhere.url}/x", digest="e0"))
    with pytest.raises(DigestMismatchError, match='is now "e1", not e0'):
        taken(face, artifact.download(tmp_path))
    assert "x" not in left_in(tmp_path)


def test_a_web_address_that_was_noted_without_a_mark_is_not_checked(
    referring: Untyped, elsewhere: ScriptedServer, face: Face, tmp_path: Path
) -> None:
    taken(face, referring(x=SeedReference(uri=f"{elsewhere.url}/x")).download(tmp_path))
    assert left_in(tmp_path)["x"] == BODY


@pytest.mark.filterwarnings("ignore:what artifact .* refers to is missing")
def test_what_is_missing_stops_all_unless_it_may_be(referring: Untyped, face: Face, tmp_path: Path) -> None:
    with ScriptedServer() as gone:
        gone.give(ScriptedResponse(b"", 404))
        artifact = referring(
            x=SeedReference(uri=f"{gone.url}/x"), y=SeedReference(uri=(tmp_path / "no").as_uri())
        )
        with pytest.raises(ReferenceUnavailableError, match=r"refs:v0 has references that cannot be fetched"):
            taken(face, artifact.download(tmp_path / "all"))
        with pytest.warns(RuntimeWarning, match="is missing: x, y"):
            taken(face, artifact.download(tmp_path / "some", allow_missing_references=True))
    assert left_in(tmp_path / "some") == {"held.txt": b"held"}


@pytest.mark.parametrize("kind", ["bytes", "address"])
def test_a_file_of_this_machine(kind: str, referring: Untyped, face: Face, tmp_path: Path) -> None:
    source = tmp_path / "größe 1.txt"
    source.write_bytes(BODY)
    noted = BODY if kind == "bytes" else source.as_uri().encode()
    artifact = referring(x=SeedReference(uri=source.as_uri(), digest=md5(noted)))
    taken(face, artifact.download(tmp_path / "to"))
    assert left_in(tmp_path / "to")["x"] == BODY
    source.write_bytes(b"changed")
    (tmp_path / "to/x").unlink()
    if kind == "bytes":
        with pytest.raises(DigestMismatchError, match="has changed since"):
            taken(face, artifact.download(tmp_path / "to"))
        assert "x" not in left_in(tmp_path / "to")


def test_an_entry_of_another_artifact(
    api: Untyped, referring: Untyped, face: Face, home: str, server: RunningServer, tmp_path: Path
) -> None:
    other = taken(face, api.artifact(f"{home}/rows:v1"))
    address = f"wandb-artifact://{base64.b64decode(other.id).hex()}"
    artifact = referring(
        a=SeedReference(uri=f"{address}/train.csv"), b=SeedReference(uri=f"{address}/deep/er/x.bin")
    )
    taken(face, artifact.download(tmp_path))
    assert left_in(tmp_path) == {
        "held.txt": b"held",
        "a": b"a,b\n1,2\n",
        "b": bytes(range(256)) * 400,
    }
    asked = [request.operation or request.method for request in server.requests]
    # Each artifact's manifest in two requests, its addresses in one, and three files.
    assert asked.count("GetArtifactManifest") == asked.count("ListArtifactFiles") == 2
    assert len(asked) == 2 * 3 + 3
    with pytest.raises(EntryNotFoundError, match="nothing"):
        taken(face, referring(a=SeedReference(uri=f"{address}/nothing")).download(tmp_path))


def test_an_artifact_that_refers_to_itself(
    referring: Untyped, api: Untyped, face: Face, home: str, tmp_path: Path
) -> None:
    first = referring(a=SeedReference(uri="wandb-artifact://zz/a"))
    with pytest.raises(Exception, match="names no artifact"):
        taken(face, first.download(tmp_path))


def test_other_addresses_need_fsspec(
    referring: Untyped, face: Face, server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    artifact = referring(x=SeedReference(uri="s3://bucket/x"), y=SeedReference(uri="gs://bucket/y"))
    with pytest.raises(MissingExtraError, match=r"x -> s3://bucket/x; y -> gs://bucket/y") as error:
        taken(face, artifact.download(tmp_path))
    assert "runql[fsspec]" in str(error.value)
    assert [request.operation or request.method for request in server.requests] == [
        "GetArtifactManifest",
        "GET",
    ]
    assert left_in(tmp_path) == {}


def test_other_addresses_are_handed_to_fsspec(referring: Untyped, face: Face, tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://bucket/x.txt", "wb") as file:
        file.write(BODY)
    artifact = referring(x=SeedReference(uri="memory://bucket/x.txt", digest="e1"))
    taken(face, artifact.download(tmp_path))
    assert left_in(tmp_path)["x"] == BODY
    missing = referring(x=SeedReference(uri="memory://bucket/nothing"))
    with pytest.raises(ReferenceUnavailableError, match="memory://bucket/nothing"):
        taken(face, missing.download(tmp_path / "again"))
    unknown = referring(x=SeedReference(uri="no-such-thing://bucket/x"))
    with pytest.raises(ReferenceUnavailableError, match="fsspec does not know"):
        taken(face, unknown.download(tmp_path / "again"))


ODD = ["h#1.txt", "per%20cent.txt", "what?.txt", "a b.txt", "größe.txt", "100%.txt", "%23", "tab\t#?%41"]


@pytest.mark.parametrize("kind", ["as it is", "escaped"])
@pytest.mark.parametrize("name", ODD)
def test_a_file_whose_name_means_something_in_an_address(
    name: str, kind: str, referring: Untyped, face: Face, tmp_path: Path
) -> None:
    source = tmp_path / "from" / name
    source.parent.mkdir()
    source.write_bytes(BODY)
    address = source.as_uri() if kind == "escaped" else f"file://{source}"
    artifact = referring(x=SeedReference(uri=address, digest=md5(BODY)))
    taken(face, artifact.download(tmp_path / "to"))
    assert left_in(tmp_path / "to")["x"] == BODY
    assert taken(face, artifact.verify(tmp_path / "to")) == ["x"]


def test_the_spelling_that_holds_the_noted_bytes_is_taken(
    referring: Untyped, face: Face, tmp_path: Path
) -> None:
    (tmp_path / "a%20b").write_bytes(b"the raw name")
    (tmp_path / "a b").write_bytes(b"the decoded name")
    address = f"file://{tmp_path}/a%20b"
    for number, content in enumerate([b"the raw name", b"the decoded name"]):
        artifact = referring(x=SeedReference(uri=address, digest=md5(content)))
        taken(face, artifact.download(tmp_path / f"{number}"))
        assert left_in(tmp_path / f"{number}")["x"] == content
    with pytest.raises(DigestMismatchError, match="a%20b has changed since"):
        taken(face, referring(x=SeedReference(uri=address, digest=md5(b"?"))).download(tmp_path / "none"))


def test_a_file_that_cannot_be_here_is_unavailable(referring: Untyped, face: Face, tmp_path: Path) -> None:
    for address in (
        f"file:///{'x' * 300}",
        "file://",
        "file:///a%00b",
        "file://host",
        "file:///[",
        "file://[/x",
    ):
        with pytest.raises(ReferenceUnavailableError, match="no such file here"):
            taken(face, referring(x=SeedReference(uri=address, digest="d")).download(tmp_path))


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("/a b", "/a%20b"),
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ("/per%20cent", "/per%20cent"),
        ("/x?version=a b&of=1%2F2", "/x?version=a%20b&of=1%2F2"),
        ("/x#part", "/x"),
        ("/100%", "/100%"),
    ],
)
def test_a_web_address_as_it_was_noted(
    written: str, asked: str, referring: Untyped, elsewhere: ScriptedServer, face: Face, tmp_path: Path
) -> None:
    address = f"{elsewhere.url}{written}"
    taken(face, referring(x=SeedReference(uri=address, digest="e1")).download(tmp_path))
    assert left_in(tmp_path)["x"] == BODY
    assert [each.path for each in elsewhere.asked] == [asked]


@pytest.mark.parametrize(
    "address", ["http://[bad/x", "http://host:99999/x", "http://a..b/x", "http://xn--/x"]
)
def test_a_web_address_that_cannot_be_requested_is_unavailable(
    address: str, referring: Untyped, face: Face, tmp_path: Path
) -> None:
    with pytest.raises(ReferenceUnavailableError, match="cannot be requested"):
        taken(face, referring(x=SeedReference(uri=address)).download(tmp_path))


@pytest.mark.parametrize("kind", ["as it is", "escaped"])
def test_an_entry_of_another_artifact_whose_name_means_something_in_an_address(
    kind: str,
    api: Untyped,
    referring: Untyped,
    face: Face,
    home: str,
    server: RunningServer,
    project: str,
    tmp_path: Path,
) -> None:
    files = {name: name.encode() for name in ODD}
    (seeded,) = server.seed_artifacts(project, [SeedArtifact(name="odd", files=files)])
    other = taken(face, api.artifact(f"{home}/{seeded}"))
    address = f"wandb-artifact://{base64.b64decode(other.id).hex()}"
    written = {name: quote(name) if kind == "escaped" else name for name in ODD}
    references = {
        f"r{number}": SeedReference(uri=f"{address}/{written[name]}") for number, name in enumerate(ODD)
    }
    taken(face, referring(**references).download(tmp_path))
    expected = {f"r{number}": name.encode() for number, name in enumerate(ODD)}
    assert left_in(tmp_path) == {"held.txt": b"held", **expected}


def test_an_error_of_a_stores_library_does_not_leak(
    referring: Untyped, face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")

    def broken(*_: object) -> None:
        raise KeyError("no credentials")

    monkeypatch.setattr(fsspec, "open", broken)
    with pytest.raises(ReferenceUnavailableError, match="no credentials"):
        taken(face, referring(x=SeedReference(uri="memory://bucket/x")).download(tmp_path))


def test_paths_on_windows() -> None:
    assert local_paths("file:///C:/a%20b", windows=True) == [Path("C:/a%20b"), Path("C:/a b")]
    assert local_paths("file:///C:/a", windows=False) == [Path("/C:/a")]
