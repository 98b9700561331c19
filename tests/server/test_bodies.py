"""Bodies of requests: refused above a limit, also compressed ones, while memory stays flat."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PATIENCE
from tests.profiles import examples
from tests.server.artifact_writer import COMMIT, MANIFEST, Writer, manifest_of
from tests.server.seeded_artifacts import md5
from tests.server.server_process import Started, start

from runql_server.errors import RequestError, TooLargeError, UnknownEncodingError
from runql_server.http import bodies
from runql_server.http.bodies import BodyLimits
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

MIB = 1024 * 1024
HUGE = 300 * MIB
STREAM = "/files/local/p/r/file_stream"
LARGEST_SDK_LINE = 10 * MIB - 100 * 1024
"""The official SDK drops longer lines before it sends them."""


def chunks(size: int) -> Iterator[bytes]:
    yield from (b"a" * MIB for _ in range(size // MIB))


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(chunk) for chunk in chunks(size)), packer.flush()])


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    started = start(tmp_path_factory.mktemp("bodies") / "data")
    yield started
    started.process.terminate()
    started.process.communicate(timeout=PATIENCE)


def peak(started: Started) -> int:
    lines = Path(f"/proc/{started.process.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def streamed() -> dict[str, object]:
    return {"content": chunks(HUGE)}


def announced() -> dict[str, object]:
    return {"content": chunks(HUGE), "headers": {"Content-Length": str(HUGE)}}


def compressed() -> dict[str, object]:
    return {"content": bomb(600 * MIB), "headers": {"Content-Encoding": "gzip"}}


@pytest.mark.parametrize("path", ["/graphql", STREAM])
@pytest.mark.parametrize("body", [streamed, announced, compressed])
def test_a_huge_body_is_413_and_memory_stays_flat(
    process: Started, path: str, body: Callable[[], dict[str, object]]
) -> None:
    sent = body()
    if body is compressed:
        assert len(bytes(sent["content"])) < MIB  # type: ignore[call-overload]  # one of several keywords
    with httpx.Client(
        base_url=process.url, auth=("api", process.key or ""), trust_env=False, timeout=PATIENCE
    ) as client:
        assert client.post("/graphql", json={"query": "{ viewer { username } }"}).status_code == 200
        before = peak(process)
        answer = client.post(path, **sent)  # type: ignore[arg-type]  # keywords of httpx
        assert answer.status_code == 413
        said = answer.json()
        message = said["errors"][0]["message"] if path == "/graphql" else said["error"]
        assert "too large" in message
        # The part below the limit is held, and grows by doubling.
        assert peak(process) - before < 3 * BodyLimits().file_stream
        assert client.post("/graphql", json={"query": "{ viewer { username } }"}).status_code == 200


@pytest.mark.parametrize("path", ["/graphql", STREAM])
def test_an_announced_length_above_the_limit_is_refused_before_the_body_comes(
    server: RunningServer, path: str
) -> None:
    address = httpx.URL(server.url)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {server.api_key}\r\nContent-Length: {HUGE}\r\n\r\n"
    with socket.create_connection((address.host, address.port or 0), timeout=PATIENCE) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_what_the_official_sdk_sends_at_most_is_stored(server: RunningServer, http: httpx.Client) -> None:
    server.seed("p", [SeedRun(name="r")])
    line = json.dumps({"_step": 0, "text": "x" * (LARGEST_SDK_LINE - 30)})
    post = {
        "files": {
            "wandb-history.jsonl": {"offset": 0, "content": [line]},
            "wandb-summary.json": {"offset": 0, "content": [line]},
        }
    }
    answer = http.post(
        STREAM,
        content=gzip.compress(json.dumps(post).encode(), 1),
        headers={"Content-Encoding": "gzip"},
        timeout=PATIENCE,
    )
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 200])
def test_an_unknown_compression_is_415(http: httpx.Client, encoding: str) -> None:
    for path in ("/graphql", STREAM):
        answer = http.post(path, content=b"{}", headers={"Content-Encoding": encoding})
        assert answer.status_code == 415
        assert "Content-Encoding" in answer.text


@pytest.mark.parametrize(
    "content", [b"not gzip", gzip.compress(b"{}")[:-3], b""], ids=["plain", "short", "empty"]
)
def test_a_broken_compressed_body_is_400(http: httpx.Client, content: bytes) -> None:
    answer = http.post(STREAM, content=content, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert "cannot be read" in answer.json()["error"]


def decoded(encoding: str, parts: list[bytes]) -> list[bytes]:
    decoder = bodies.decoder(encoding)
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    decoder.check_end()
    return pieces


@examples(100)
@given(st.lists(st.binary(max_size=2_000), min_size=1, max_size=4), st.integers(1, 500), st.booleans())
def test_members_of_gzip_are_decoded_however_they_are_cut(
    members: list[bytes], size: int, is_repeated: bool
) -> None:
    members = [each * 500 if is_repeated else each for each in members]
    packed = b"".join(gzip.compress(each) for each in members)
    parts = [packed[at : at + size] for at in range(0, len(packed), size)]
    pieces = decoded("gzip", parts)
    assert b"".join(pieces) == b"".join(members)
    assert max(map(len, pieces)) <= 256 * 1024


def test_deflate_and_no_compression_are_known() -> None:
    assert b"".join(decoded("deflate", [zlib.compress(b"abc")])) == b"abc"
    assert b"".join(decoded(" Identity ", [b"abc"])) == b"abc"
    with pytest.raises(UnknownEncodingError):
        bodies.decoder("br")
    with pytest.raises(RequestError):
        decoded("gzip", [gzip.compress(b"abc")[:-1]])


def test_an_announced_length_is_compared_whatever_its_digits() -> None:
    for fine in (None, "0", "10", "nonsense"):
        bodies.check_announced(fine, 10)
    for above in ("11", "9" * 5_000):
        with pytest.raises(TooLargeError):
            bodies.check_announced(above, 10)


def test_limits_are_settable(tmp_path: Path) -> None:
    limits = BodyLimits(graphql=100, file_stream=50)
    with (
        RunningServer(tmp_path / "data", body_limits=limits) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        assert client.post("/graphql", content=b" " * 101).status_code == 413
        assert client.post(STREAM, content=b" " * 51).status_code == 413
        assert client.post("/graphql", json={"query": "{ viewer { id } }"}).status_code == 200


def test_a_manifest_above_the_limit_is_413_and_leaves_nothing_behind(tmp_path: Path) -> None:
    files = {"x.txt": b"one"}
    limit = 1001
    with (
        RunningServer(tmp_path / "data", body_limits=BodyLimits(manifest=limit)) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        server.seed("p", [SeedRun(name="r")])
        writer = Writer(client)
        artifact = writer.open(files)["id"]
        births = writer.upload(artifact, files)
        fine = manifest_of(files, births).to_json()
        fine += b" " * (limit - len(fine))
        kept = {path for path in server.store.blobs.rglob("*") if path.is_file()}
        made = writer.ask(MANIFEST, id=artifact, base=None, digest=md5(fine), type="FULL")["artifactManifest"]
        url = httpx.URL(made["file"]["uploadUrl"])
        sent: list[bytes | Iterator[bytes]] = [fine + b" ", iter([fine, b" "]), chunks(64 * MIB)]
        for content in sent:
            answer = httpx.put(url, content=content, trust_env=False, timeout=PATIENCE)
            assert answer.status_code == 413
            assert f"this route reads at most {limit} bytes" in answer.json()["error"]
        head = f"PUT {url.raw_path.decode()} HTTP/1.1\r\nHost: h\r\nContent-Length: {limit + 1}\r\n\r\n"
        with socket.create_connection((url.host, url.port or 0), timeout=PATIENCE) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
        assert {path for path in server.store.blobs.rglob("*") if path.is_file()} == kept
        refused = writer.refusal(COMMIT, id=artifact)
        assert "manifest" in refused
        assert writer.put(str(url), fine).status_code == 200
        assert writer.commit(artifact)["state"] == "COMMITTED"
