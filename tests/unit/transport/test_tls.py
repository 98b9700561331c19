"""Whom a client trusts, and that certificates are read when the first handshake is due and not before."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme
import uvicorn

from runql import ConfigurationError, ConnectionFailedError, RetryPolicy, User
from runql.config import resolve_settings
from runql.resources.user import read_viewer
from runql.transport.aio import AsyncRetryingClient
from runql.transport.connections import tls
from runql.transport.connections.tls import TRUST_VARIABLES
from runql.transport.sync import RetryingClient
from runql_server.app import create_app
from runql_server.http import listening

KEY = "k" * 40
PATIENT = RetryPolicy(max_attempts=5, first_delay=0.001, jitter=0)
Ask = Callable[[str], User]


def ask(url: str) -> User:
    """The viewer, by the synchronous client."""
    with RetryingClient(resolve_settings(base_url=url, api_key=KEY), retry=PATIENT) as client:
        return client.run(read_viewer())


def ask_awaited(url: str) -> User:
    """The viewer, by the awaited client."""

    async def asked() -> User:
        async with AsyncRetryingClient(resolve_settings(base_url=url, api_key=KEY), retry=PATIENT) as client:
            return await client.run(read_viewer())

    return asyncio.run(asked())


ASKS = pytest.mark.parametrize("asked", [ask, ask_awaited])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def not_installed(_: str) -> None:
    """As `find_spec` finds nothing."""


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names nothing to trust, and truststore is not installed."""
    for variable in TRUST_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(tls, "find_spec", not_installed)


@pytest.fixture
def file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority's certificate."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return file


@pytest.fixture
def trusted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the authority as the one to trust."""
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@contextmanager
def serving(folder: Path, certificate: trustme.LeafCert | None = None) -> Generator[str]:
    """The embedded server on loopback, over TLS when it has a certificate; gives its URL."""
    config = uvicorn.Config(create_app(folder / "data", api_key=KEY), log_config=None)
    if certificate is not None:
        file = folder / "server.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(file)
        config.ssl_certfile = str(file)
    server, socket = uvicorn.Server(config), listening.bind("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


@ASKS
@pytest.mark.usefixtures("trusted")
def test_a_server_of_a_trusted_authority_is_answered(
    authority: trustme.CA, tmp_path: Path, asked: Ask
) -> None:
    with serving(tmp_path, authority.issue_cert("127.0.0.1")) as url:
        assert asked(url).username


@ASKS
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_file_of_an_authority(
    variable: str,
    authority: trustme.CA,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: Ask,
) -> None:
    monkeypatch.setenv(variable, str(file))
    with serving(tmp_path, authority.issue_cert("127.0.0.1")) as url:
        assert asked(url).username


@pytest.fixture
def folder(file: Path, tmp_path: Path) -> Path:
    """A folder that names the authority's certificate as OpenSSL looks for it."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("only openssl shows the name")
    hashed = subprocess.run(
        [openssl, "x509", "-hash", "-noout", "-in", file], capture_output=True, check=True
    )
    (folder / f"{hashed.stdout.decode().strip()}.0").write_bytes(file.read_bytes())
    return folder


@ASKS
@pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_folder_of_authorities(
    variable: str,
    authority: trustme.CA,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: Ask,
) -> None:
    monkeypatch.setenv(variable, str(folder))
    with serving(tmp_path, authority.issue_cert("127.0.0.1")) as url:
        assert asked(url).username


@pytest.mark.parametrize("first", range(3))
def test_the_first_variable_that_is_set_counts(
    first: int, authority: trustme.CA, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    for variable in TRUST_VARIABLES[first + 1 :]:
        monkeypatch.setenv(variable, str(file))
    with serving(tmp_path, authority.issue_cert("127.0.0.1")) as url:
        if TRUST_VARIABLES[first + 1] != "SSL_CERT_DIR":  # which names a folder
            assert ask(url).username
        monkeypatch.setenv(TRUST_VARIABLES[first], str(tmp_path if first == 1 else other))
        with pytest.raises(
            ConnectionFailedError, match=f"runql trusts the certificates that {TRUST_VARIABLES[first]} names"
        ):
            ask(url)


@ASKS
def test_a_server_of_an_unknown_authority_is_refused_once_and_the_error_says_what_to_do(
    authority: trustme.CA, tmp_path: Path, asked: Ask
) -> None:
    with (
        serving(tmp_path, authority.issue_cert("127.0.0.1")) as url,
        pytest.raises(ConnectionFailedError, match="CERTIFICATE_VERIFY_FAILED") as caught,
    ):
        asked(url)
    assert caught.value.attempts == 1
    text = str(caught.value)
    assert all(variable in text for variable in TRUST_VARIABLES)
    assert "certifi's certificates" in text


@ASKS
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's trust is no file")
@pytest.mark.parametrize("kind", ["known", "unknown"])
def test_the_systems_trust_where_truststore_is_installed(
    kind: str,
    authority: trustme.CA,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: Ask,
) -> None:
    reading = pytest.importorskip("truststore._openssl")
    monkeypatch.setattr(tls, "find_spec", find_spec)
    paths = ssl.get_default_verify_paths()
    nothing = ssl.DefaultVerifyPaths("", "", *paths[2:])
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    monkeypatch.setattr(reading, "_CA_FILE_CANDIDATES", [str(file)])
    signer = authority if kind == "known" else trustme.CA()
    with serving(tmp_path, signer.issue_cert("127.0.0.1")) as url:
        if kind == "known":
            assert asked(url).username
            return
        with pytest.raises(
            ConnectionFailedError, match="this system's certificates, read by truststore"
        ) as caught:
            asked(url)
        assert caught.value.attempts == 1


@ASKS
@pytest.mark.usefixtures("trusted")
def test_a_server_of_another_name_is_refused(authority: trustme.CA, tmp_path: Path, asked: Ask) -> None:
    with (
        serving(tmp_path, authority.issue_cert("other.example")) as url,
        pytest.raises(ConnectionFailedError, match=r"certificate is not valid for '127\.0\.0\.1'") as caught,
    ):
        asked(url)
    assert caught.value.attempts == 1
    assert "for another host: check WANDB_BASE_URL" in str(caught.value)


@ASKS
@pytest.mark.parametrize("variable", TRUST_VARIABLES)
@pytest.mark.parametrize("kind", ["absent", "no certificate", "of the wrong kind"])
def test_certificates_are_read_for_https_only(
    kind: str,
    variable: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: Ask,
) -> None:
    named = tmp_path / "named"
    if kind == "no certificate" or (kind == "of the wrong kind" and variable == "SSL_CERT_DIR"):
        named.write_text("nothing")
    elif kind == "of the wrong kind":
        if variable != "SSL_CERT_FILE":
            pytest.skip("may be a folder")
        named.mkdir()
    monkeypatch.setenv(variable, str(named))
    with serving(tmp_path) as url:
        assert asked(url).username
    with (
        serving(tmp_path, authority.issue_cert("127.0.0.1")) as url,
        pytest.raises(ConfigurationError, match=f"check {variable}"),
    ):
        asked(url)
