"""The compared data: a project that an official SDK writes to an embedded server, and copies of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from tests.conformance import write_project
from tests.conformance.reference_files import ReferenceFiles
from tests.conformance.server_state import Server
from tests.patience import ENVIRONMENT, PATIENCE, until

from runql_server.running import RunningServer

SCRIPT = Path(write_project.__file__)
NO_CRASH = timedelta(hours=1)
"""Longer than the comparison: a running run stays running."""


def write(python: str, data_dir: Path, folder: Path, references: ReferenceFiles) -> str:
    """Let an official SDK write the project, and return the API key of the data.

    The process of the crashed run is killed. Its heartbeat is dated back, so that the server regards it as crashed
    without a wait. The running run is cut off from the server, so that nothing changes during the comparison.
    """
    with ExitStack() as stack:
        started = partial(_started, python, references)
        server = stack.enter_context(RunningServer(data_dir, crash_after=NO_CRASH))
        staying = {
            name: stack.enter_context(started(folder / name, server, "--stay", name))
            for name in write_project.STAYING
        }
        with started(folder / "writer", server) as writer:
            if writer.wait(PATIENCE) != 0:
                raise RuntimeError(f"{SCRIPT.name} failed:\n{_printed(folder / 'writer')}")
        for name, process in staying.items():
            _wait_for_rows(server, name, folder / name, process)
        _kill(staying["crashed"])
        with server.store.writing() as connection:
            connection.execute(
                "UPDATE runs SET heartbeat_at = strftime('%Y-%m-%dT%H:%M:%S', heartbeat_at, '-2 hours') "
                "WHERE name = 'crashed'"
            )
        return server.api_key


def environment(server: RunningServer, folder: Path, references: ReferenceFiles) -> dict[str, str]:
    """Return an environment without the machine's configuration, and without error reporting."""
    return {
        **ENVIRONMENT,
        "REFERENCED_FOLDER": str(references.folder),
        "REFERENCED_URL": references.url,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(SCRIPT.parents[2]),
        "WANDB_DIR": str(folder),
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_DATA_DIR": str(folder / "data"),
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ERROR_REPORTING": "false",
        # No server here uses TLS, and loading certificates for each entry point costs more than most calls.
        "SSL_CERT_DIR": str(folder),
        "WANDB_CONSOLE": "off",
    }


@contextmanager
def _started(
    python: str, references: ReferenceFiles, folder: Path, server: RunningServer, *arguments: str
) -> Generator[subprocess.Popen[bytes]]:
    folder.mkdir(parents=True)
    with (
        (folder / "printed.txt").open("wb") as printed,
        subprocess.Popen(
            [python, str(SCRIPT), *arguments],
            env=environment(server, folder, references),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children without cleanup."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for_rows(server: RunningServer, run: str, folder: Path, process: subprocess.Popen[bytes]) -> None:
    def have_arrived() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{run} has ended:\n{_printed(folder)}")
        return holder.line_count(write_project.PROJECT, run) >= write_project.STAY_ROWS

    with closing(Server(server.url, server.api_key)) as holder:
        until(have_arrived)


def _printed(folder: Path) -> str:
    return (folder / "printed.txt").read_text(errors="replace")[-4_000:]
