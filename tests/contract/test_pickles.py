"""What is pickled: the address, the options and what was read, never the key; other processes go on with it."""

from __future__ import annotations

import base64
import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import httpx
import pytest
from tests.contract import process_work as work
from tests.contract.both_clients import DoubleTransport, Face
from tests.contract.every_call import FILE, Subjects, furnish
from tests.contract.untyped import Untyped, held, listed, taken

from runql import (
    Api,
    AsyncApi,
    AuthenticationError,
    Limits,
    MissingCredentialsError,
    RetryPolicy,
    UnshareableError,
)
from runql_server.running import RunningServer

KINDS = ["api", "run", "light_run", "runs", "artifact", "file", "history", "histories", "project", "sweep"]


class InMemory(DoubleTransport):
    """A transport that belongs to its process."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - the signature is httpx's
        return httpx.Response(500)


@pytest.fixture
def subjects(server: RunningServer, face: Face, project: str, tmp_path: Path) -> Subjects:
    sweep_id = furnish(server, project)
    (tmp_path / FILE).write_text("notes")
    home = f"{server.entity}/{project}"
    api = face.api(server.url, server.api_key)
    taken(face, taken(face, api.run(f"{home}/one")).upload_file(FILE, root=tmp_path))
    return Subjects(face, api, home, sweep_id, tmp_path)


@pytest.fixture(scope="module")
def keyless() -> Iterator[ProcessPoolExecutor]:
    """A process without a key, which imports everything anew."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def other(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessPoolExecutor]:
    """A process with a key of its own."""
    monkeypatch.setenv("WANDB_API_KEY", server.api_key)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def subject(subjects: Subjects, kind: str) -> Untyped:
    if kind == "runs":
        return subjects.runs()
    if kind == "history":
        return subjects.run.scan_history(["loss"])
    if kind == "histories":
        return subjects.runs().scan_histories(["loss"])
    return getattr(subjects, kind)


def shows_key(pickled: bytes, key: str) -> bool:
    pairs = [f"api:{key}", f"{key}:api", key]
    spelled = [base64.b64encode(pair.encode()).rstrip(b"=") for pair in pairs]
    return any(each in pickled for each in [key.encode(), *spelled])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", KINDS)
def test_no_pickle_holds_the_key(subjects: Subjects, kind: str, protocol: int, server: RunningServer) -> None:
    assert not shows_key(pickle.dumps(subject(subjects, kind), protocol), server.api_key)


def test_another_process_goes_on_with_each_object(
    subjects: Subjects, other: ProcessPoolExecutor, server: RunningServer, face: Face
) -> None:
    run, runs = subjects.run, subjects.runs()
    pickles = {kind: pickle.dumps(subject(subjects, kind)) for kind in KINDS}
    frame = taken(face, runs.scan_histories(["loss"]).collect())
    rows = listed(face, run.scan_history(["loss"]))
    entries = sorted(taken(face, work.digest(subjects.artifact)))
    server.clear()
    assert other.submit(work.used, pickles["run"], work.config).result() == work.config(run)
    assert other.submit(work.used, pickles["file"], work.size).result() == work.size(subjects.file)
    assert other.submit(work.used, pickles["api"], work.url).result() == server.url
    assert server.requests == []
    assert other.submit(work.used, pickles["runs"], work.ids).result() == taken(face, runs.length)
    read = other.submit(work.used, pickles["histories"], work.frame).result()
    assert isinstance(read, type(frame))
    assert frame.equals(read)
    assert other.submit(work.used, pickles["history"], work.rows).result() == rows
    assert other.submit(work.used, pickles["artifact"], work.digest).result() == entries


def test_a_process_without_a_key_gets_one_by_with_key(
    subjects: Subjects, keyless: ProcessPoolExecutor, server: RunningServer
) -> None:
    api, run = pickle.dumps(subjects.api), pickle.dumps(subjects.run)
    server.clear()
    assert keyless.submit(work.used, run, work.config).result() == work.config(subjects.run)
    message = keyless.submit(work.error_of, api, work.viewer).result()
    assert message.startswith("MissingCredentialsError: what was unpickled brought no API key")
    assert "with_key" in message
    assert server.requests == []
    assert keyless.submit(work.used_with_key, api, server.api_key, work.viewer).result() is not None
    assert len(server.requests) == 1


