"""The conformance suite's calls on a project and on the same project after an export and an import: equal results."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archive.allowed import ALLOWED, Rounds, kind_of
from tests.conformance import project
from tests.conformance.calls.every import CALLS
from tests.conformance.comparison import VERSIONS, Mismatch, mismatches
from tests.conformance.library import Name
from tests.conformance.library_process import CallResult, ask
from tests.conformance.plain_values import Json
from tests.conformance.reference_files import serve
from tests.profiles import usual_part

from runql import Api
from runql_server.running import RunningServer

pytestmark = [pytest.mark.nightly, pytest.mark.long, pytest.mark.oracle, pytest.mark.posix]
READERS: tuple[Name, ...] = ("runql", "runql-awaited")
WRITERS = usual_part(sorted(VERSIONS, reverse=True), lambda _: "version")


@pytest.fixture(scope="module", params=WRITERS)
def rounds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rounds]:
    """Both clients' results of every call on the original projects, and on the imported ones."""
    python = os.environ.get(VERSIONS[request.param])
    if not python:
        pytest.skip(f"{VERSIONS[request.param]} names no interpreter with the official SDK: use `make test`")
    folder = tmp_path_factory.mktemp("rounds")
    with serve(folder / "references") as references:
        written, back = folder / "written", folder / "back"
        key = project.write(python, written, folder / "sdk", references)
        sweeps = _take_round(written, back, folder / "archives", key)

        def results(name: Name, data: Path, into: str) -> dict[str, CallResult]:
            return ask(
                name,
                sys.executable,
                CALLS.values(),
                written=data,
                api_key=key,
                folder=folder / into,
                references=references,
            )

        yield Rounds(
            sweeps,
            {
                name: (results(name, written, f"{name}-before"), results(name, back, f"{name}-after"))
                for name in READERS
            },
        )


def _take_round(written: Path, back: Path, archives: Path, key: str) -> dict[str, str]:
    """Export all projects, import them, and return the new ids of the sweeps."""
    sweeps: dict[str, str] = {}
    with (
        RunningServer(written, api_key=key, crash_after=project.NO_CRASH) as source,
        RunningServer(back, api_key=key, crash_after=project.NO_CRASH) as target,
        Api(base_url=source.url, api_key=key) as one,
        Api(base_url=target.url, api_key=key) as other,
    ):
        # Oldest first, as their ids count: the server lists projects by their age.
        for found in sorted(one.projects(source.entity), key=lambda each: base64.b64decode(str(each.id))):
            path = f"{source.entity}/{found.name}"
            archive = found.export(archives / found.name, files=True, artifacts=True, progress=False)
            assert archive.problems == []
            report = other.import_project(archive.folder, path, progress=False)
            assert report.left_out == []
            before = [sweep.id for sweep in found.sweeps()]
            sweeps |= dict(zip(before, [sweep.id for sweep in other.project(path).sweeps()], strict=True))
    return sweeps


def _found(before: CallResult, after: CallResult) -> list[Mismatch]:
    return list(mismatches(_as_json(before), _as_json(after)))


def _as_json(result: CallResult) -> Json:
    return {"answers": result.answers, "afterwards": result.state, "requests": result.requests}


@pytest.mark.parametrize("reader", READERS)
def test_every_call_returns_the_same_after_a_round(rounds: Rounds, reader: Name) -> None:
    before, after = rounds.results[reader]
    assert {*before} == {*after} == {*CALLS}
    wrong = {
        f"{call}/{'/'.join(each.way)}": (each.official, each.ours)
        for call in CALLS
        for each in _found(before[call], after[call])
        if (kind := kind_of(each, rounds.sweeps)) is None or call not in ALLOWED[kind].calls
    }
    assert wrong == {}, "\n".join(f"{k}: {v}" for k, v in wrong.items())


@pytest.mark.parametrize("reader", READERS)
def test_every_allowed_difference_occurs(rounds: Rounds, reader: Name) -> None:
    before, after = rounds.results[reader]
    seen = {
        (kind_of(each, rounds.sweeps), call) for call in CALLS for each in _found(before[call], after[call])
    }
    listed = {(kind, call) for kind, allowed in ALLOWED.items() for call in allowed.calls}
    assert listed - seen == set()


def test_the_calls_read_what_a_round_must_keep(rounds: Rounds) -> None:
    before, _ = rounds.results["runql"]
    for call, label, least in (
        ("scan_history", "rich", 1_200),
        ("history_of_machines", "rich", 2),
        ("files", "rich", 9),
        ("manifest", "data:v1", 5),
        ("console_logs", "", 6),
    ):
        answer = before[call].answers[label]
        assert isinstance(answer, (list, dict)), call
        assert len(answer) >= least, call
