"""Null instead of rows, and unreadable rows: every reader of rows raises an error that names the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.both_clients import AnyApi, Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, listed, taken

from runql import CorruptHistoryError, IncompleteHistoriesError, IncompleteHistoryError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = [{"_step": step, "loss": step / 2} for step in range(5)]
FIELDS = ("history", "sampledHistory", "events")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        events = [{"_runtime": place, "_timestamp": place, "system.cpu": 1} for place in range(3)]
        running.seed("p", [SeedRun(name=name, history=ROWS, events=events) for name in ("good", "bad")])
        yield running


def _history(api: AnyApi, face: Face, path: str, **given: Any) -> object:  # Any: passed on
    run = face.take(api.run(f"{path}/bad"))
    return face.take(run.history(pandas=False, **given))


def _iterated(api: AnyApi, face: Face, path: str, **given: Any) -> object:  # Any: passed on
    return face.items(face.take(api.run(f"{path}/bad")).scan_history(**given))


def _framed(api: AnyApi, face: Face, path: str, **given: Any) -> object:  # Any: passed on
    return face.take(face.take(api.run(f"{path}/bad")).scan_history(**given).to_polars())


def _histories(api: AnyApi, face: Face, path: str, **given: Any) -> object:  # Any: passed on
    histories: Untyped = face.take(api.runs(path)).histories
    return taken(face, histories(**given))


def _collected(api: AnyApi, face: Face, path: str, **given: Any) -> object:  # Any: passed on
    scan: Untyped = face.take(api.runs(path)).scan_histories
    return taken(face, scan(**given).collect())


def _in_parts(api: AnyApi, face: Face, path: str, **given: Any) -> object:  # Any: passed on
    scan: Untyped = face.take(api.runs(path)).scan_histories
    return listed(face, scan(**given))


Read = Callable[..., object]
ALONE: tuple[Read, ...] = (_history, _iterated, _framed)
TOGETHER: tuple[Read, ...] = (_histories, _collected, _in_parts)


def tampered(change: Callable[[dict[str, Any]], None]) -> Callable[[Sent], Fault]:  # Any: JSON
    """Changes what is answered of the run called bad."""

    def fault(sent: Sent) -> Fault:
        if sent.answer is None or not any(f'"{field}"' in sent.answer for field in FIELDS):
            return None
        body = json.loads(sent.answer)
        project = body["data"]["project"]
        nodes = [edge["node"] for edge in project["runs"]["edges"]] if "runs" in project else [project["run"]]
        for node in nodes:
            if node.get("name", "bad") == "bad":
                change(node)
        return httpx.Response(200, json=body)

    return fault


def without_rows(node: dict[str, Any]) -> None:  # Any: JSON
    for field in FIELDS:
        if field in node:
            node[field] = None


def without_a_list(node: dict[str, Any]) -> None:  # Any: JSON
    if "sampledHistory" in node:
        node["sampledHistory"] = [None] * len(node["sampledHistory"])
    else:
        without_rows(node)


def with_a_bad_row(node: dict[str, Any]) -> None:  # Any: JSON
    for field in ("history", "events"):
        if field in node:
            node[field][1] = "{no JSON"
    for rows in node.get("sampledHistory", []):
        rows[1] = None


def with_a_bad_step(node: dict[str, Any]) -> None:  # Any: JSON
    if "history" in node:
        node["history"][1] = '{"_step": "one", "loss": 1}'
    for rows in node.get("sampledHistory", []):
        rows[1]["_step"] = "one"


ASKED: list[dict[str, Any]] = [{}, {"keys": ["loss"]}]  # Any: passed on


@pytest.mark.parametrize("given", ASKED, ids=["whole", "keys"])
@pytest.mark.parametrize("read", ALONE)
@pytest.mark.parametrize("change", [without_rows, without_a_list])
def test_null_is_not_no_rows(
    change: Callable[[dict[str, Any]], None],
    read: Read,
    given: dict[str, Any],
    face: Face,
    server: RunningServer,
) -> None:
    api = face.api(server.url, server.api_key, transport=InterceptingTransport(tampered(change)))
    with pytest.raises(IncompleteHistoryError, match="local/p/bad are missing: the server sent null"):
        read(api, face, f"{server.entity}/p", **given)


@pytest.mark.parametrize("given", ASKED, ids=["whole", "keys"])
@pytest.mark.parametrize("read", ALONE)
@pytest.mark.parametrize("change", [with_a_bad_row, with_a_bad_step])
def test_a_row_that_cannot_be_read_is_named(
    change: Callable[[dict[str, Any]], None],
    read: Read,
    given: dict[str, Any],
    face: Face,
    server: RunningServer,
) -> None:
    api = face.api(server.url, server.api_key, transport=InterceptingTransport(tampered(change)))
    with pytest.raises(CorruptHistoryError, match=r"^row 1 .* of run local/p/bad") as caught:
        read(api, face, f"{server.entity}/p", **given)
    assert (caught.value.run, caught.value.row) == ("local/p/bad", 1)


@pytest.mark.parametrize("given", ASKED, ids=["whole", "keys"])
@pytest.mark.parametrize("read", TOGETHER)
@pytest.mark.parametrize("change", [without_rows, without_a_list, with_a_bad_row, with_a_bad_step])
def test_of_many_runs_the_others_are_read(
    change: Callable[[dict[str, Any]], None],
    read: Read,
    given: dict[str, Any],
    face: Face,
    server: RunningServer,
) -> None:
    api = face.api(server.url, server.api_key, transport=InterceptingTransport(tampered(change)))
    with pytest.raises(IncompleteHistoriesError, match="local/p/bad") as caught:
        read(api, face, f"{server.entity}/p", **given)
    assert caught.value.failed == ("bad",)
    if read is not _in_parts:
        assert [row["_step"] for row in caught.value.partial] == [row["_step"] for row in ROWS]
        assert {row["run_id"] for row in caught.value.partial} == {"good"}


@pytest.mark.parametrize("change", [without_rows, with_a_bad_row])
def test_machine_rows_are_no_exception(
    change: Callable[[dict[str, Any]], None], face: Face, server: RunningServer
) -> None:
    api = face.api(server.url, server.api_key, transport=InterceptingTransport(tampered(change)))
    for keys in (None, ["system.cpu"]):
        with pytest.raises((IncompleteHistoryError, CorruptHistoryError), match="local/p/bad"):
            _history(api, face, f"{server.entity}/p", stream="system", keys=keys)
        with pytest.raises(IncompleteHistoriesError, match="local/p/bad"):
            _histories(api, face, f"{server.entity}/p", stream="system", keys=keys)


def test_no_file_is_written_without_a_run(face: Face, server: RunningServer, tmp_path: Path) -> None:
    api = face.api(server.url, server.api_key, transport=InterceptingTransport(tampered(with_a_bad_row)))
    runs = face.take(api.runs(f"{server.entity}/p"))
    with pytest.raises(IncompleteHistoriesError, match="bad"):
        face.take(runs.scan_histories().sink_parquet(tmp_path / "all.parquet"))
    assert not (tmp_path / "all.parquet").exists()
