"""Names that leave the folder, or that this system cannot store: the other files arrive, and what did not is listed."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import httpx
import pytest
from tests.contract.artifacts.refusing import RefusingTransport
from tests.contract.both_clients import AnyRun, Face
from tests.contract.file_responses import BODY, asked, digest, entry, listed
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, taken

from runql import ArtifactDamagedError, LocalFileError, UnsafeNameError
from runql.resources.artifacts.download import entries as artifact_download
from runql.resources.files import listing as file_listing
from runql.resources.files.names import place_files
from runql_server.running import RunningServer
from runql_server.seed_artifacts import SeedArtifact

ORDINARY = ["aux/img.png", "con/val", "a:b", "back\\slash.txt", "aux.py", "NUL", "C:/x", "end.", "what?"]
LEAVING = ["../x", "a/../../x", "/etc/x", "a\0b", "", ".", "x" * 300]


def left_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(face: Face, scripted: ScriptedServer) -> AnyRun:
    return asked(face, scripted)


def give_files(scripted: ScriptedServer, *names: str) -> None:
    """Let the server list files of these names, and give each the same bytes."""
    scripted.give_data(listed(*(entry(name, f"/{number}") for number, name in enumerate(names))))
    scripted.give(ScriptedResponse(BODY))


@pytest.mark.posix
def test_names_that_windows_cannot_store_arrive_elsewhere(
    face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    give_files(scripted, *ORDINARY)
    paths = face.take(run.files().download(tmp_path))
    assert paths == [tmp_path / name for name in ORDINARY]
    assert left_in(tmp_path) == dict.fromkeys(ORDINARY, BODY)
    assert len(scripted.asked) == 1 + len(ORDINARY)


@pytest.mark.parametrize("name", LEAVING)
def test_the_others_arrive_and_the_error_lists_the_rest(
    name: str, face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    give_files(scripted, "good.txt", name, "d/fine.txt")
    with pytest.raises(UnsafeNameError, match=r"The other 2 are saved") as caught:
        face.take(run.files().download(tmp_path / "root"))
    assert [*caught.value.refused] == [name]
    assert caught.value.saved == (tmp_path / "root/good.txt", tmp_path / "root/d/fine.txt")
    assert left_in(tmp_path) == {"root/good.txt": BODY, "root/d/fine.txt": BODY}
    assert len(scripted.asked) == 3
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.refused, again.saved, str(again)) == (
        caught.value.refused,
        caught.value.saved,
        str(caught.value),
    )


def test_what_is_skipped_is_warned_of(
    face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    give_files(scripted, "good.txt", "../bad.txt", "/worse.txt")
    with pytest.warns(RuntimeWarning, match=r"2 file\(s\) are not saved: '\.\./bad\.txt': .*'/worse\.txt': "):
        paths = face.take(run.files().download(tmp_path / "root", on_unsafe="skip"))
    assert paths == [tmp_path / "root/good.txt"]
    assert left_in(tmp_path) == {"root/good.txt": BODY}


def test_another_wish_is_a_bad_argument(face: Face, scripted: ScriptedServer, run: AnyRun) -> None:
    files: Untyped = run.files()
    with pytest.raises(ValueError, match="on_unsafe must be 'raise' or 'skip', not 'ignore'"):
        taken(face, files.download(on_unsafe="ignore"))
    assert scripted.asked == []


def test_windows_refuses_its_own(
    face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_listing, "place_files", partial(place_files, windows=True, folds=lambda _: True))
    give_files(scripted, "good.txt", *ORDINARY, "Good.TXT")
    with pytest.raises(UnsafeNameError) as caught:
        face.take(run.files().download(tmp_path))
    assert {*caught.value.refused} == {*ORDINARY, "Good.TXT"}
    assert left_in(tmp_path) == {"good.txt": BODY}
    assert len(scripted.asked) == 2


def test_a_file_and_a_folder_of_one_name(
    face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    give_files(scripted, "a", "a/b")
    with pytest.raises(UnsafeNameError, match="other files are in a folder of this name"):
        face.take(run.files().download(tmp_path))
    assert left_in(tmp_path) == {"a/b": BODY}


@pytest.mark.parametrize("spoil", ["folder in the way", "file in the way"])
def test_a_name_that_the_disk_refuses_does_not_stop_the_others(
    spoil: str, face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    if spoil == "folder in the way":
        (tmp_path / "d/x.bin/inside").mkdir(parents=True)
    else:
        (tmp_path / "d").write_bytes(b"a file")
    before = left_in(tmp_path)
    give_files(scripted, "d/x.bin", "good.txt")
    with pytest.raises(UnsafeNameError, match=r"cannot save to .*x\.bin") as caught:
        face.take(run.files().download(tmp_path, replace=True))
    assert [*caught.value.refused] == ["d/x.bin"]
    assert left_in(tmp_path) == {**before, "good.txt": BODY}


def test_a_root_that_is_a_file_stops_all(
    face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    (tmp_path / "root").write_bytes(b"a file")
    give_files(scripted, "a", "b")
    with pytest.raises(LocalFileError, match="root"):
        face.take(run.files().download(tmp_path / "root"))
    assert len(scripted.asked) == 1


def test_one_file_is_refused_before_it_is_fetched(
    face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    give_files(scripted, "../bad.txt")
    (file,) = face.items(run.files())
    with pytest.raises(UnsafeNameError, match=r"'\.\./bad\.txt' is not saved: `\.\.` leads out"):
        face.take(file.download(tmp_path / "root"))
    assert left_in(tmp_path) == {}
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("name", ["\udcff.bin", "\ud800"])
def test_a_name_without_a_utf8_form_is_not_uploaded(
    name: str, face: Face, scripted: ScriptedServer, run: AnyRun, tmp_path: Path
) -> None:
    if name.startswith("\udcff"):
        (tmp_path / name).write_bytes(b"x")
    # The first can be the name of a file here, the second cannot.
    told = "is not uploaded: it has no UTF-8 form|path holds half of a surrogate pair"
    with pytest.raises(ValueError, match=told):
        face.take(run.upload_file(tmp_path / name, tmp_path))
    assert scripted.asked == []


# Artifacts


CONTENTS = {"good": b"A", "copy of good": b"A", "d/other": b"B"}


def described(contents: dict[str, bytes]) -> str:
    """A manifest of these entries."""
    import json

    entries = {name: {"digest": digest(content), "size": len(content)} for name, content in contents.items()}
    return json.dumps({"version": 1, "contents": entries})


@pytest.fixture
def named(face: Face, server: RunningServer, project: str) -> Untyped:
    """Makes an artifact whose manifest holds these names, each with the bytes of one that the server stores."""

    def make(*names: str) -> Untyped:
        (seeded,) = server.seed_artifacts(project, [SeedArtifact(name="odd", files=CONTENTS)])
        manifest = described(
            {**CONTENTS, **{name: f"{number}".encode() for number, name in enumerate(names)}}
        )

        def answer(request: httpx.Request) -> httpx.Response | None:
            if "manifests" in request.url.path:
                return httpx.Response(200, text=manifest)
            for number in range(len(names)):
                if digest(f"{number}".encode()) in asked_for(request):
                    return httpx.Response(200, content=f"{number}".encode())
            return None

        api: Untyped = face.api(server.url, server.api_key, transport=RefusingTransport(answer))
        return taken(face, api.artifact(f"{server.entity}/{project}/{seeded}"))

    return make


def asked_for(request: httpx.Request) -> str:
    """The digest in base64 that an address of the API names in hex, such as ``/artifactsV2/…/<hex>/name``."""
    import base64
    import re

    found = re.findall(r"/([0-9a-f]{32})(?:/|$)", request.url.path)
    return base64.b64encode(bytes.fromhex(found[-1])).decode() if found else ""


@pytest.mark.posix
def test_an_artifact_of_such_names_arrives_and_is_intact(named: Untyped, face: Face, tmp_path: Path) -> None:
    artifact = named(*ORDINARY)
    assert taken(face, artifact.download(tmp_path)) == tmp_path
    assert {*left_in(tmp_path)} == {*CONTENTS, *ORDINARY}
    assert taken(face, artifact.verify(tmp_path)) == []


@pytest.mark.parametrize("name", LEAVING)
def test_the_others_of_an_artifact_arrive(name: str, named: Untyped, face: Face, tmp_path: Path) -> None:
    artifact, root = named(name), tmp_path / "root"
    with pytest.raises(UnsafeNameError, match="The other 3 are saved") as caught:
        taken(face, artifact.download(root))
    assert [*caught.value.refused] == [name]
    assert left_in(tmp_path) == {f"root/{path}": content for path, content in CONTENTS.items()}
    with pytest.raises(ArtifactDamagedError, match="not storable here") as damaged:
        taken(face, artifact.verify(root))
    assert [*damaged.value.unstorable] == [name]
    assert (damaged.value.missing, damaged.value.changed, damaged.value.unexpected) == ((), (), ())
    with pytest.warns(RuntimeWarning, match=r"1 file\(s\) are not saved"):
        assert taken(face, artifact.download(root, on_unsafe="skip")) == root
    with pytest.warns(RuntimeWarning, match=r"1 file\(s\) are not saved"):
        assert taken(face, artifact.verify(root, on_unsafe="skip")) == []
    with pytest.raises(UnsafeNameError, match="is not saved"):
        taken(face, taken(face, artifact.get_entry(name)).download(root))


@pytest.mark.posix
def test_equal_bytes_arrive_where_the_disk_refuses_their_first_name(
    named: Untyped, face: Face, tmp_path: Path
) -> None:
    (tmp_path / "copy of good/inside").mkdir(parents=True)
    with pytest.raises(UnsafeNameError, match="copy of good"):
        taken(face, named().download(tmp_path))
    assert left_in(tmp_path) == {"good": b"A", "d/other": b"B"}


def test_windows_refuses_its_own_of_an_artifact(
    named: Untyped, face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_download, "place_files", partial(place_files, windows=True))
    with pytest.raises(UnsafeNameError) as caught:
        taken(face, named(*ORDINARY).download(tmp_path))
    assert {*caught.value.refused} == {*ORDINARY}
    assert left_in(tmp_path) == CONTENTS


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(named: Untyped, face: Face, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(LocalFileError, match="file"):
            taken(face, named().download(root, path_prefix="nothing"))
