"""The recordings themselves: no credential in them, none left over, and a stale one fails."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from tests.contract import recording
from tests.contract.digests import digests, noted
from tests.contract.face import Face
from tests.contract.recording import ANSWERS, DOCUMENTS, FOLDER, ORIGIN, StaleRecordingError
from tests.contract.world import FAKE_KEY

from runql import QueryError, RunqlError
from runql.resources.sweeps.lookup import get_sweeps
from runql.transport.unknown_parts import without_fields
from runql_graphql import operations
from runql_graphql.operations import get_viewer

RECORDINGS = sorted(FOLDER.glob("*/*.yaml"))
MOST_BYTES = 1_100_000
VIEWER = FOLDER / "api" / "the_viewer_is_the_owner_of_the_key.yaml"
# A header, a key's usual forms, an address with a user in it, or a signature.
CREDENTIAL = re.compile(
    r"authorization|\bbasic [a-z0-9+/=]{20,}|bearer |\b[0-9a-f]{40}\b|wandb_v1_|//[^/\s\"']*@|expires=\d"
    r"|signature=(?!scrubbed)|set-cookie",
    re.IGNORECASE,
)


def test_there_are_recordings_and_they_are_small() -> None:
    assert len(RECORDINGS) > 50
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.*")) < MOST_BYTES


def test_no_recording_holds_a_credential_or_an_address() -> None:
    for path in FOLDER.rglob("*.*"):
        text = path.read_text()
        assert CREDENTIAL.search(text) is None, path
        assert "127.0.0.1" not in text, path
        assert "localhost:" not in text, path


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic x",
        "authorization:\n  - Bearer abc",
        "key " + "0a" * 20,
        "https://api:secret@host/",
        "/storage/1/f?expires=17&signature=00",
        "Set-Cookie: a=b",
    ],
)
def test_the_search_for_credentials_finds_them(text: str) -> None:
    assert CREDENTIAL.search(text)


def test_every_recording_belongs_to_a_test() -> None:
    for path in RECORDINGS:
        module = Path(__file__).with_name(f"test_{path.parent.name}.py")
        names = re.findall(r"^def test_(\w+)\(", module.read_text(), re.MULTILINE)
        assert any(path.stem == name or path.stem.startswith(f"{name}-") for name in names), path


def test_every_answer_that_is_kept_apart_is_used() -> None:
    recorded = "".join(path.read_text() for path in RECORDINGS)
    assert [path.name for path in ANSWERS.iterdir() if path.name not in recorded] == []


def test_no_recording_was_edited_by_hand() -> None:
    was, now = noted(), digests()
    edited = [path for path in sorted({*was, *now}) if was.get(path) != now.get(path)]
    assert edited == [], "run `make record`; after a merge, `python -m tests.contract.digests`"


def test_every_answer_that_is_kept_apart_is_named_by_its_text() -> None:
    edited = [path.name for path in ANSWERS.iterdir() if path.name != recording.answer_name(path.read_text())]
    assert edited == [], "an answer was edited by hand: run `make record`"


def test_every_document_is_one_of_today() -> None:
    written = [text for name, text in vars(operations).items() if name.isupper() and isinstance(text, str)]
    today = {without_fields(document, ()) for document in written}
    made_at_run_time = get_sweeps(entity="", project="", sweeps=["a"]).name
    stale = [
        path.name
        for path in DOCUMENTS.iterdir()
        if path.read_text() not in today and not path.name.startswith(f"{made_at_run_time}-")
    ]
    assert stale == [], "a query was changed: run `make record`"


def test_every_document_is_named_by_its_text_and_used() -> None:
    recorded = "".join(path.read_text() for path in RECORDINGS)
    for path in DOCUMENTS.iterdir():
        assert path.stem == recording.document_name(path.stem.split("-")[0], path.read_text())
        assert f'"{path.stem}"' in recorded


def sent_today(face: Face) -> object:
    return face.take(face.api(ORIGIN, FAKE_KEY).viewer)


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = VIEWER.read_text()
    assert old in text
    copy = tmp_path / VIEWER.name
    copy.write_text(text.replace(old, new))
    return copy


def test_a_recording_replays(face: Face) -> None:
    with recording.replaying(VIEWER) as cassette:
        sent_today(face)
    recording.check_all_played(cassette)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("GetViewer-", "GetViewer-0", "document is 'GetViewer-"),
        ('"variables": {}', '"variables": {"a": 1}', "variables is {} and was {'a': 1}"),
        ("/graphql", "/graphql2", "/graphql != /graphql2"),
        ("method: POST", "method: PUT", "POST != PUT"),
    ],
    ids=["document", "variables", "path", "method"],
)
def test_a_request_that_differs_from_the_recorded_one_is_stale(
    old: str, new: str, difference: str, tmp_path: Path, face: Face
) -> None:
    with (
        recording.replaying(changed(tmp_path, old, new)),
        pytest.raises(recording.NoSuchExchange) as caught,
    ):
        sent_today(face)
    assert not isinstance(caught.value, RunqlError | httpx.HTTPError)
    told = str(recording.stale(caught.value))
    assert told.startswith("stale recording: a request of today equals no recorded one")
    assert "make record" in told
    assert difference in told


def test_a_recorded_exchange_is_played_once(face: Face) -> None:
    with recording.replaying(VIEWER):
        sent_today(face)
        with pytest.raises(recording.NoSuchExchange):
            sent_today(face)


def test_a_recorded_exchange_that_nobody_asks_for_is_stale() -> None:
    with recording.replaying(VIEWER) as cassette:
        pass
    with pytest.raises(
        StaleRecordingError, match=r"1 of 1 recorded exchanges were never asked for \(1\. GetViewer\)"
    ):
        recording.check_all_played(cassette)


def test_a_recorded_error_is_an_error(tmp_path: Path, face: Face) -> None:
    answer = json.dumps({"errors": [{"message": "from the recording"}]})
    text = re.sub(r"string: '.*'", f"string: '{answer}'", VIEWER.read_text())
    (tmp_path / "viewer.yaml").write_text(text)
    with recording.replaying(tmp_path / "viewer.yaml"), pytest.raises(QueryError, match="from the recording"):
        sent_today(face)


def test_a_document_is_kept_once_and_named_by_its_text() -> None:
    operation = get_viewer()
    sent = without_fields(operation.document, ())
    name = recording.document_name(operation.name, sent)
    assert (DOCUMENTS / f"{name}.graphql").read_text() == sent, "stale: run `make record`"
