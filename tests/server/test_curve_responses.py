"""Responses with curves, by plain HTTP: what they hold, when there is nothing new, and what the server refuses."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runql_server.access.sessions import Session, Sessions
from runql_server.access.signing import Signer
from runql_server.curves import rows as curve_rows
from runql_server.lenient_json import JsonInput, JsonObject
from runql_server.running import RunningServer
from runql_server.runs import lines, runs
from runql_server.runs.curve_chunks import LINES
from runql_server.seed import SeedRun

CURVES = "/local/p/runs/r/curves"


@pytest.fixture
def browser(server: RunningServer) -> Iterator[httpx.Client]:
    rows = [
        {"loss": step / 2, "odd": math.nan if step == 1 else math.inf if step == 2 else 1}
        for step in range(6)
    ]
    server.seed("p", [SeedRun(name="r", state="running", history=rows, events=[{"_timestamp": 7, "system.cpu": 3}]), SeedRun(name="empty")])  # fmt: skip
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, follow_redirects=True) as client:
        client.get(server.page_link("/"))
        yield client


def log(server: RunningServer, run: str, offset: int, *rows: JsonInput) -> None:
    with server.store.writing() as connection:
        number = runs.number_of(connection, "local", "p", run)
        lines.write_history(
            connection, number, lines.parse_history([json.dumps(row) for row in rows], offset)
        )


def curves(browser: httpx.Client, path: str = CURVES, **query: str | int | list[str]) -> dict[str, Any]:
    response = browser.get(path, params=query)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = response.json()
    return body


def test_a_response_holds_points_and_counts_what_is_not_finite(browser: httpx.Client) -> None:
    body = curves(browser, key=["loss", "odd", "none"])
    assert {name: body[name] for name in ("rows", "kept", "complete", "running")} == {
        "rows": 6,
        "kept": 0,
        "complete": True,
        "running": True,
    }
    assert body["curves"] == [
        {
            "key": "loss",
            "x": [0, 1, 2, 3, 4, 5],
            "y": [0, 0.5, 1, 1.5, 2, 2.5],
            "notFinite": 0,
            "overlaps": False,
        },
        {
            "key": "odd",
            "x": [0, 1, 2, 3, 4, 5],
            "y": [1, None, None, 1, 1, 1],
            "notFinite": 2,
            "overlaps": False,
        },
        {"key": "none", "x": [], "y": [], "notFinite": 0, "overlaps": False},
    ]
    assert curves(browser)["curves"] == []


def test_a_range_holds_its_points_and_the_nearest_on_either_side(browser: httpx.Client) -> None:
    body = curves(browser, key="loss", **{"from": "1.5", "to": "3"})
    assert body["curves"][0]["x"] == [1, 2, 3, 4]
    body = curves(browser, key="loss", **{"from": "2", "to": "2"})
    assert body["curves"][0]["x"] == [1, 2, 3]


def test_events_are_a_stream_of_their_own(browser: httpx.Client) -> None:
    body = curves(browser, stream="events", x="_timestamp", key="system.cpu")
    assert body["curves"] == [{"key": "system.cpu", "x": [7], "y": [3], "notFinite": 0, "overlaps": False}]


def test_a_run_without_rows_has_no_points(browser: httpx.Client, server: RunningServer) -> None:
    path = "/local/p/runs/empty/curves"
    body = curves(browser, path, key="loss")
    assert (body["rows"], body["complete"], body["curves"][0]["x"]) == (0, True, [])
    assert browser.get(path, params={"key": "loss", "version": body["version"]}).status_code == 204
    log(server, "empty", 0, {"loss": 1})
    again = curves(browser, path, key="loss", version=body["version"])
    assert again["curves"][0]["y"] == [1]


def test_nothing_new_is_204_until_a_row_is_added_or_changed(
    browser: httpx.Client, server: RunningServer
) -> None:
    version = curves(browser, key="loss")["version"]
    unchanged = browser.get(CURVES, params={"key": "loss", "version": version})
    assert (unchanged.status_code, unchanged.content) == (204, b"")
    log(server, "r", 6, {"loss": 9})
    body = curves(browser, key="loss", version=version)
    assert body["curves"][0]["y"][-1] == 9
    # As many rows as before, but another value.
    log(server, "r", 6, {"loss": 8})
    body = curves(browser, key="loss", version=body["version"])
    assert body["curves"][0]["y"][-1] == 8


def test_a_part_of_a_long_history_is_no_newest_version(browser: httpx.Client, server: RunningServer) -> None:
    log(server, "empty", 0, *({"loss": step} for step in range(10 * LINES)))
    path, version, parts = "/local/p/runs/empty/curves", "", list[dict[str, Any]]()
    while not parts or not parts[-1]["complete"]:
        parts.append(curves(browser, path, key="loss", version=version))
        version = parts[-1]["version"]
        assert len(parts) < 10
    assert len(parts) >= 2
    assert browser.get(path, params={"key": "loss", "version": version}).status_code == 204
    assert (parts[-1]["curves"][0]["x"][0], parts[-1]["curves"][0]["x"][-1]) == (0, 10 * LINES - 1)


def test_a_curve_of_a_long_history_reads_no_row_of_a_kept_chunk(
    browser: httpx.Client, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(server, "empty", 0, *({"loss": step, "acc": -step} for step in range(20 * LINES + 7)))
    path = "/local/p/runs/empty/curves"
    while not curves(browser, path, key="loss")["complete"]:
        pass
    seen: list[int] = []
    original = curve_rows.read

    def counted(*arguments: Any) -> Iterator[JsonObject]:
        for row in original(*arguments):
            seen.append(1)
            yield row

    monkeypatch.setattr(curve_rows, "read", counted)
    body = curves(browser, path, key=["loss", "acc"], pixels=600)
    # The rows after the last whole chunk, and no other.
    assert len(seen) == 7
    assert body["curves"][0]["y"][-1] == 20 * LINES + 6
    seen.clear()
    body = curves(browser, path, key="loss", pixels=600, **{"from": str(4 * LINES), "to": str(12 * LINES)})
    assert len(seen) == 7
    assert len(body["curves"][0]["x"]) > 600
    # A range of few chunks is exact.
    seen.clear()
    body = curves(browser, path, key="loss", pixels=600, **{"from": str(LINES + 10), "to": str(LINES + 20)})
    assert len(seen) <= 3 * LINES + 7
    assert body["curves"][0]["x"] == list(range(LINES + 9, LINES + 22))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": "x"}, "from: a finite number"),
        ({"to": "NaN"}, "to: a finite number"),
        ({"from": "inf"}, "from: a finite number"),
        ({"from": ""}, "from: a finite number"),
        ({"from": "1" * 5000}, "from: a finite number"),
        ({"from": "2", "to": "1"}, "from: 2.0 is above to"),
        ({"pixels": "0"}, "pixels: from 1 to"),
        ({"pixels": "-1"}, "pixels: from 1 to"),
        ({"pixels": "1.5"}, "pixels: from 1 to"),
        ({"pixels": "99999"}, "pixels: from 1 to"),
        ({"pixels": "9" * 5000}, "pixels: from 1 to"),
        ({"stream": "log_lines"}, "stream: history or events"),
        ({"stream": "history; DROP TABLE runs"}, "stream: history or events"),
        ({"x": ""}, "x: _step, _runtime, _timestamp or a key"),
        ({"x": "x" * 5000}, "x: _step, _runtime, _timestamp or a key"),
        ({"x": "loss", "stream": "events"}, "x: _step, _runtime, _timestamp, not"),
        ({"key": [f"k{index}" for index in range(201)]}, "key: at most 200"),
    ],
)
def test_a_request_that_is_none_is_refused(
    browser: httpx.Client, query: dict[str, str | list[str]], message: str
) -> None:
    response = browser.get(CURVES, params=query)
    assert response.status_code == 400
    assert message in response.text


@pytest.mark.parametrize("key", ["\x00", "\ufffd", "a'b\"c", "loss\n", "%", "_step"])
def test_a_key_of_any_name_is_a_key(browser: httpx.Client, key: str) -> None:
    body = curves(browser, key=key)
    assert [each["key"] for each in body["curves"]] == [key]
    assert len(body["curves"][0]["x"]) == (6 if key == "_step" else 0)


def test_an_unknown_run_is_not_found(browser: httpx.Client) -> None:
    assert browser.get("/local/p/runs/none/curves").status_code == 404
    assert browser.get("/local/none/runs/r/curves").status_code == 404
    assert browser.get("/other/p/runs/r/curves").status_code == 404


def test_without_a_session_there_are_no_data(browser: httpx.Client, server: RunningServer) -> None:
    port = server.url.rpartition(":")[2]
    forged = Sessions(Signer(b"another secret")).new_cookie(Session(1))
    for headers in (
        {},
        {"Cookie": f"runql_session_{port}={forged}"},
        {"Cookie": f"runql_session_1={browser.cookies[f'runql_session_{port}']}"},
    ):
        response = httpx.get(f"{server.url}{CURVES}", params={"key": "loss"}, headers=headers)
        assert response.status_code == 401
        assert "2.5" not in response.text
        assert "loss" not in response.text.replace("key=loss", "")
    unknown = httpx.get(f"{server.url}/local/none/runs/none/curves")
    # Who has no session does not learn which runs there are.
    assert unknown.status_code == 401


@pytest.mark.parametrize("pixels", ["000001800000", "0000018000", "8193", "0"])
def test_no_spelling_of_a_number_gets_more_pixels(browser: httpx.Client, pixels: str) -> None:
    assert browser.get(CURVES, params={"key": "loss", "pixels": pixels}).status_code == 400
