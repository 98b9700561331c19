"""Keys of users, read-only keys, and no listening beyond loopback without TLS."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from tests.patience import PATIENCE
from tests.server.server_process import environment, start

from runql_server import serve as serving
from runql_server.access import auth
from runql_server.errors import RequestError
from runql_server.graphql import schema
from runql_server.http import listening
from runql_server.http.listening import ExposedError, Tls
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

Query = Callable[..., dict[str, Any]]
WHO = "{ viewer { username entity } }"
UPSERT = 'mutation { upsertBucket(input: {modelName: "p", name: "x"}) { bucket { user { username } project { entity { name } } } } }'
FILES = 'query($upload: Boolean) { project(name: "p") { run(name: "r") { files(names: ["a"]) { edges { node { uploadUrl url(upload: $upload) } } } } } }'


def key_of(server: RunningServer, username: str = auth.USERNAME, *, read_only: bool = False) -> str:
    key = auth.new_key()
    with server.store.writing() as connection:
        auth.add_key(connection, key, username=username, read_only=read_only)
    return key


def client_of(server: RunningServer, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, auth=("api", key), trust_env=False)


def test_a_key_is_one_user_who_owns_what_is_logged_with_it(server: RunningServer) -> None:
    with client_of(server, key_of(server, "ada")) as ada, client_of(server, server.api_key) as local:
        assert ada.post("/graphql", json={"query": WHO}).json()["data"]["viewer"] == {
            "username": "ada",
            "entity": "ada",
        }
        assert local.post("/graphql", json={"query": WHO}).json()["data"]["viewer"]["username"] == "local"
        made = ada.post("/graphql", json={"query": UPSERT}).json()["data"]["upsertBucket"]["bucket"]
        assert made == {"user": {"username": "ada"}, "project": {"entity": {"name": "ada"}}}
    # A second key of the user makes no second user.
    key_of(server, "ada")
    with server.store.connection() as connection:
        names = [row["username"] for row in connection.execute("SELECT username FROM users ORDER BY id")]
    assert names == ["local", "ada"]


@pytest.mark.parametrize("name", ["", "a/b", "x" * 200, "a?b", "a\0"])
def test_a_user_needs_a_name_that_fits_a_path(server: RunningServer, name: str) -> None:
    with pytest.raises(RequestError, match="user name"):
        key_of(server, name)


@pytest.fixture
def reader(server: RunningServer) -> Iterator[httpx.Client]:
    server.seed("p", [SeedRun(name="r", history=[{"loss": 1}])])
    with client_of(server, key_of(server, read_only=True)) as client:
        yield client


def mutations() -> list[str]:
    mutation = schema.load().mutation_type
    assert mutation is not None
    return sorted(mutation.fields)


def test_a_read_only_key_reads(reader: httpx.Client) -> None:
    asked = '{ project(name: "p") { run(name: "r") { historyLineCount historyKeys } } }'
    run = reader.post("/graphql", json={"query": asked}).json()["data"]["project"]["run"]
    assert run["historyLineCount"] == 1


def test_a_read_only_key_cannot_write(server: RunningServer, reader: httpx.Client) -> None:
    with server.store.connection() as connection:
        before = list(connection.iterdump())
    for text in (UPSERT, 'mutation { deleteRun(input: {id: "UnVuOjE="}) { clientMutationId } }'):
        answer = reader.post("/graphql", json={"query": text})
        assert (answer.status_code, "read-only" in answer.json()["errors"][0]["message"]) == (403, True)
    two = f'query Q {WHO} mutation M {{ deleteRun(input: {{id: "UnVuOjE="}}) {{ clientMutationId }} }}'
    for name, status in (("M", 403), ("Q", 200)):
        assert reader.post("/graphql", json={"query": two, "operationName": name}).status_code == status
    posted = reader.post("/files/local/p/r/file_stream", json={"complete": True})
    assert (posted.status_code, "read-only" in posted.json()["error"]) == (403, True)
    with server.store.connection() as connection:
        assert list(connection.iterdump()) == before


def test_a_read_only_key_gets_no_address_for_uploads(reader: httpx.Client) -> None:
    body = reader.post("/graphql", json={"query": FILES, "variables": {"upload": True}}).json()
    (edge,) = body["data"]["project"]["run"]["files"]["edges"]
    assert edge["node"] == {"uploadUrl": None, "url": None}
    assert {error["message"].partition(":")[0] for error in body["errors"]} == {"this API key is read-only"}


def test_a_new_key_works_while_the_server_runs(
    server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    serving.print_new_key(data_dir=server.data_dir, user="ada", read_only=True)
    key = capsys.readouterr().out.strip().partition("WANDB_API_KEY=")[2]
    with client_of(server, key) as client:
        assert client.post("/graphql", json={"query": WHO}).json()["data"]["viewer"]["username"] == "ada"
        assert client.post("/graphql", json={"query": UPSERT}).status_code == 403
    with server.store.connection() as connection:
        assert key not in "\n".join(connection.iterdump())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert listening.is_loopback(host) is expected
    tls = Tls(Path("c"), Path("k"))
    listening.check_exposure(host, tls, insecure=False)
    listening.check_exposure(host, None, insecure=True)
    if expected:
        listening.check_exposure(host, None, insecure=False)
    else:
        with pytest.raises(ExposedError, match="--tls-cert"):
            listening.check_exposure(host, None, insecure=False)


def serve(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runql_server", "--port", "0", "--data-dir", "data", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)


def test_an_exposed_address_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    refused = serve("--host", "0.0.0.0", cwd=tmp_path)
    assert refused.returncode == 2
    assert (
        "API keys would travel unencrypted: give --tls-cert and --tls-key, or --insecure-listen"
        in refused.stderr
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tls-cert", "c.pem"], "needs both a certificate and its key"),
        (["--tls-key", "c.pem"], "needs both a certificate and its key"),
        (["--tls-cert", "c.pem", "--tls-key", "absent.pem"], "TLS cannot use c.pem and absent.pem"),
        (["--read-only"], "--read-only needs --new-key"),
        (["--new-key", "a/b"], "cannot add a key: invalid user name"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "c.pem").write_text("no certificate")
    refused = serve(*arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert message in refused.stderr


def test_the_server_speaks_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType] - trustme names pyOpenSSL's types
    started = start(
        tmp_path / "data", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")
    )
    try:
        assert started.url.startswith("https://127.0.0.1:")
        with httpx.Client(
            base_url=started.url, auth=("api", started.key or ""), verify=trusting, trust_env=False
        ) as client:
            assert client.post("/graphql", json={"query": WHO}).status_code == 200
            client.post("/graphql", json={"query": UPSERT})
            text = 'query { project(name: "p") { run(name: "x") { files(names: ["a"]) { edges { node { uploadUrl } } } } } }'
            found = client.post("/graphql", json={"query": text}).json()["data"]["project"]["run"]["files"]
            assert found["edges"][0]["node"]["uploadUrl"].startswith(started.url), (
                "signed addresses have TLS, too"
            )
    finally:
        started.process.send_signal(signal.SIGINT)
        started.process.communicate(timeout=PATIENCE)
