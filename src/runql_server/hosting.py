"""Serves a data directory to the process that fills it, such as with an archive, and lets others read only."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from runql_server import timestamps
from runql_server.access import auth
from runql_server.errors import NotFoundError, RequestError
from runql_server.names import check_name
from runql_server.running import RunningServer
from runql_server.runs import runs
from runql_server.sample import NEVER_CRASH


class HostedDirectory:
    """A server over a data directory that its caller fills.

    Attributes:
        url: base URL, on loopback.
        data_dir: the directory.
        write_key: a key that can write.
        read_key: a key that can only read.
    """

    def __init__(self, server: RunningServer, user: str) -> None:
        self.url: str = server.url
        self.data_dir: Path = server.data_dir
        self.write_key: str = auth.new_key()
        self.read_key: str = auth.new_key()
        self._server = server
        self._user = user

    def page_link(self, path: str = "/") -> str:
        """Return a link to a page that signs a browser in; it works once."""
        return self._server.page_link(path, user=self._user)

    def set_times(self, project: str, times: Iterable[tuple[str, str, str]]) -> None:
        """Set when runs began and when they were last heard of, which no client can write.

        Args:
            project: of the user's entity.
            times: id, time of creation and time of the heartbeat of each run, ISO 8601. Of a run that is not there, or
                a time that is none, nothing is set.
        """
        with self._server.store.writing() as connection:
            for run, created, heartbeat in times:
                try:
                    number = runs.number_of(connection, self._user, project, run)
                    moments = [timestamps.comparable(moment)[:19] for moment in (created, heartbeat)]
                except (NotFoundError, ValueError):
                    continue
                connection.execute(
                    "UPDATE runs SET created_at = ?, heartbeat_at = ? WHERE id = ?", (*moments, number)
                )


@contextmanager
def host(data_dir: Path | None, *, user: str, port: int = 0) -> Generator[HostedDirectory]:
    """Serve a data directory inside the block, a temporary one by default, with keys that end with it.

    Args:
        data_dir: the directory; created if missing.
        user: owner of both keys, and of the entity of that name.
        port: 0 picks a free one.

    Raises:
        DataDirectoryError: another server has ``data_dir``, or its database is damaged.
        ValueError: ``user`` cannot be the name of a user.
        OSError: the port is not free, or ``data_dir`` cannot be written.
    """
    try:
        check_name(user, what="user name")
        # Runs that were running when they were exported stay so, however old they are.
        with RunningServer(data_dir, port=port, crash_after=NEVER_CRASH) as server:
            hosted = HostedDirectory(server, user)
            try:
                with server.store.writing() as connection:
                    auth.add_key(connection, hosted.write_key, username=user)
                    auth.add_key(connection, hosted.read_key, username=user, read_only=True)
                yield hosted
            finally:
                with server.store.writing() as connection:
                    for key in (server.api_key, hosted.write_key, hosted.read_key):
                        auth.remove_key(connection, key)
    except RequestError as error:
        raise ValueError(str(error)) from error
    except sqlite3.Error as error:
        raise OSError(
            f"cannot write the database in {data_dir or 'a temporary directory'}: {error}"
        ) from error
