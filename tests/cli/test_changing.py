"""`runql tag`, `untag`, `set` and `delete`: what they show, change, log and refuse."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.invoking import Done, run

from runql import Api, Run
from runql.cli.changing.changes import Setting
from runql.cli.console.failures import AskedWronglyError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

HOME = "wandb/p"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("changing") / "server") as server:
        yield server


@pytest.fixture
def server(running: RunningServer, request: pytest.FixtureRequest) -> RunningServer:
    running.seed(
        project(request),
        [
            SeedRun(
                name=f"run{place}",
                state="crashed" if place % 3 == 0 else "finished",
                config={"lr": place / 10, "deep": {"x": place}},
                summary={"acc": place / 10},
                tags=("old",) if place % 2 else (),
            )
            for place in range(9)
        ],
    )
    running.requests.clear()
    return running


def project(request: pytest.FixtureRequest) -> str:
    return str(abs(hash(request.node.nodeid)))


@pytest.fixture
def home(server: RunningServer, request: pytest.FixtureRequest) -> str:
    return f"{server.entity}/{project(request)}"


def runs(server: RunningServer, home: str) -> dict[str, Run]:
    with Api(base_url=server.url, api_key=server.api_key) as api:
        return {run.id: run for run in api.runs(home)[:]}


def sent(server: RunningServer) -> list[str | None]:
    return [request.operation for request in server.requests]


def test_a_dry_run_shows_count_and_ids_and_changes_nothing(server: RunningServer, home: str) -> None:
    done = run("tag", home, "best", "--filter", "summary.acc > 0.55", server=server)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["id", "run6", "run7", "run8"]
    assert "tags: old → old, best" in done.stdout
    assert "3 of 3 runs would be tagged; nothing was changed: repeat with --yes" in done.stderr
    assert sent(server) == ["ListRuns"]
    assert not any("best" in run.tags for run in runs(server, home).values())


def test_tagging_sends_one_request_a_run_and_one_a_page(server: RunningServer, home: str) -> None:
    done = run("tag", home, "best", "--filter", "summary.acc > 0.55", "--yes", server=server)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs were tagged" in done.stderr
    assert sent(server) == ["ListRuns", *["UpdateRun"] * 3]
    assert [name for name, run in runs(server, home).items() if "best" in run.tags] == [
        "run6",
        "run7",
        "run8",
    ]
    assert runs(server, home)["run7"].tags == ["old", "best"]


def test_runs_that_have_the_tag_cost_no_request(server: RunningServer, home: str) -> None:
    done = Done("tag", home, "old", "--all", "--yes", "--format", "jsonl", server=server)
    assert done.code == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        f"run{n}" for n in range(0, 9, 2)
    ]
    assert "5 of 9 runs were tagged" in done.stderr
    assert sent(server) == ["ListRuns", *["UpdateRun"] * 5]


def test_a_change_that_moves_runs_out_of_the_filter_reaches_all_of_them(
    server: RunningServer, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runql.cli.changing.work.LIGHT_PAGE", 2)
    done = Done("untag", home, "old", "--filter", '"old" in tags', "--yes", server=server)
    assert done.code == 0, done.stderr
    assert not any(run.tags for run in runs(server, home).values())
    assert sent(server)[:2] == ["ListRuns", "ListRuns"]


def test_one_run_is_changed_without_a_filter(server: RunningServer, home: str) -> None:
    assert Done("tag", f"{home}/run1", "a", "b", "a", "--yes", server=server).code == 0
    assert runs(server, home)["run1"].tags == ["old", "a", "b"]


def test_fields_config_and_summary_are_set(server: RunningServer, home: str) -> None:
    arguments = ["set", home, "group=base line", "config.lr=1e-3", "config.deep.x=true", "config.a.b=text"]
    arguments += ['summary.best={"v": [1]}', "--filter", 'id == "run2"']
    shown = Done(*arguments, server=server)
    assert shown.code == 0, shown.stderr
    assert 'group: "" → "base line"; config.lr: 0.2 → 0.001; config.deep.x: 2 → true' in shown.stdout
    assert runs(server, home)["run2"].config == {"lr": 0.2, "deep": {"x": 2}}
    server.requests.clear()
    done = Done(*arguments, "--yes", server=server)
    assert done.code == 0, done.stderr
    assert sent(server) == ["ListFullRuns", "UpdateRun", "UpdateRun"]
    run = runs(server, home)["run2"]
    assert run.group == "base line"
    assert run.config == {"lr": 0.001, "deep": {"x": True}, "a.b": "text"}
    assert run.summary["best"] == {"v": [1]}
    again = Done(*arguments, "--yes", server=server)
    assert "0 of 1 run were changed" in again.stderr


def test_runs_are_deleted_only_with_yes(server: RunningServer, home: str) -> None:
    crashed = ["delete", home, "--filter", 'state == "crashed"']
    assert "3 of 3 runs would be deleted" in run(*crashed, server=server).stderr
    assert len(runs(server, home)) == 9
    done = run(*crashed, "--yes", server=server)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs were deleted" in done.stderr
    assert set(runs(server, home)) == {"run1", "run2", "run4", "run5", "run7", "run8"}


def test_a_second_call_with_the_same_log_goes_on(server: RunningServer, home: str, tmp_path: Path) -> None:
    log = tmp_path / "tagged.jsonl"
    tag = ["tag", home, "best", "--all", "--log", str(log)]
    shown = Done(*tag, server=server)
    assert shown.code == 0
    assert not log.exists()
    assert Done(*tag, "--yes", server=server).code == 0
    lines = log.read_text().splitlines()
    assert [json.loads(line)["run"] for line in lines] == [f"{home}/run{place}" for place in range(9)]
    # As after a kill: four lines, and a part of the fifth.
    log.write_text("\n".join([*lines[:4], lines[4][:20]]))
    assert Done("untag", home, "best", "--all", "--yes", server=server).code == 0
    server.requests.clear()
    done = Done(*tag, "--yes", server=server)
    assert done.code == 0
    assert "5 of 9 runs were tagged, 4 are done by the log" in done.stderr
    assert sent(server) == ["ListRuns", *["UpdateRun"] * 5]
    assert [json.loads(line)["run"] for line in log.read_text().splitlines()] == [
        f"{home}/run{place}" for place in range(9)
    ]


def test_a_failure_in_the_middle_says_what_is_left(
    server: RunningServer, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "tagged.jsonl"
    tag = ["tag", home, "best", "--all", "--log", str(log), "--yes"]
    update, count = Run.update, iter(range(9))

    def interrupted(run: Run) -> None:
        if next(count) == 4:
            raise KeyboardInterrupt
        update(run)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "update", interrupted)
        stopped = Done(*tag, server=server)
    assert stopped.code == 130
    assert stopped.stdout == ""
    assert "4 of 9 runs were tagged, 5 are left: the same command goes on" in stopped.stderr
    assert "runql tag: interrupted" in stopped.stderr
    assert len(log.read_text().splitlines()) == 4
    assert "5 of 9 runs were tagged, 4 are done by the log" in Done(*tag, server=server).stderr
    assert all("best" in run.tags for run in runs(server, home).values())


def test_a_run_that_is_gone_does_not_stop_the_others(
    server: RunningServer, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = Run.update

    def late(run: Run) -> None:
        if run.id == "run3":
            run.delete()
        update(run)

    monkeypatch.setattr(Run, "update", late)
    done = Done("tag", home, "best", "--all", "--yes", "--format", "csv", server=server)
    assert done.code == 1
    assert "8 of 9 runs were tagged, 1 are gone" in done.stderr
    assert next(line for line in done.stdout.splitlines() if line.endswith(",crashed,gone")).startswith(
        "run3,"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag", HOME, "x"], "which runs? Give --filter FILTER, or --all"),
        (["delete", HOME, "--yes"], "which runs?"),
        (["delete", HOME, "--filter", "{}", "--yes"], "the filter matches every run"),
        (["delete", HOME, "--filter", "", "--yes"], "it is empty"),
        (["delete", HOME, "--filter", "id == 'a'", "--all"], "not both"),
        (["tag", f"{HOME}/run1", "x", "--all"], "is one run"),
        (["tag", "wandb", "x", "--all"], "is no project"),
        (["tag", f"{HOME}/mlp:v1", "x", "--all"], "is no project"),
        (["tag", HOME, "", "--all"], "a tag is empty"),
        (["tag", HOME], "Missing argument"),
        (["set", HOME, "lr", "--all"], "is no assignment"),
        (["set", HOME, "lr=1", "--all"], "there is no field 'lr' to set"),
        (["set", HOME, "state=finished", "--all"], "there is no field 'state'"),
        (["set", HOME, "config.=1", "--all"], "there is no field"),
        (["set", HOME, "group=a", "group=b", "--all"], "group is set twice"),
        (["tag", HOME, "x", "--filter", "lr > 1"], "there is no field 'lr'"),
    ],
)
def test_what_is_asked_wrongly_sends_nothing(
    running: RunningServer, arguments: list[str], message: str
) -> None:
    running.requests.clear()
    done = Done(*arguments, server=running)
    assert done.code == 2
    assert message in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert not running.requests


def test_the_caret_is_on_stderr(running: RunningServer) -> None:
    done = run("delete", HOME, "--filter", "config.a == 1 and lr > 1", "--yes", server=running)
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == ["  config.a == 1 and lr > 1", "                    ^"]


@pytest.mark.parametrize(
    "content",
    ["id,name\n", '{"run": "a"}\n', "[1]\n", "half a line", '{"run": "a", "command": "tag other"}\n'],
)
def test_a_file_that_is_no_log_of_the_command_stays_as_it_is(
    running: RunningServer, tmp_path: Path, content: str
) -> None:
    running.requests.clear()
    log = tmp_path / "log"
    log.write_text(content)
    done = Done("tag", HOME, "best", "--all", "--yes", "--log", str(log), server=running)
    assert done.code == 2
    assert "log" in done.stderr
    assert log.read_text() == content
    assert not running.requests


@pytest.mark.posix
def test_a_full_disk_stops_after_the_run_that_was_not_logged(
    server: RunningServer, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log = tmp_path / "log"
    with monkeypatch.context() as patch:
        patch.setattr("runql.cli.changing.log.os.fsync", full)
        done = Done("tag", home, "best", "--all", "--yes", "--log", str(log), server=server)
    assert done.code == 1
    assert f"run0 is done, but cannot write {log}: No space left on device" in done.stderr
    assert "1 of 9 runs were tagged, 8 are left" in done.stderr
    assert [name for name, run in runs(server, home).items() if "best" in run.tags] == ["run0"]


@pytest.mark.parametrize("log", ["/dev/null", "/", "/nowhere/at/all"])
def test_a_log_is_a_file(server: RunningServer, home: str, log: str) -> None:
    done = Done("tag", home, "best", "--all", "--yes", "--log", log, server=server)
    assert done.code == (1 if "nowhere" in log else 2)
    assert log in done.stderr
    assert not any("best" in run.tags for run in runs(server, home).values())


def test_an_unknown_project_is_not_found(running: RunningServer) -> None:
    done = run("delete", f"{running.entity}/nowhere", "--all", "--yes", server=running)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert done.stdout == ""


def test_names_with_control_characters_are_escaped(running: RunningServer) -> None:
    running.seed("odd", [SeedRun(name="odd", display_name="a\x1b[31mb", tags=("\x07",))])
    done = run("tag", f"{running.entity}/odd", "x", "--all", server=running)
    assert "a\\x1b[31mb" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("1.0", 1.0),
        ("true", True),
        ("null", None),
        ("yes", "yes"),
        ('"1"', "1"),
        ("", ""),
        ("[1", "[1"),
    ],
)
def test_a_value_is_json_or_a_str(text: str, value: object) -> None:
    assert repr(Setting.checked([f"config.x={text}"]).values["config.x"]) == repr(value)


def test_an_assignment_keeps_what_comes_after_the_first_equals_sign() -> None:
    assert Setting.checked(["notes=a=b"]).values == {"notes": "a=b"}
    with pytest.raises(AskedWronglyError):
        Setting.checked(["=b"])
