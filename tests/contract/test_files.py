"""A run's files: listed, fetched whole or not at all, put, deleted."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from tests.contract.both_clients import AnyFiles, AnyRun, Face
from tests.contract.file_responses import BODY, asked, digest, entry, listed
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped
from tests.patience import PATIENCE

from runql import (
    AccessDeniedError,
    DigestMismatchError,
    FileNotFoundInRunError,
    LocalFileError,
    RunqlError,
    ServerFailureError,
    TransportError,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

SHORT = {"Content-Length": str(len(BODY))}


@pytest.fixture
def storage() -> Iterator[ScriptedServer]:
    """Another port, which is another host to a credential."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def seeded(server: RunningServer, face: Face, project: str) -> AnyRun:
    """A run without files on an embedded server."""
    (run_id,) = server.seed(project, [SeedRun()])
    api = face.api(server.url, server.api_key)
    run = face.take(api.run(f"{server.entity}/{project}/{run_id}"))
    server.clear()
    return run


def put(face: Face, run: AnyRun, folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        face.take(run.upload_file(folder / name, folder))


def saved_all(face: Face, files: AnyFiles, root: Path) -> list[Path]:
    return face.take(files.download(root))


def left_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_put_comes_back(face: Face, seeded: AnyRun, tmp_path: Path) -> None:
    put(face, seeded, tmp_path / "here", {"media/ä b.txt": "grüße".encode(), "empty": b""})
    file = face.take(seeded.file("media/ä b.txt"))
    assert (file.name, file.size, file.md5) == ("media/ä b.txt", 7, digest("grüße".encode()))
    assert file.mimetype == "text/plain"
    assert repr(file) == "<File media/ä b.txt (text/plain) 7B>"
    with face.take(file.download(tmp_path / "there")) as opened:
        assert opened.read() == "grüße"
        assert Path(opened.name) == tmp_path / "there/media/ä b.txt"
    with face.take(face.take(seeded.file("empty")).download(tmp_path / "there")) as opened:
        assert opened.read() == ""


def test_requests_of_an_upload(face: Face, seeded: AnyRun, server: RunningServer, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    (tmp_path / "x.bin").write_bytes(BODY)
    face.take(seeded.upload_file("x.bin", progress=lambda done, total: seen.append((done, total))))
    operations = [request.operation or request.method for request in server.requests]
    assert operations == ["CreateRunFiles", "PUT", "GetServerInfo", "MarkRunFilesUploaded", "ListRunFiles"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)


def test_a_missing_file_is_not_found(face: Face, seeded: AnyRun) -> None:
    with pytest.raises(FileNotFoundInRunError, match=r"nowhere\.txt"):
        face.take(seeded.file("nowhere.txt"))
    with pytest.raises(LookupError):
        face.take(seeded.file("nowhere.txt"))


def test_names_and_patterns_choose(face: Face, seeded: AnyRun, tmp_path: Path) -> None:
    put(face, seeded, tmp_path, {"a.txt": b"a", "b.txt": b"b", "c.bin": b"c"})
    assert [file.name for file in face.items(seeded.files())] == ["a.txt", "b.txt", "c.bin"]
    assert [file.name for file in face.items(seeded.files(per_page=1))] == ["a.txt", "b.txt", "c.bin"]
    assert [file.name for file in face.items(seeded.files(["b.txt", "nowhere"]))] == ["b.txt"]
    assert [file.name for file in face.items(seeded.files(pattern="%.txt"))] == ["a.txt", "b.txt"]
    assert face.take(seeded.files(["b.txt", "nowhere"]).length) == 1
    assert face.take(seeded.files(pattern="%.txt", per_page=1).length) == 2
    assert face.take(seeded.files().length) == 3


def test_bad_arguments_send_nothing(
    face: Face, seeded: AnyRun, server: RunningServer, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="cannot be combined"):
        seeded.files(["a"], pattern="b")
    with pytest.raises(ValueError, match="per_page"):
        seeded.files(per_page=0)
    with pytest.raises(TypeError, match="list of str"):
        seeded.files("a")
    with pytest.raises(LocalFileError, match="cannot read"):
        face.take(seeded.upload_file(tmp_path / "missing"))
    assert server.requests == []


def test_a_deleted_file_is_gone(face: Face, seeded: AnyRun, server: RunningServer, tmp_path: Path) -> None:
    put(face, seeded, tmp_path, {"a.txt": b"a", "b.txt": b"b"})
    file = face.take(seeded.file("a.txt"))
    server.clear()
    face.take(file.delete())
    assert [request.operation for request in server.requests] == ["DeleteFiles"]
    assert [each.name for each in face.items(seeded.files())] == ["b.txt"]


def test_a_file_that_is_there(face: Face, seeded: AnyRun, server: RunningServer, tmp_path: Path) -> None:
    put(face, seeded, tmp_path / "here", {"a.txt": b"new"})
    file = face.take(seeded.file("a.txt"))
    (tmp_path / "a.txt").write_text("old")
    server.clear()
    with pytest.raises(ValueError, match="exists already"):
        face.take(file.download(tmp_path))
    with face.take(file.download(tmp_path, exist_ok=True)) as opened:
        assert opened.read() == "old"
    assert server.requests == []
    with face.take(file.download(tmp_path, replace=True)) as opened:
        assert opened.read() == "new"


def test_five_hundred_files_are_a_request_each(
    face: Face, seeded: AnyRun, server: RunningServer, tmp_path: Path
) -> None:
    put(face, seeded, tmp_path / "here", {"0.txt": b"0"})
    server.clear()
    wanted = {f"{number:03}.txt": str(number).encode() for number in range(500)}
    with ScriptedServer() as many:
        run = asked(face, many)
        entries = [
            entry(name, f"/{name}", sizeBytes=len(body), md5=digest(body)) for name, body in wanted.items()
        ]
        many.give_data(listed(*entries))
        files = run.files(per_page=500)
        assert face.take(files.length) == 500
        many.route = lambda path: ScriptedResponse(wanted[path.removeprefix("/")])
        paths = saved_all(face, files, tmp_path / "there")
        assert [path.name for path in paths] == list(wanted)
        assert left_in(tmp_path / "there") == wanted
        assert len(many.asked) == 501
        assert 1 < many.most_at_once <= 8


def test_a_whole_run_is_pages_and_files(
    face: Face, seeded: AnyRun, server: RunningServer, tmp_path: Path
) -> None:
    wanted = {f"d{number % 2}/{number}.txt": str(number).encode() for number in range(7)}
    put(face, seeded, tmp_path / "here", wanted)
    server.clear()
    saved_all(face, seeded.files(per_page=3), tmp_path / "there")
    assert left_in(tmp_path / "there") == wanted
    assert [request.operation for request in server.requests].count("ListRunFiles") == 3
    assert len(server.requests) == 3 + len(wanted)


Broken = tuple[list[ScriptedResponse], type[RunqlError]]
CUT: dict[str, Broken] = {
    "nothing": ([ScriptedResponse(b"", headers=SHORT)], TransportError),
    "half": ([ScriptedResponse(BODY[: len(BODY) // 2], headers=SHORT)], TransportError),
    "all but one": ([ScriptedResponse(BODY[:-1], headers=SHORT)], TransportError),
    "other bytes": ([ScriptedResponse(BODY[:-1] + b"?")], DigestMismatchError),
    "5xx after half": (
        [ScriptedResponse(BODY[:1000], headers={**SHORT, "ETag": '"e"'}), ScriptedResponse(b"", 503)],
        ServerFailureError,
    ),
    "500": ([ScriptedResponse(b"", 500)], ServerFailureError),
    "gone": ([ScriptedResponse(b"", 403)], AccessDeniedError),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("before", [None, b"old"], ids=["new", "replaced"])
def test_a_broken_download_leaves_what_was_there(
    name: str,
    before: bytes | None,
    face: Face,
    scripted: ScriptedServer,
    storage: ScriptedServer,
    tmp_path: Path,
) -> None:
    answers, error = CUT[name]
    scripted.give_data(listed(entry("d/x.bin", f"{storage.url}/x")))
    storage.give(*answers)
    if before is not None:
        (tmp_path / "d").mkdir()
        (tmp_path / "d/x.bin").write_bytes(before)
    file = face.take(asked(face, scripted).file("d/x.bin"))
    with pytest.raises(error):
        face.take(file.download(tmp_path, replace=True))
    assert left_in(tmp_path) == ({} if before is None else {"d/x.bin": before})
    assert not [each for each in storage.asked if "authorization" in each.headers]


def test_a_broken_download_is_resumed(
    face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", f"{storage.url}/x")))
    half = len(BODY) // 2
    span = {"Content-Range": f"bytes {half}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"e"'}
    storage.give(
        ScriptedResponse(BODY[:half], headers={**SHORT, "ETag": '"e"'}),
        ScriptedResponse(BODY[half:], 206, span),
    )
    file = face.take(asked(face, scripted).file("x.bin"))
    seen: list[int] = []
    face.take(file.download(tmp_path, progress=lambda done, _: seen.append(done))).close()
    assert left_in(tmp_path) == {"x.bin": BODY}
    assert storage.asked[1].headers["range"] == f"bytes={half}-"
    assert storage.asked[1].headers["if-range"] == '"e"'
    assert seen[-1] == len(BODY)


def test_a_download_that_cannot_be_resumed_starts_over(
    face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", f"{storage.url}/x")))
    storage.give(ScriptedResponse(b"?" * 1000, headers={**SHORT, "ETag": '"old"'}), ScriptedResponse(BODY))
    file = face.take(asked(face, scripted).file("x.bin"))
    face.take(file.download(tmp_path)).close()
    assert left_in(tmp_path) == {"x.bin": BODY}


def test_a_cut_body_without_a_length_is_told_by_the_size(
    face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", "/x", md5=None)))
    scripted.give(ScriptedResponse(BODY[:-1]))
    file = face.take(asked(face, scripted).file("x.bin"))
    with pytest.raises(DigestMismatchError, match="bytes were received"):
        face.take(file.download(tmp_path))
    assert left_in(tmp_path) == {}


def test_an_expired_url_is_asked_for_again(
    face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(
        listed(entry("x.bin", f"{storage.url}/old")), listed(entry("x.bin", f"{storage.url}/new"))
    )
    storage.give(ScriptedResponse(b"", 403), ScriptedResponse(BODY))
    file = face.take(asked(face, scripted).file("x.bin"))
    face.take(file.download(tmp_path)).close()
    assert [each.path for each in storage.asked] == ["/old", "/new"]


@pytest.mark.parametrize("spoil", ["folder in the way", "file in the way"])
def test_a_disk_that_refuses_is_told(
    spoil: str, face: Face, scripted: ScriptedServer, storage: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("d/x.bin", f"{storage.url}/x")))
    storage.give(ScriptedResponse(BODY))
    if spoil == "folder in the way":
        (tmp_path / "d/x.bin/inside").mkdir(parents=True)
    else:
        (tmp_path / "d").write_bytes(b"a file")
    file = face.take(asked(face, scripted).file("d/x.bin"))
    before = left_in(tmp_path)
    with pytest.raises(LocalFileError, match=r"cannot save to .*x\.bin"):
        face.take(file.download(tmp_path, replace=True))
    assert left_in(tmp_path) == before


def test_one_failure_stops_the_rest(face: Face, scripted: ScriptedServer, tmp_path: Path) -> None:
    scripted.give_data(listed(*(entry(f"{number}.bin", f"/{number}") for number in range(40))))
    files = asked(face, scripted).files()
    assert face.take(files.length) == 40
    scripted.route = lambda path: ScriptedResponse(b"", 404) if path == "/3" else ScriptedResponse(BODY)
    with pytest.raises(RunqlError):
        saved_all(face, files, tmp_path)
    assert set(left_in(tmp_path).values()) <= {BODY}
    assert len(scripted.asked) < 41


def test_a_hundred_callers_at_once_wait_for_no_connection(face: Face, tmp_path: Path) -> None:
    """There is no limit on connections, so none is waited for until the wait times out."""
    with server_of_files(120) as many:
        files = face.items(asked(face, many).files())
        many.route = meeting(120)
        if face.name == "sync":
            with ThreadPoolExecutor(120) as pool:
                list(pool.map(partial(downloaded, tmp_path), files))
        else:
            face.take(all_at_once(files, tmp_path))
        assert many.most_at_once == 120
    assert len(left_in(tmp_path)) == 120


def test_no_more_at_once_than_are_asked_for(face: Face, tmp_path: Path) -> None:
    with server_of_files(120) as many:
        files = asked(face, many).files()
        assert face.take(files.length) == 120
        many.route = meeting(6)
        assert len(face.take(files.download(tmp_path, max_concurrency=6))) == 120
        assert many.most_at_once == 6


@contextmanager
def server_of_files(count: int) -> Generator[ScriptedServer]:
    names = range(count)
    with ScriptedServer() as many:
        many.give_data(
            listed(*(entry(f"{name}.bin", f"/{name}", sizeBytes=1, md5=digest(b"x")) for name in names))
        )
        yield many


def meeting(together: int) -> Callable[[str], ScriptedResponse]:
    """Return a route that responds to the first requests when so many are there: later ones may be fewer at once."""
    barrier, numbers = threading.Barrier(together), itertools.count()

    def meet(_: str) -> ScriptedResponse:
        if next(numbers) < together:
            barrier.wait(PATIENCE)
        return ScriptedResponse(b"x")

    return meet


def downloaded(folder: Path, file: Untyped) -> None:
    with file.download(folder):
        pass


async def all_at_once(files: Sequence[Untyped], folder: Path) -> None:
    async def download(file: Untyped) -> None:
        with await file.download(folder):
            pass

    async with anyio.create_task_group() as group:
        for file in files:
            group.start_soon(download, file)
