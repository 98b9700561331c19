"""Runs a library in its interpreter on a copy of the data, and records results and requests of each call."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from tests.conformance.calls.call import Call
from tests.conformance.library import Name
from tests.conformance.plain_values import Json
from tests.conformance.project import NO_CRASH, environment
from tests.conformance.reference_files import ReferenceFiles
from tests.conformance.server_state import Server
from tests.patience import PATIENCE

from runql_server.running import RunningServer

SIGNATURE = re.compile(r"\?expires=\d+&signature=[0-9a-f]+")


@dataclass(frozen=True)
class CallResult:
    """The results of a call through one library.

    Attributes:
        answers: results by subject.
        requests: number for all subjects together, without those that loaded the subjects.
        state: the server's state after the call, None for a call that only reads.
    """

    answers: dict[str, Json]
    requests: int
    state: Json = None


def ask(
    name: Name,
    python: str,
    calls: Iterable[Call],
    *,
    written: Path,
    api_key: str,
    folder: Path,
    references: ReferenceFiles,
) -> dict[str, CallResult]:
    """Make all calls on a copy of the data, and return their results."""
    data_dir = folder / "data"
    shutil.copytree(written, data_dir)
    with (
        RunningServer(data_dir, api_key=api_key, crash_after=NO_CRASH) as server,
        closing(Server(server.url, server.api_key)) as holder,
        _caller(name, python, server, folder, references) as caller,
    ):
        masked = {
            server.url: "http://server",
            references.url: "http://references",
            str(references.folder): "/references",
        }
        return {call.name: _answer(call, server, holder, caller, masked) for call in calls}


@dataclass(frozen=True)
class _Caller:
    process: subprocess.Popen[str]
    printed: Path

    def ask(self, line: str) -> dict[str, Json]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watchdog = Timer(PATIENCE, self.process.kill)
        watchdog.start()
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        watchdog.cancel()
        if not answer:
            raise RuntimeError(f"no answer to {line!r}:\n{self.printed.read_text(errors='replace')[-4_000:]}")
        message: dict[str, Json] = json.loads(answer)
        return message


def _answer(
    call: Call, server: RunningServer, holder: Server, caller: _Caller, masked: Mapping[str, str]
) -> CallResult:
    there = caller.ask(call.name)
    if "failed" in there:
        raise RuntimeError(f"no way to the subjects of {call.name}:\n{there['failed']}")
    server.clear()
    answers = _masked(caller.ask("go"), masked)
    requests = len(server.requests)
    state = holder.state(call.changes, call.name) if call.changes else None
    return CallResult(answers, requests, state)


def _masked(answer: dict[str, Json], masked: Mapping[str, str]) -> dict[str, Json]:
    """Replace the addresses of the server, and remove signatures, which depend on the time."""
    text = SIGNATURE.sub("", json.dumps(answer))
    for address, mask in masked.items():
        text = text.replace(address, mask)
    alike: dict[str, Json] = json.loads(text)
    return alike


@contextmanager
def _caller(
    name: Name, python: str, server: RunningServer, folder: Path, references: ReferenceFiles
) -> Generator[_Caller]:
    place = folder / "caller"
    place.mkdir()
    printed = place / "printed.txt"
    with (
        printed.open("wb") as messages,
        subprocess.Popen(
            [python, "-m", "tests.conformance.call_program", name],
            env=environment(server, place, references),
            cwd=place,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            yield _Caller(process, printed)
        finally:
            process.kill()
