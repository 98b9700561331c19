"""How far a transfer is: over all files of a run, never falling, counted once whatever is fetched again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.file_responses import BODY, asked, digest, entry, listed
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer

Told = list[tuple[int, int | None]]
HALF = len(BODY) // 2
CUT = ScriptedResponse(BODY[:HALF], headers={"Content-Length": str(len(BODY))})


class Listener:
    """A progress that remembers what it was told, and that no two calls overlapped."""

    def __init__(self) -> None:
        self.told: Told = []
        self._busy = threading.Lock()

    def __call__(self, done: int, total: int | None) -> None:
        assert self._busy.acquire(blocking=False), "two calls at once"
        self.told.append((done, total))
        self._busy.release()

    def check(self, total: int) -> None:
        done = [each for each, _ in self.told]
        assert done == sorted(done)
        assert all(known is not None and each <= known for each, known in self.told)
        assert self.told[0][0] == 0
        assert self.told[-1] == (total, total)


def test_all_files_are_one_total(face: Face, scripted: ScriptedServer, tmp_path: Path) -> None:
    names = [f"{number}.bin" for number in range(9)]
    scripted.give_data(listed(*(entry(name, f"/{name}") for name in names)))
    files = asked(face, scripted).files()
    assert face.take(files.length) == len(names)
    scripted.route = lambda _: ScriptedResponse(BODY)
    listener = Listener()
    face.take(files.download(tmp_path, progress=listener))
    listener.check(len(names) * len(BODY))
    assert listener.told[0] == (0, len(names) * len(BODY))
    assert len(listener.told) > len(names)


def test_files_that_are_here_are_no_part_of_it(face: Face, scripted: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"mine")
    scripted.give_data(listed(entry("a.bin", "/a"), entry("b.bin", "/b")))
    files = asked(face, scripted).files()
    face.take(files.length)
    scripted.route = lambda _: ScriptedResponse(BODY)
    listener = Listener()
    face.take(files.download(tmp_path, exist_ok=True, progress=listener))
    listener.check(len(BODY))
    again = Listener()
    face.take(files.download(tmp_path, exist_ok=True, progress=again))
    assert again.told == [(0, 0)]


@pytest.mark.parametrize(
    "answers",
    [
        [CUT, ScriptedResponse(BODY)],
        [
            ScriptedResponse(BODY[:HALF], headers={**CUT.headers, "ETag": '"e"'}),
            ScriptedResponse(b"", 416),
            ScriptedResponse(BODY),
        ],
        [
            ScriptedResponse(BODY[:HALF], headers={**CUT.headers, "ETag": '"e"'}),
            ScriptedResponse(
                BODY[HALF:],
                206,
                {"Content-Range": f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"e"'},
            ),
        ],
        [ScriptedResponse(b"", 503), ScriptedResponse(BODY)],
    ],
    ids=["restarted", "refused to resume", "resumed", "refused"],
)
def test_bytes_that_are_fetched_again_count_once(
    answers: list[ScriptedResponse], face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    left = {"/a": [*answers], "/b": [ScriptedResponse(BODY)]}
    scripted.give_data(listed(entry("a.bin", "/a"), entry("b.bin", "/b")))
    files = asked(face, scripted).files()
    face.take(files.length)
    scripted.route = lambda path: left[path].pop(0)
    listener = Listener()
    face.take(files.download(tmp_path, progress=listener))
    listener.check(2 * len(BODY))


def test_a_file_that_has_another_size_than_listed_moves_the_total(
    face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    wanted = {"/less": b"x" * 10, "/more": b"y" * 100, "/none": b""}
    scripted.give_data(
        listed(*(entry(name[1:], name, sizeBytes=50, md5=digest(body)) for name, body in wanted.items()))
    )
    files = asked(face, scripted).files()
    face.take(files.length)
    scripted.route = lambda path: ScriptedResponse(wanted[path])
    listener = Listener()
    face.take(files.download(tmp_path, progress=listener))
    listener.check(110)
    assert listener.told[0] == (0, 150)


def test_a_new_url_for_an_expired_one_counts_once(
    face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    scripted.give_data(listed(entry("x.bin", "/old")))
    file = face.take(asked(face, scripted).file("x.bin"))
    again = ScriptedResponse(json.dumps({"data": listed(entry("x.bin", "/new"))}).encode())
    answers = {"/graphql": again, "/old": ScriptedResponse(b"", 403), "/new": ScriptedResponse(BODY)}
    scripted.route = lambda path: answers[path]
    listener = Listener()
    face.take(file.download(tmp_path, progress=listener)).close()
    listener.check(len(BODY))


def test_a_progress_that_raises_stops_the_download(
    face: Face, scripted: ScriptedServer, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, _: int | None) -> None:
        if done:
            raise StopError

    scripted.give_data(listed(entry("x.bin", "/x"), entry("y.bin", "/y")))
    files = asked(face, scripted).files()
    face.take(files.length)
    scripted.route = lambda _: ScriptedResponse(BODY)
    with pytest.raises(StopError):
        face.take(files.download(tmp_path, progress=stop))
    assert list(tmp_path.iterdir()) == []
