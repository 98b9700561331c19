"""Both clients with ``partial="allow"`` on a server that fails for some runs: the rest is returned, and one warning says so."""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, listed, taken

from runql import Api, IncompleteHistoriesError, PartialResultWarning, QueryError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = [{"_step": step, "loss": step / 2} for step in range(5)]
GOOD = ["r0", "r2"]
HISTORIES = {"ListHistories", "ListWholeHistories"}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        running.seed("p", [SeedRun(name=name, history=ROWS) for name in ("r0", "r1", "r2")])
        yield running


def failing(key: str = "") -> InterceptingTransport:
    """The server fails at each page with rows of r1, and repeats the API key."""

    def fault(sent: Sent) -> Fault:
        if sent.answer is None or sent.operation not in HISTORIES:
            return None
        runs: list[dict[str, Any]] = json.loads(sent.answer)["data"]["project"]["runs"]["edges"]  # Any: JSON
        if all(edge["node"]["name"] != "r1" for edge in runs):
            return None
        errors = [{"message": f"no rows,\n\x1b[31mkey {key}", "path": ["project", "runs"]}]
        return httpx.Response(200, json={"data": None, "errors": errors})

    return InterceptingTransport(fault)


def _histories(runs: Untyped, face: Face, _folder: Path) -> list[str]:
    return [row["run_id"] for row in taken(face, runs.histories())]


def _frame(runs: Untyped, face: Face, _folder: Path) -> list[str]:
    return [*taken(face, runs.histories(format="polars"))["run_id"]]


def _collected(runs: Untyped, face: Face, _folder: Path) -> list[str]:
    return [*taken(face, runs.scan_histories().collect())["run_id"]]


def _pivoted(runs: Untyped, face: Face, _folder: Path) -> list[str]:
    frame = taken(face, runs.scan_histories(["loss"], pivot=True).collect())
    return [name for name in frame.columns if name != "_step" for _ in range(frame.height)]


def _in_parts(runs: Untyped, face: Face, _folder: Path) -> list[str]:
    return [run for frame in listed(face, runs.scan_histories(["loss"])) for run in frame["run_id"]]


def _in_a_file(runs: Untyped, face: Face, folder: Path) -> list[str]:
    taken(face, runs.scan_histories().sink_parquet(folder / "all.parquet"))
    assert [*folder.iterdir()] == [folder / "all.parquet"]
    return [*pl.read_parquet(folder / "all.parquet")["run_id"]]


Read = Callable[[Any, Face, Path], list[str]]  # Any: as `Untyped`
READS: tuple[Read, ...] = (_histories, _frame, _collected, _pivoted, _in_parts, _in_a_file)


