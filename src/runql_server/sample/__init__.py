"""The sample project: digits, trained for real, logged by the official SDKs, and served on request."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runql_server import timestamps
from runql_server.running import RunningServer
from runql_server.storage.store import Store

ARCHIVE = Path(__file__).with_name("digits.tar.xz")
PROJECT = "digits"
# One run of the sample is still running, as long as anybody looks at it.
NEVER_CRASH = timedelta(days=365)


@dataclass(frozen=True)
class Sample:
    """A server that holds the sample.

    Attributes:
        url: its base URL, on loopback.
        api_key: a key it accepts.
        entity: who owns the project.
        project: its name.
    """

    url: str
    api_key: str
    entity: str
    project: str


def unpack(data_dir: Path) -> None:
    """Put the sample into an empty data directory; its running run gave its last sign of life just now.

    Raises:
        FileExistsError: the directory holds data already.
    """
    if (data_dir / "runql.sqlite3").exists():
        raise FileExistsError(f"{data_dir} holds data already: the sample wants a directory of its own")
    data_dir.mkdir(parents=True, exist_ok=True)
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(data_dir, filter="data")
    store = Store(data_dir)
    with store.writing() as connection:
        now = timestamps.to_string(timestamps.now())
        connection.execute("UPDATE runs SET heartbeat_at = ? WHERE state = 'running'", (now,))
    store.close()


@contextmanager
def start() -> Generator[Sample]:
    """Serve the sample on a free loopback port until the end of the block, from a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="runql-sample-") as folder:
        data_dir = Path(folder) / "data"
        unpack(data_dir)
        with RunningServer(data_dir, crash_after=NEVER_CRASH) as server:
            yield Sample(server.url, server.api_key, server.entity, PROJECT)
