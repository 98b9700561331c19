"""A server that runs in a thread of this process, for tests and demos."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.routing import BaseRoute

from runql_server.access import auth
from runql_server.access.sessions import Sessions
from runql_server.app import PAGE_POLL, ReceivedRequest, create_app
from runql_server.exports.policy import DEFAULT_POLICY, ExportPolicy
from runql_server.graphql.limits import QueryLimits
from runql_server.http import listening
from runql_server.http.bodies import BodyLimits
from runql_server.seed import SeedRun, seed_runs
from runql_server.seed_artifacts import SeedArtifact, seed_artifacts
from runql_server.storage.store import CRASH_AFTER, Store

_HOST = "127.0.0.1"


class RunningServer:
    """The embedded server on loopback, by default on a free port; it runs inside the ``with`` block.

    ``routes`` are those of the application. ``requests`` lists the received requests, in the order of their responses;
    ``clear()`` empties it.
    With ``config_merge=True`` the server merges an updated config into the stored one, as W&B's server is said to do:
    keys that a client deleted come back, nested ones too. By default an update replaces the config.
    Pages of runs that still log renew themselves every ``page_poll``.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int = 0,
        api_key: str | None = None,
        crash_after: timedelta = CRASH_AFTER,
        export_policy: ExportPolicy = DEFAULT_POLICY,
        config_merge: bool = False,
        body_limits: BodyLimits | None = None,
        query_limits: QueryLimits | None = None,
        page_poll: timedelta = PAGE_POLL,
    ) -> None:
        self._own_dir = tempfile.TemporaryDirectory(prefix="runql-server-") if data_dir is None else None
        self.data_dir: Path = Path(self._own_dir.name) if self._own_dir is not None else Path(data_dir or ".")
        self.api_key: str = api_key or auth.new_key()
        self.entity: str = auth.USERNAME
        self.requests: list[ReceivedRequest] = []
        app = create_app(
            self.data_dir,
            api_key=self.api_key,
            crash_after=crash_after,
            export_policy=export_policy,
            config_merge=config_merge,
            body_limits=body_limits,
            query_limits=query_limits,
            page_poll=page_poll,
            on_request=self.requests.append,
        )
        self.routes: tuple[BaseRoute, ...] = tuple(app.routes)
        self.store: Store = app.state.store
        self._sessions: Sessions = app.state.sessions
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_keep_alive=75, timeout_graceful_shutdown=5
        )
        self._server = uvicorn.Server(config)
        try:
            self._socket = listening.bind(_HOST, port)
        except OSError:
            # The directory is free again for a server on another port.
            app.state.shut_down()
            if self._own_dir is not None:
                self._own_dir.cleanup()
            raise
        self.url: str = listening.url(_HOST, self._socket)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="runql-server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the embedded server did not start")
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        if self._own_dir is not None:
            self._own_dir.cleanup()

    def clear(self) -> None:
        """Forget the requests received so far."""
        self.requests.clear()

    def page_link(self, path: str = "/", *, user: str = auth.USERNAME) -> str:
        """Return a link to a page that signs a browser in, as a user that has a key; it works once."""
        with self.store.connection() as connection:
            token = self._sessions.new_token(auth.user_number(connection, user))
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={token}"

    def seed(self, project: str, runs: Iterable[SeedRun]) -> list[str]:
        """Insert runs into the store, and return their run ids."""
        return seed_runs(self.store, project=project, runs=runs)

    def seed_artifacts(self, project: str, artifacts: Iterable[SeedArtifact]) -> list[str]:
        """Insert artifact versions into the store, and return their names, such as ``weights:v3``."""
        return seed_artifacts(self.store, project=project, artifacts=artifacts)
