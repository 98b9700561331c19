"""The sample project: models trained on digits, logged by the official SDKs, ready to serve."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runql_server import timestamps
from runql_server.running import RunningServer
from runql_server.storage.store import Store

ARCHIVE = Path(__file__).with_name("digits.tar.xz")
PROJECT = "digits"
# One run of the sample stays in the running state.
NEVER_CRASH = timedelta(days=365)


@dataclass(frozen=True)
class Sample:
    """A server with the sample project.

    Attributes:
        url: base URL, on loopback.
        api_key: a valid API key.
        entity: owner of the project.
        project: name of the project.
        page_link: a function that returns a link to a page, such as ``/local/digits``; it signs a browser in, once.
    """

    url: str
    api_key: str
    entity: str
    project: str
    page_link: Callable[[str], str]


def unpack(data_dir: Path) -> None:
    """Unpack the sample into an empty data directory; its running run gets a heartbeat of now.

    Raises:
        FileExistsError: the directory already holds data.
    """
    if (data_dir / "runql.sqlite3").exists():
        raise FileExistsError(
            f"{data_dir} holds data already: serve it without the sample, or name another directory"
        )
    data_dir.mkdir(parents=True, exist_ok=True)
    write_files(data_dir)
    store = Store(data_dir)
    with store.writing() as connection:
        now = timestamps.to_string(timestamps.now())
        connection.execute("UPDATE runs SET heartbeat_at = ? WHERE state = 'running'", (now,))
    store.close()


def write_files(folder: Path) -> None:
    """Write the files of the archive, which is part of the package, below a folder."""
    # `extractall` takes no filter before Python 3.11.4, and Debian 12 has 3.11.2.
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


@contextmanager
def start() -> Generator[Sample]:
    """Serve the sample on a free loopback port inside the block, from a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="runql-sample-") as folder:
        data_dir = Path(folder) / "data"
        unpack(data_dir)
        with RunningServer(data_dir, crash_after=NEVER_CRASH) as server:
            yield Sample(server.url, server.api_key, server.entity, PROJECT, server.page_link)
