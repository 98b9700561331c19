"""Runs the server in the foreground, for ``runql serve``."""

# ruff: noqa: T201 - the command's output

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import uvicorn

from runql_server.access import auth
from runql_server.app import create_app
from runql_server.exports.policy import ExportPolicy
from runql_server.http import listening
from runql_server.sample import NEVER_CRASH, unpack
from runql_server.storage.store import CRASH_AFTER, Store

# Clients give up on a response after 30 seconds or less.
EXPORTS = ExportPolicy(patience=10.0)


def serve(*, port: int = 8080, data_dir: Path, sample: bool = False, host: str = "127.0.0.1") -> None:
    """Serve a data directory until an interrupt.

    The first start creates an API key and prints it once; the store keeps only its hash. ``port=0`` picks a free
    port. ``sample`` unpacks the sample project into ``data_dir``, which must be empty.

    Raises:
        FileExistsError: ``sample`` is set, and ``data_dir`` holds data.
    """
    if sample:
        unpack(data_dir)
    bound = listening.bind(host, port)
    # One run of the sample is still running; it must not turn into a crashed one while somebody looks at it.
    crash_after = NEVER_CRASH if sample else CRASH_AFTER
    app = create_app(data_dir, crash_after=crash_after, export_policy=EXPORTS)
    store: Store = app.state.store
    with store.connection() as connection:
        key = None if auth.has_keys(connection) else auth.new_key()
    if key is not None:
        add_key(store, key)
    config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=75, timeout_graceful_shutdown=5)
    _announce(listening.url(host, bound), data_dir, key)
    # uvicorn raises the interrupt again after an orderly shutdown.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound])


def add_key(store: Store, key: str) -> None:
    """Accept another API key."""
    with store.writing() as connection:
        auth.add_key(connection, key)


def _announce(url: str, data_dir: Path, key: str | None) -> None:
    print(f"runql server at {url}, data in {data_dir} (stop with Ctrl-C)")
    print(f"  export WANDB_BASE_URL={url}")
    if key is not None:
        print(f"  export WANDB_API_KEY={key}")
        print("The key is shown this once: only its hash is kept.", flush=True)
    else:
        print(
            "  WANDB_API_KEY is the key printed at the first start; for another one add --new-key to", end=" "
        )
        print(f"python -m runql_server --data-dir {data_dir}", flush=True)