@pytest.mark.parametrize("read", READS)
def test_the_others_are_returned_and_one_warning_names_the_run(
    read: Read, face: Face, server: RunningServer, tmp_path: Path
) -> None:
    transport = failing(server.api_key)
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    runs = taken(face, api.with_options(partial="allow").runs(f"{server.entity}/p"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = read(runs, face, tmp_path)
    assert found == [run for run in GOOD for _ in ROWS]
    (warning,) = [each.message for each in caught]
    assert isinstance(warning, PartialResultWarning)
    assert warning.failed == ("r1",)
    assert [*warning.reasons] == ["r1"]
    assert "no rows" in warning.reasons["r1"]
    shown = repr((str(warning), vars(warning), warning.args))
    assert server.api_key not in shown
    assert "key ***" in str(warning)
    assert str(warning).isprintable()
    allowed, transport.seen[:] = [sent.operation for sent in transport.seen], []
    with pytest.raises(IncompleteHistoriesError) as error:
        read(taken(face, api.runs(f"{server.entity}/p")), face, tmp_path / "other")
    assert error.value.reasons == warning.reasons
    assert [sent.operation for sent in transport.seen] == allowed


def test_an_error_whose_reasons_repeat_the_key_shows_none(face: Face, server: RunningServer) -> None:
    def fault(sent: Sent) -> Fault:
        if sent.answer is None or sent.operation not in HISTORIES:
            return None
        content = json.loads(sent.answer)
        for edge in content["data"]["project"]["runs"]["edges"]:
            if edge["node"]["name"] == "r1":
                edge["node"] |= {"name": server.api_key, "history": None}
        return httpx.Response(200, json=content)

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(fault))
    with pytest.raises(IncompleteHistoriesError) as caught:
        taken(face, taken(face, api.runs(f"{server.entity}/p")).histories())
    assert caught.value.failed == ("***",)
    assert server.api_key not in repr((caught.value.reasons, str(caught.value)))
    allowing = api.with_options(partial="allow")
    with pytest.warns(PartialResultWarning) as warned:
        taken(face, taken(face, allowing.runs(f"{server.entity}/p")).histories())
    (warning,) = [each.message for each in warned]
    assert isinstance(warning, PartialResultWarning)
    assert server.api_key not in repr((str(warning), vars(warning), warning.args))


def test_the_warning_names_the_callers_line(server: RunningServer) -> None:
    with Api(
        api_key=server.api_key, base_url=server.url, transport=failing(), partial="allow", allow_insecure=True
    ) as api:
        runs = api.runs(f"{server.entity}/p")
        with pytest.warns(PartialResultWarning) as caught:
            runs.histories()
        assert [each.filename for each in caught] == [__file__]
        with pytest.raises(IncompleteHistoriesError):
            api.with_options(partial="raise").runs(f"{server.entity}/p").histories()
        with warnings.catch_warnings():
            warnings.simplefilter("error", PartialResultWarning)
            with pytest.raises(PartialResultWarning, match="r1"):
                runs.histories()


def test_another_value_is_refused_before_anything_is_sent(face: Face, server: RunningServer) -> None:
    transport = failing()
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    with pytest.raises(ValueError, match="partial must be 'raise' or 'allow', not 'some'"):
        api.with_options(partial="some")
    with pytest.raises(ValueError, match="partial must be 'raise' or 'allow'"):
        type(api)(api_key="x" * 40, base_url=server.url, allow_insecure=True, partial=None)
    assert transport.seen == []


def beside_data(
    *fields: str, operation: str = "GetRun", path: list[object] | None = None, key: str = ""
) -> InterceptingTransport:
    """The server sends errors beside data: these fields of r1 are null."""

    def fault(sent: Sent) -> Fault:
        if sent.answer is None or sent.operation != operation:
            return None
        content = json.loads(sent.answer)
        project = content["data"]["project"]
        where: list[object] = ["project", "run"]
        node = project.get("run")
        if node is None:
            edges = [edge["node"]["name"] for edge in project["runs"]["edges"]]
            place = edges.index("r1")
            where = ["project", "runs", "edges", place, "node"]
            node = project["runs"]["edges"][place]["node"]
        for field in fields:
            node[field] = None
        errors = [
            {"message": f"{field} is down,\n\x1b[31mkey {key}", "path": path or [*where, field]}
            for field in fields
        ]
        return httpx.Response(200, json=content | {"errors": errors})

    return InterceptingTransport(fault)


def test_a_run_without_the_fields_that_failed(face: Face, server: RunningServer) -> None:
    transport = beside_data("systemMetrics", "user", key=server.api_key)
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    where = f"{server.entity}/p/r1"
    with pytest.raises(QueryError, match="systemMetrics is down"):
        taken(face, api.run(where))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = taken(face, api.with_options(partial="allow").run(where))
    assert (run.user, run.id) == (None, "r1")
    (warning,) = [each.message for each in caught]
    assert isinstance(warning, PartialResultWarning)
    assert [*warning.parts] == ["project.run.systemMetrics", "project.run.user"]
    assert warning.failed == ()
    assert server.api_key not in repr((str(warning), vars(warning), warning.args))
    assert "lacks 2 part(s), project.run.systemMetrics, project.run.user: systemMetrics is down" in str(
        warning
    )
    assert str(warning).isprintable()
    assert [sent.operation for sent in transport.seen] == ["GetRun", "GetRun"]
    copy = pickle.loads(pickle.dumps(warning))
    assert (str(copy), vars(copy)) == (str(warning), vars(warning))


def test_a_list_of_runs_without_a_field_of_one(face: Face, server: RunningServer) -> None:
    transport = beside_data("historyKeys", operation="ListFullRuns")
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    with pytest.raises(QueryError, match="historyKeys is down"):
        listed(face, taken(face, api.runs(f"{server.entity}/p")))
    runs = taken(face, api.with_options(partial="allow").runs(f"{server.entity}/p"))
    with pytest.warns(PartialResultWarning, match=r"project\.runs\.edges\.1\.node\.historyKeys"):
        found = listed(face, runs)
    assert [run.id for run in found] == ["r0", "r1", "r2"]
    assert [run.history_keys is None for run in found] == [False, True, False]


@pytest.mark.parametrize(
    "transport",
    [
        beside_data("config"),
        beside_data("notes"),
        beside_data("systemMetrics", path=["project", "run"]),
        beside_data("systemMetrics", path=["project"]),
        beside_data("systemMetrics", path=["project", "run", "historyKeys"]),
        beside_data("systemMetrics", path=["elsewhere", "run", "systemMetrics"]),
        beside_data("systemMetrics", path=[{}]),
        beside_data("systemMetrics", "config"),
    ],
)
def test_what_an_edit_could_write_back_and_what_is_not_null_stay_errors(
    transport: InterceptingTransport, face: Face, server: RunningServer
) -> None:
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    with pytest.raises(QueryError, match="is down"):
        taken(face, api.with_options(partial="allow").run(f"{server.entity}/p/r1"))


def test_a_list_that_is_null_stays_an_error(face: Face, server: RunningServer) -> None:
    def fault(sent: Sent) -> Fault:
        if sent.answer is None or sent.operation != "ListFullRuns":
            return None
        content = json.loads(sent.answer)
        content["data"]["project"]["runs"] = None
        errors = [{"message": "list is down", "path": ["project", "runs"]}]
        return httpx.Response(200, json=content | {"errors": errors})

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(fault))
    with pytest.raises(QueryError, match="list is down"):
        listed(face, taken(face, api.with_options(partial="allow").runs(f"{server.entity}/p")))


def test_a_read_that_precedes_an_edit_lacks_nothing(face: Face, server: RunningServer) -> None:
    transport = beside_data("config")
    api: Untyped = face.api(server.url, server.api_key, transport=transport)
    allowing = api.with_options(partial="allow")
    (run,) = [
        each for each in listed(face, taken(face, allowing.runs(f"{server.entity}/p"))) if each.id == "r1"
    ]
    with pytest.raises(QueryError, match="config is down"):
        taken(face, run.load(force=True))
