"""Runs the server in the foreground, for ``runql serve``."""

# ruff: noqa: T201 - the command's output

from __future__ import annotations

import sqlite3
import ssl
from contextlib import closing, suppress
from pathlib import Path
from socket import socket

import uvicorn

from runql_server.access import auth
from runql_server.access.sessions import Sessions
from runql_server.app import create_app
from runql_server.errors import RequestError
from runql_server.exports.policy import ExportPolicy
from runql_server.http import listening
from runql_server.http.listening import Tls
from runql_server.sample import NEVER_CRASH, unpack
from runql_server.storage.store import CRASH_AFTER, Store

# Clients give up on a response after 30 seconds or less.
EXPORTS = ExportPolicy(patience=10.0)


def serve(
    *,
    port: int = 8080,
    data_dir: Path,
    sample: bool = False,
    host: str = "127.0.0.1",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    insecure_listen: bool = False,
) -> None:
    """Serve a data directory until an interrupt.

    The first start creates an API key and prints it once; the store keeps only its hash. ``port=0`` picks a free
    port. ``sample`` unpacks the sample project into ``data_dir``, which must be empty. A ``host`` that other machines
    reach needs a certificate and its key, or ``insecure_listen``.

    Raises:
        ExposedError: ``host`` is not on loopback, and there is neither TLS nor ``insecure_listen``.
        DataDirectoryError: another server has ``data_dir``, or its database is damaged.
        FileExistsError: ``sample`` is set, and ``data_dir`` holds data.
        OSError: the address is not free, or the certificate cannot be read.
    """
    tls = _tls(tls_cert, tls_key)
    listening.check_exposure(host, tls, insecure=insecure_listen)
    # Before the sample is unpacked: a port in use must not leave a directory that the next call refuses.
    bound = listening.bind(host, port)
    if sample:
        _unpack(data_dir, bound)
    # One run of the sample is still running; it must not turn into a crashed one while somebody looks at it.
    crash_after = NEVER_CRASH if sample else CRASH_AFTER
    app = create_app(data_dir, crash_after=crash_after, export_policy=EXPORTS)
    key = _first_key(app.state.store)
    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
        ssl_certfile=None if tls is None else tls.certificate,
        ssl_keyfile=None if tls is None else str(tls.key),
    )
    # uvicorn raises the interrupt again after an orderly shutdown.
    with suppress(KeyboardInterrupt):
        try:
            url = listening.url(host, bound, scheme="http" if tls is None else "https")
            _announce(url, data_dir, key, token=_token(app.state.store, app.state.sessions))
            uvicorn.Server(config).run(sockets=[bound])
        finally:
            # Again, because an interrupt may come before the application starts.
            app.state.shut_down()


def _unpack(data_dir: Path, bound: socket) -> None:
    try:
        unpack(data_dir)
    except BaseException:
        bound.close()
        raise


def print_new_key(*, data_dir: Path, user: str = auth.USERNAME, read_only: bool = False) -> None:
    """Add an API key of a user, and print it once; also while a server runs over the directory.

    Raises:
        ValueError: ``user`` cannot be the name of a user.
        OSError: the directory or its database cannot be written.
    """
    key = auth.new_key()
    try:
        with closing(Store(data_dir)) as store, store.writing() as connection:
            auth.add_key(connection, key, username=user, read_only=read_only)
    except RequestError as error:
        raise ValueError(str(error)) from error
    except sqlite3.Error as error:
        raise OSError(f"cannot write the database in {data_dir}: {error}") from error
    print(f"export WANDB_API_KEY={key}")


def _first_key(store: Store) -> str | None:
    with store.writing() as connection:
        if auth.has_keys(connection):
            return None
        key = auth.new_key()
        auth.add_key(connection, key)
        return key


def _token(store: Store, sessions: Sessions) -> str:
    with store.connection() as connection:
        return sessions.new_token(auth.user_number(connection))


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise OSError("TLS needs both a certificate and its key: give --tls-cert and --tls-key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise OSError(f"TLS cannot use {certificate} and {key}: {error}") from error
    return Tls(certificate, key)


def _announce(url: str, data_dir: Path, key: str | None, *, token: str) -> None:
    print(f"runql server at {url}, data in {data_dir} (stop with Ctrl-C)")
    print(f"  in a browser, once: {url}/?token={token}")
    print(f"  export WANDB_BASE_URL={url}")
    if key is not None:
        print(f"  export WANDB_API_KEY={key}")
        print("The key is shown this once: only its hash is kept.", flush=True)
    else:
        print(
            "  WANDB_API_KEY is the key printed at the first start; for another one:",
            f"runql serve --data-dir {data_dir} --new-key local",
            flush=True,
        )
