"""Whom a client trusts, and that certificates are read when the first handshake is due and not before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
import uvicorn

from runql import ConfigurationError, ConnectionFailedError, RetryPolicy, User
from runql.config import resolve_settings
from runql.resources.user import read_viewer
from runql.transport.aio import AsyncRetryingClient
from runql.transport.sync import RetryingClient
from runql_server import listening
from runql_server.app import create_app

KEY = "k" * 40
ONCE = RetryPolicy(max_attempts=1)
Ask = Callable[[str], User]


def ask(url: str) -> User:
    """The viewer, by the synchronous client."""
    with RetryingClient(resolve_settings(base_url=url, api_key=KEY), retry=ONCE) as client:
        return client.run(read_viewer())


def ask_awaited(url: str) -> User:
    """The viewer, by the awaited client."""

    async def asked() -> User:
        async with AsyncRetryingClient(resolve_settings(base_url=url, api_key=KEY), retry=ONCE) as client:
            return await client.run(read_viewer())

    return asyncio.run(asked())


ASKS = pytest.mark.parametrize("asked", [ask, ask_awaited])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the authority as the one to trust."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
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
def test_a_server_of_an_unknown_authority_is_refused(
    authority: trustme.CA, tmp_path: Path, asked: Ask
) -> None:
    with (
        serving(tmp_path, authority.issue_cert("127.0.0.1")) as url,
        pytest.raises(ConnectionFailedError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        asked(url)


@ASKS
@pytest.mark.usefixtures("trusted")
def test_a_server_of_another_name_is_refused(authority: trustme.CA, tmp_path: Path, asked: Ask) -> None:
    with (
        serving(tmp_path, authority.issue_cert("other.example")) as url,
        pytest.raises(ConnectionFailedError, match=r"certificate is not valid for '127\.0\.0\.1'"),
    ):
        asked(url)


@ASKS
def test_certificates_are_read_for_https_only(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Ask
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    with serving(tmp_path) as url:
        assert asked(url).username
    with (
        serving(tmp_path, authority.issue_cert("127.0.0.1")) as url,
        pytest.raises(ConfigurationError, match="check SSL_CERT_FILE"),
    ):
        asked(url)
