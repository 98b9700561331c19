"""`python -m tests.faults.transfer_program`: runs each transfer from stdin in a forked process, which a test may kill.

One JSON line per command, one per result: `{"start": {...}}` returns the process id, `{"wait": id}` its exit code,
negative for a signal. Forking avoids the imports of a new interpreter, which take longer than a transfer.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
from pydantic import TypeAdapter
from tests.contract.file_responses import ATTRS, KEY, TWICE
from tests.patience import PATIENCE

from runql import AsyncRetryingClient, AsyncRun, AsyncRuns, RetryingClient, Run, Runs
from runql.config import resolve_settings

# Small, so that histories consist of many parts.
PER_PAGE, PAGE_SIZE = 2, 20

FILE_EVENTS = {
    "open",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "fcntl.flock",
}


@dataclass(frozen=True)
class Transfer:
    """One transfer.

    Attributes:
        face: the sync or the async client.
        what: download the run's file to ``folder``, upload it from there, or write the project's histories,
            as one file or as a folder for each run.
        url: the server.
        folder: folder of the file ``d/x.bin``.
        report: path of the report that the process writes.
        run: entity, project and run.
        key: the API key.
        killed_at: number, from 1, of the file operation before which the process kills itself; 0 for never.
        largest: limit of a file's size in bytes, which simulates a full disk; -1 for no limit.
    """

    face: Literal["sync", "async"]
    what: Literal["download", "upload", "histories", "partitions"]
    url: str
    folder: str
    report: str
    run: tuple[str, str, str] = ("e", "p", "abc")
    key: str = KEY
    killed_at: int = 0
    largest: int = -1


@dataclass(frozen=True)
class Command:
    """One line of stdin."""

    start: Transfer | None = None
    wait: int = 0


def perform(transfer: Transfer) -> None:
    """Perform the transfer."""
    folder, path = Path(transfer.folder), Path(transfer.folder, "d/x.bin")
    partition_by = "run_id" if transfer.what == "partitions" else None
    settings = resolve_settings(base_url=transfer.url, api_key=transfer.key, timeout=PATIENCE, environ={})

    async def awaited() -> None:
        async with AsyncRetryingClient(settings, retry=TWICE) as client:
            run = AsyncRun(client, *transfer.run, ATTRS)
            if transfer.what in {"histories", "partitions"}:
                runs = AsyncRuns(client, *transfer.run[:2], per_page=PER_PAGE)
                scan = runs.scan_histories(format="default", page_size=PAGE_SIZE, max_concurrency=2)
                await scan.sink_parquet(path, partition_by=partition_by)
            elif transfer.what == "upload":
                await run.upload_file(path, folder)
            else:
                (await (await run.file("d/x.bin")).download(folder, replace=True)).close()

    if transfer.face == "async":
        anyio.run(awaited)
        return
    with RetryingClient(settings, retry=TWICE) as client:
        run = Run(client, *transfer.run, ATTRS)
        if transfer.what in {"histories", "partitions"}:
            runs = Runs(client, *transfer.run[:2], per_page=PER_PAGE)
            scan = runs.scan_histories(format="default", page_size=PAGE_SIZE, max_concurrency=2)
            scan.sink_parquet(path, partition_by=partition_by)
        elif transfer.what == "upload":
            run.upload_file(path, folder)
        else:
            run.file("d/x.bin").download(folder, replace=True).close()


def perform_in_child(transfer: Transfer) -> None:
    """Perform the transfer in this process under its limits, and write the report."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    if transfer.largest >= 0:
        # Cut bytecode would stay, for all later processes to import.
        sys.dont_write_bytecode = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (transfer.largest, unlimited[1]))
    done = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal done
        if event in FILE_EVENTS and (event == "fcntl.flock" or str(arguments[0]).startswith(transfer.folder)):
            done += 1
            if done == transfer.killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

    if transfer.killed_at:
        sys.addaudithook(count)
    report: dict[str, object] = {}
    try:
        perform(transfer)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        report = {"error": type(error).__name__, "errno": getattr(error, "errno", None), "text": str(error)}
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    Path(transfer.report).write_text(json.dumps(report), "utf-8")


def main() -> None:
    """Execute commands until stdin ends."""
    for line in sys.stdin:
        command = TypeAdapter(Command).validate_json(line)
        if command.start is None:
            answer = os.waitstatus_to_exitcode(os.waitpid(command.wait, 0)[1])
        else:
            answer = os.fork()
            if not answer:
                perform_in_child(command.start)
                os._exit(0)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