def test_another_key_is_sent_from_then_on(subjects: Subjects, server: RunningServer, face: Face) -> None:
    unknown = subjects.run.with_key("u" * 40)
    with pytest.raises(AuthenticationError):
        face.load(unknown, force=True)
    face.load(unknown.with_key(server.api_key), force=True)
    with pytest.raises(AuthenticationError):
        taken(face, subjects.api.with_key("u" * 40).viewer)
    assert taken(face, subjects.api.viewer).username


@pytest.mark.parametrize("key", ["", "short", "with blanks " * 5])
def test_a_bad_key_is_refused(subjects: Subjects, key: str) -> None:
    with pytest.raises(Exception, match="the argument key"):
        subjects.api.with_key(key)
    with pytest.raises(TypeError, match="key must be a str"):
        subjects.run.with_key(None)


def test_options_travel(server: RunningServer, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Api if face.name == "sync" else AsyncApi
    made = make(
        {"entity": "team"},
        7.5,
        server.api_key,
        base_url=server.url,
        deadline=60,
        retries=RetryPolicy(max_attempts=2, chance=lambda: 0.5),
        limits=Limits(redirects=1),
        partial="allow",
        share=0.25,
    )
    monkeypatch.setenv("WANDB_API_KEY", server.api_key)
    back: Untyped = pickle.loads(pickle.dumps(made))
    assert back.settings == made.settings
    assert held(back.client, "_deadline") == 60
    assert held(back.client, "_retry") == RetryPolicy(max_attempts=2)
    assert back.client.limits == Limits(redirects=1)
    assert held(back.client, "_partial") == "allow"
    assert held(back.client, "_share") == 0.25
    taken(face, made.close())


def test_what_one_process_unpickles_shares_connections_and_the_rate_limit(
    subjects: Subjects, server: RunningServer, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", server.api_key)
    pickled = pickle.dumps([subjects.api, subjects.run])
    first, second = pickle.loads(pickled), pickle.loads(pickled)
    limiters = {
        id(held(client, "_rate_limiter"))
        for api, run in (first, second)
        for client in (api.client, held(run, "_client"))
    }
    assert len(limiters) == 1
    taken(face, first[0].close())
    assert taken(face, second[0].viewer).username


def test_what_holds_a_transport_of_the_caller_is_not_pickled(server: RunningServer, face: Face) -> None:
    api = face.api(server.url, server.api_key, transport=InMemory())
    with pytest.raises(UnshareableError, match="transport=") as caught:
        pickle.dumps(api)
    assert server.api_key not in str(caught.value)
    assert copy.copy(api).settings == api.settings


def test_a_process_without_a_key_unpickles(subjects: Subjects) -> None:
    back = pickle.loads(pickle.dumps(subjects.run))
    with pytest.raises(MissingCredentialsError, match="this process has none"):
        subjects.face.load(back, force=True)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_keep_the_key(subjects: Subjects, kind: str) -> None:
    original = subject(subjects, kind)
    for copied in (copy.copy(original), copy.deepcopy(original)):
        assert repr(copied) == repr(original)
        assert copied.__dask_tokenize__() == original.__dask_tokenize__()
        client = copied.client if kind == "api" else held(copied, "_client")
        assert client.settings.api_key == subjects.api.settings.api_key


def test_a_closed_copy_leaves_the_original_open(subjects: Subjects, face: Face) -> None:
    taken(face, copy.copy(subjects.api).close())
    assert taken(face, subjects.api.viewer).username


def test_a_copy_of_a_run_is_edited_alone(subjects: Subjects) -> None:
    edited = copy.deepcopy(subjects.run)
    edited.notes, edited.config["more"] = "changed", 1
    assert subjects.run.notes != "changed"
    assert "more" not in subjects.run.config
    assert pickle.loads(pickle.dumps(edited)).notes == "changed"


def test_tokens_say_what_is_read(subjects: Subjects) -> None:
    runs = subjects.runs()
    tokens = [
        each.__dask_tokenize__()
        for each in (
            runs,
            runs.scan_histories(),
            runs.scan_histories(["loss"]),
            runs.scan_histories(["loss"], format="arrow"),
            subjects.run,
            subjects.run.scan_history(),
            subjects.run.scan_history(min_step=1),
            subjects.artifact,
            subjects.file,
        )
    ]
    assert len(set(map(repr, tokens))) == len(tokens)
    assert runs.__dask_tokenize__() == pickle.loads(pickle.dumps(runs)).__dask_tokenize__()
