"""Console logs: every line once, in order, or an error that says how many are missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.contract.both_clients import Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, listed, taken
from tests.contract.writing.stored_run import FULL, KEY

from runql import (
    ConsoleLogLine,
    MismatchedResponseError,
    PaginationError,
    ProjectNotFoundError,
    RunNotFoundError,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

LINES = tuple(
    f"{'ERROR ' if number % 7 == 3 else ''}2026-03-01T10:00:{number:02}.123456 line {number}"
    for number in range(25)
)


@pytest.fixture
def run(server: RunningServer, project: str, face: Face) -> Untyped:
    server.seed(project, [SeedRun(name="r", log=LINES), SeedRun(name="silent")])
    found = face.take(face.api(server.url, server.api_key).run(f"{server.entity}/{project}/r"))
    server.clear()
    return found


def test_every_line_in_order_one_request_a_page(run: Untyped, server: RunningServer, face: Face) -> None:
    lines = listed(face, run.console_logs(per_page=10))
    assert [line.number for line in lines] == list(range(25))
    assert [line.content for line in lines] == [f"line {number}" for number in range(25)]
    assert lines[3] == ConsoleLogLine(
        3, datetime(2026, 3, 1, 10, 0, 3, 123456, tzinfo=UTC), "error", "", "line 3"
    )
    assert lines[0].level == ""
    assert [request.operation for request in server.requests] == ["ListLogLines"] * 3


def test_nothing_is_sent_before_it_is_looked_at_and_little_for_a_look(
    run: Untyped, server: RunningServer, face: Face
) -> None:
    logs = run.console_logs(per_page=10)
    assert server.requests == []
    assert taken(face, logs.length) == 25
    assert taken(face, logs[9]).content == "line 9"
    assert len(server.requests) == 1
    assert [line.number for line in taken(face, logs[8:12])] == [8, 9, 10, 11]
    assert len(server.requests) == 2


@pytest.mark.parametrize("last", [1, 10, 25, 26, 5000])
def test_the_newest_lines_are_one_request(last: int, run: Untyped, server: RunningServer, face: Face) -> None:
    logs = run.console_logs(last=last)
    assert [line.number for line in listed(face, logs)] == list(range(25))[-last:]
    assert taken(face, logs.length) == min(last, 25)
    assert [request.operation for request in server.requests] == ["GetLastLogLines"]


def test_a_run_without_output_has_no_lines(
    run: Untyped, server: RunningServer, project: str, face: Face
) -> None:
    silent: Untyped = face.take(face.api(server.url, server.api_key).run(f"{server.entity}/{project}/silent"))
    for logs in (silent.console_logs(), silent.console_logs(last=5)):
        assert listed(face, logs) == []
        assert taken(face, logs.length) == 0


@pytest.mark.parametrize("given", [{"per_page": 0}, {"last": 0}, {"last": -1}])
def test_a_count_below_one_is_refused(given: dict[str, int], run: Untyped, server: RunningServer) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        run.console_logs(**given)
    assert server.requests == []


# -- servers of another temper ------------------------------------------------------------------------------------


def in_run(name: str = "r", **fields: object) -> dict[str, dict[str, object]]:
    """The data of a response about a run."""
    return {"project": {"name": "p", "entityName": "e", "run": {"name": name, **fields}}}


def answers(
    numbers: Sequence[int],
    *,
    cap: int = 1000,
    early_end: bool = False,
    numbered: bool = True,
    counted: bool = True,
) -> Callable[[ScriptedServer], None]:
    """A server of a log of these lines that returns at most ``cap`` of them and may not say that more follow."""

    def set_up(server: ScriptedServer) -> None:
        def route(_path: str) -> ScriptedResponse:
            asked = json.loads(server.asked[-1].body)["variables"]
            if "last" in asked:
                found = list(numbers)[-min(asked["last"], cap) :]
                more = False
            else:
                start = int(asked.get("after") or -1) + 1
                left = [number for number in numbers if number >= start]
                found = left[: min(asked["first"], cap)]
                more = len(found) < len(left) and not early_end
            nodes = [
                {
                    "number": number if numbered else None,
                    "timestamp": None,
                    "level": None,
                    "label": None,
                    "line": f"line {number}",
                }
                for number in found
            ]
            lines = {
                "pageInfo": {"hasNextPage": more, "endCursor": str(found[-1]) if found else None},
                "edges": [{"node": node} for node in nodes],
            }
            count = 25 if counted else None
            return ScriptedResponse(json.dumps({"data": in_run(logLineCount=count, logLines=lines)}).encode())

        server.route = route

    return set_up


def hand_made(scripted: ScriptedServer, face: Face) -> Untyped:
    return face.run(face.client(scripted.url, KEY), "e", "p", "r", FULL)


def test_a_page_that_ends_early_without_saying_so_is_gone_on_behind(
    scripted: ScriptedServer, face: Face
) -> None:
    answers(range(25), early_end=True)(scripted)
    lines = listed(face, hand_made(scripted, face).console_logs(per_page=10))
    assert [line.number for line in lines] == list(range(25))


def test_lines_that_never_come_are_counted_in_the_error(scripted: ScriptedServer, face: Face) -> None:
    answers(range(20), early_end=True)(scripted)
    logs = hand_made(scripted, face).console_logs(per_page=10)
    with pytest.raises(PaginationError, match="20 of 25 console lines of run e/p/r: 5 are missing"):
        listed(face, logs)
    assert len(taken(face, logs[:20])) == 20


@pytest.mark.parametrize("last", [3, 12, 25, 40])
@pytest.mark.parametrize("cap", [2, 10])
def test_newest_lines_beyond_the_servers_cap_are_read_from_the_beginning(
    cap: int, last: int, scripted: ScriptedServer, face: Face
) -> None:
    answers(range(25), cap=cap)(scripted)
    lines = listed(face, hand_made(scripted, face).console_logs(last=last))
    assert [line.number for line in lines] == list(range(25))[-last:]
    assert (len(scripted.asked) == 1) == (last <= cap)


@pytest.mark.parametrize("counted", [True, False])
def test_lines_without_numbers_are_counted_here(counted: bool, scripted: ScriptedServer, face: Face) -> None:
    answers(range(25), numbered=False, counted=counted)(scripted)
    logs = hand_made(scripted, face).console_logs(per_page=10)
    assert taken(face, logs.length) == 25
    assert [line.number for line in listed(face, logs)] == list(range(25))
    assert all(line.timestamp is None and line.level == line.label == "" for line in listed(face, logs))


def test_a_cursor_that_stands_still_is_an_error(scripted: ScriptedServer, face: Face) -> None:
    lines: dict[str, Any] = {
        "pageInfo": {"hasNextPage": True, "endCursor": None},
        "edges": [{"node": {"number": 0, "line": "x"}}],
    }
    scripted.give_data(in_run(logLineCount=9, logLines=lines))
    with pytest.raises(PaginationError, match="stands still at None after 1 of 9"):
        listed(face, hand_made(scripted, face).console_logs())


@pytest.mark.parametrize("last", [None, 5])
def test_what_is_not_there_is_not_found(last: int | None, scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data({"project": None}, {"project": {**in_run()["project"], "run": None}})
    run = hand_made(scripted, face)
    with pytest.raises(ProjectNotFoundError):
        listed(face, run.console_logs(last=last))
    with pytest.raises(RunNotFoundError):
        listed(face, run.console_logs(last=last))


@pytest.mark.parametrize("last", [None, 5])
def test_lines_of_another_run_are_refused(last: int | None, scripted: ScriptedServer, face: Face) -> None:
    scripted.give_data(in_run("other", logLineCount=0, logLines=None))
    with pytest.raises(MismatchedResponseError, match="other"):
        listed(face, hand_made(scripted, face).console_logs(last=last))
