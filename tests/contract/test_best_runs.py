"""The best run of a sweep whose metric is missing, an object or no finite number, and lists ordered by what no run has."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.test_sweeps import make_sweep, operations, path
from tests.contract.untyped import Untyped, listed, taken

from runql import UnorderedWarning
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

MAXIMIZE = "method: random\nmetric: {name: acc, goal: maximize}"
MINIMIZE = "method: random\nmetric: {name: acc, goal: minimize}"
Values = list[Any]  # Any: JSON


def of_max(*values: float) -> Values:
    return [{"max": value} for value in values]


CASES: dict[str, tuple[str, Values, int | None, int]] = {
    # what the runs have for acc, oldest first (... for nothing); which is best; how many requests
    "one request as ever": (MAXIMIZE, [1, 3, 2], 1, 1),
    "no run has it": (MAXIMIZE, [..., ..., ...], None, 2),
    "no run at all": (MAXIMIZE, [], None, 1),
    "the newest has none": (MAXIMIZE, [1, 3, ...], 1, 1),
    "objects": (MAXIMIZE, of_max(0.1, 0.3, 0.2), 1, 2),
    "objects, the first has none": (MAXIMIZE, [..., {"max": 0.1}, {"max": 0.3}, ...], 2, 3),
    "objects, ascending": (MINIMIZE, [{"min": 3, "max": 4}, {"min": 1, "max": 9}], 1, 2),
    "objects of the goal": (MAXIMIZE, [{"best": 2, "max": 9}, {"best": 3, "max": 3}], 1, 2),
    "objects of something else": (MAXIMIZE, [{"note": "x"}, {"note": "y"}], None, 2),
    "objects with NaN": (MAXIMIZE, of_max(math.nan, 0.3, math.nan), 1, 3),
    "infinite": (MAXIMIZE, [1, math.inf, 3, math.inf], 2, 2),
    "infinite the other way": (MAXIMIZE, [-math.inf, 1], 1, 1),
    "infinite, ascending": (MINIMIZE, [2, -math.inf, 3], 0, 2),
    "only infinite": (MINIMIZE, [math.inf, -math.inf], None, 2),
    "NaN": (MAXIMIZE, [math.nan, 1, math.nan], 1, 1),
    "only NaN": (MINIMIZE, [math.nan, math.nan], None, 2),
    "null": (MINIMIZE, [None, 2], 1, 1),
    "booleans": (MAXIMIZE, [False, True, False], 1, 1),
    "lists": (MAXIMIZE, [[1], [2]], None, 2),
}


def seed(server: RunningServer, project: str, config: str, values: Values) -> str:
    name = make_sweep(server, project, config)
    runs = [
        SeedRun(name=f"run{n}", sweep=name, summary={} if value is ... else {"acc": value})
        for n, value in enumerate(values)
    ]
    server.seed(project, [*runs, SeedRun(name="outside", summary={"acc": 7, "loss": 7})])
    server.clear()
    return name


@pytest.fixture
def api(server: RunningServer, face: Face) -> Untyped:
    return face.api(server.url, server.api_key)


@pytest.mark.parametrize("case", CASES)
def test_the_best_run_has_the_best_finite_value(
    case: str, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    config, values, best, requests = CASES[case]
    name = seed(server, project, config, values)
    sweep = taken(face, api.sweep(path(server, project, name)))
    for order in (None, "-acc" if config is MAXIMIZE else "+acc"):
        server.clear()
        found = taken(face, sweep.best_run(order))
        assert (found and found.id) == (None if best is None else f"run{best}")
        # Where a server sorts objects by their members, fewer runs are passed over.
        few = range(requests - 1 if case.startswith("objects") else requests, requests + 1)
        assert len(operations(server)) in few
        assert set(operations(server)) == {"ListFullRuns"}
        if found is not None:
            assert found.sweep_name == name
            assert taken(face, found.sweep).id == name


@pytest.mark.parametrize("order", ["nope", "+summary_metrics.nope", "config.nope.value"])
def test_no_run_is_the_best_by_what_no_run_has(
    order: str, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    name = seed(server, project, MAXIMIZE, [1, 2])
    sweep = taken(face, api.sweep(path(server, project, name)))
    assert taken(face, sweep.best_run(order)) is None


def test_a_config_value_of_any_kind_has_a_place(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    name = make_sweep(server, project, MAXIMIZE)
    server.seed(
        project,
        [SeedRun(name=each, sweep=name, config={"opt": {"kind": each}, "lr": 1}) for each in ("b", "c", "a")],
    )
    sweep = taken(face, api.sweep(path(server, project, name)))
    assert taken(face, sweep.best_run("config.opt.kind.value")).id == "c"
    assert taken(face, sweep.best_run("+config.opt.kind.value")).id == "a"


@pytest.mark.parametrize("missing", [1, 60, 120])
def test_a_server_that_lists_missing_values_first_is_read_on(
    missing: int, face: Face, server: RunningServer, project: str
) -> None:
    name = seed(server, project, MAXIMIZE, [*range(missing + 2), ...])

    asked: list[str] = []

    def nulls_first(sent: Sent) -> Fault:
        """Blank the values of the runs that are listed first, so that these come first without one."""
        if sent.operation != "ListFullRuns" or sent.answer is None:
            return None
        asked.append(sent.operation)
        answer = json.loads(sent.answer)
        for edge in answer["data"]["project"]["runs"]["edges"]:
            if int(edge["node"]["name"].removeprefix("run")) < missing:
                edge["node"]["summaryMetrics"] = "{}"
        return httpx.Response(200, json=answer)

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(nulls_first))
    sweep = taken(face, api.sweep(path(server, project, name)))
    assert taken(face, sweep.best_run("+acc")).id == f"run{missing}"
    assert len(asked) == 1 + math.ceil(missing / 50)


@pytest.mark.parametrize("key", ["summary_metrics.nope", "config.nope.value", "summary_metrics.acc.nope"])
def test_an_order_that_says_nothing_is_warned_of_once(
    key: str, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    seed(server, project, MAXIMIZE, [1, 2])
    runs = taken(face, api.runs(f"{server.entity}/{project}", order=f"-{key}", per_page=2))
    with pytest.warns(UnorderedWarning, match=f"none of the first 2 runs of .*{project} has {key}") as caught:
        assert len(listed(face, runs)) == 3
    assert len(caught) == 1
    if face.name == "sync":
        # The warning names the caller's line, not one of ours.
        assert Path(caught[0].filename).parent == Path(__file__).parent


@pytest.mark.parametrize(
    "order",
    ["-created_at", "-summary_metrics.acc", "+config.lr.value", "+config.a.b.value", "-summary_metrics.d.e"],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_an_order_by_what_runs_have_is_not_warned_of(
    order: str, lazy: bool, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    config = {"lr": 1, "a.b": 2}
    server.seed(project, [SeedRun(), SeedRun(config=config, summary={"acc": 1, "d": {"e": 0}})])
    assert len(listed(face, taken(face, api.runs(f"{server.entity}/{project}", order=order, lazy=lazy)))) == 2


def test_a_light_or_empty_list_cannot_tell(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    seed(server, project, MAXIMIZE, [1])
    home, order = f"{server.entity}/{project}", "-summary_metrics.nope"
    assert len(listed(face, taken(face, api.runs(home, order=order, lazy=True)))) == 2
    assert listed(face, taken(face, api.runs(home, {"state": "nope"}, order))) == []
