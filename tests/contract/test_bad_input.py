"""Input that cannot be used: its own clear error each, and the number of requests it took."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from tests.contract.face import AnyApi, AnyRun, AnyRuns, Face
from tests.contract.facts import a_run
from tests.contract.world import SampleServer, World

from runql import (
    AuthenticationError,
    MissingCredentialsError,
    MissingExtraError,
    ProjectNotFoundError,
    QueryError,
    RunNotFoundError,
)
from runql.frames import extras

NOWHERE = "http://127.0.0.1:9"
KEY = "k" * 40
Untyped: TypeAlias = Any  # callers without a type checker

Call: TypeAlias = Callable[[Face, AnyRun, AnyRuns], object]

RUNS_ARGUMENTS: dict[str, tuple[dict[str, Untyped], type[Exception], str]] = {
    "order": ({"order": "+best"}, ValueError, r"cannot order by '\+best': use \+ or - and one of"),
    "order without key": ({"order": "-"}, ValueError, "cannot order by '-'"),
    "order of a prefix": ({"order": "config."}, ValueError, "cannot order by 'config.'"),
    "order type": ({"order": 3}, TypeError, "order must be a text"),
    "per_page zero": ({"per_page": 0}, ValueError, "per_page must be at least 1, not 0"),
    "per_page negative": ({"per_page": -5}, ValueError, "per_page must be at least 1, not -5"),
    "per_page text": ({"per_page": "50"}, TypeError, "per_page must be an int"),
    "filters text": ({"filters": '{"state": "finished"}'}, TypeError, "filters must be a dict"),
    "filters nan": ({"filters": {"config.lr": math.nan}}, ValueError, "filters must be JSON"),
    "filters object": ({"filters": {"config.lr": object()}}, ValueError, "filters must be JSON"),
    "filters set": ({"filters": {"tags": {"$in": {"a"}}}}, ValueError, "filters must be JSON"),
    "filters tags": ({"filters": {"tags": ["x"]}}, ValueError, r"filters: 'tags' .*\$in"),
    "filters in": ({"filters": {"config.lr": {"$in": 3}}}, ValueError, "needs a list, not int"),
    "filters date": ({"filters": {"$and": [{"createdAt": {"$gt": 3}}]}}, ValueError, "'createdAt'.*ISO 8601"),
    "path": ({"path": "a/b/c"}, ValueError, "Valid forms are entity/project"),
    "path type": ({"path": 3}, TypeError, "a path must be a str"),
}
READINGS: dict[str, tuple[str, dict[str, Untyped], type[Exception], str]] = {
    "keys text": (
        *("history", {"keys": "loss"}),
        *(TypeError, r"keys must be a list of metric names such as \['loss'\], not 'loss'"),
    ),
    "keys numbers": ("history", {"keys": ["loss", 3]}, TypeError, "keys must be a list"),
    "stream": ("history", {"stream": "x"}, ValueError, "those of the machine, not 'x'"),
    "samples": ("history", {"samples": 0}, ValueError, "samples must be at least 1, not 0"),
    "scan keys": ("scan_history", {"keys": "loss"}, TypeError, "keys must be a list"),
    "page size": ("scan_history", {"page_size": 0}, ValueError, "page_size must be at least 1, not 0"),
    "min step": ("scan_history", {"min_step": -1}, ValueError, "min_step must not be negative"),
    "step type": ("scan_history", {"max_step": 1.5}, TypeError, "max_step must be an int"),
    "wrong way round": (
        *("scan_history", {"min_step": 9, "max_step": 8}),
        *(ValueError, r"max_step \(8\) must not be below min_step \(9\)"),
    ),
    "match": ("scan_history", {"match": "some"}, ValueError, "match must be 'all' or 'any', not 'some'"),
    "format": (
        *("histories", {"format": "arrow"}),
        *(ValueError, "format must be 'default', 'pandas' or 'polars', not 'arrow'"),
    ),
    "histories keys": ("histories", {"keys": "loss"}, TypeError, "keys must be a list"),
    "histories samples": ("histories", {"samples": -1}, ValueError, "samples must be at least 1, not -1"),
    "histories stream": ("histories", {"stream": "x"}, ValueError, "stream must be"),
}
EXTRAS: dict[str, tuple[extras.Library, Call]] = {
    "history": ("pandas", lambda face, run, _runs: face.take(run.history())),
    "histories pandas": ("pandas", lambda face, _run, runs: face.take(runs.histories(format="pandas"))),
    "histories polars": ("polars", lambda face, _run, runs: face.take(runs.histories(format="polars"))),
    "scan pandas": ("pandas", lambda face, run, _runs: face.take(run.scan_history().to_pandas())),
    "scan polars": ("polars", lambda face, run, _runs: face.take(run.scan_history().to_polars())),
    "scan arrow": ("pyarrow", lambda face, run, _runs: face.take(run.scan_history().to_arrow())),
}
ATTRS = {"id": "UnVuOjE=", "name": "abc", "projectId": "1", "createdAt": "2026-01-01T00:00:00"}


def made_by_hand(face: Face) -> tuple[AnyRun, AnyRuns, Callable[[], int]]:
    """A run and a list whose server is nowhere, and the number of requests that were tried."""
    client = face.client(NOWHERE, KEY)
    return (
        face.run(client, "e", "p", "abc", ATTRS),
        face.runs(client, "e", "p"),
        lambda: client.traffic.requests,
    )


@pytest.mark.parametrize("name", RUNS_ARGUMENTS)
def test_an_unusable_argument_of_a_list_is_refused_before_anything_is_sent(name: str, face: Face) -> None:
    arguments, error, text = RUNS_ARGUMENTS[name]
    api: Untyped = face.api(NOWHERE, KEY)
    with pytest.raises(error, match=text):
        face.take(api.runs(**{"path": "e/p", **arguments}))
    assert api.traffic.requests == 0


@pytest.mark.parametrize("name", READINGS)
def test_an_unusable_argument_of_a_reading_is_refused_before_anything_is_sent(name: str, face: Face) -> None:
    kind, arguments, error, text = READINGS[name]
    run, runs, requests = made_by_hand(face)
    method: Callable[..., Untyped] = getattr(runs if kind == "histories" else run, kind)

    def read() -> None:
        reading = method(**arguments)
        if kind == "scan_history":
            face.items(reading)
        else:
            face.take(reading)

    with pytest.raises(error, match=text):
        read()
    assert requests() == 0


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_library_is_named_with_its_remedy_before_anything_is_sent(
    name: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, call = EXTRAS[name]

    def found(asked: str) -> object:
        return None if asked == library else object()

    monkeypatch.setattr(extras, "find_spec", found)
    run, runs, requests = made_by_hand(face)
    extra = "arrow" if library == "pyarrow" else library
    with pytest.raises(MissingExtraError, match=rf"{library}.*pip install 'runql\[{extra}\]'") as caught:
        call(face, run, runs)
    assert isinstance(caught.value, ImportError)
    assert requests() == 0


@pytest.mark.parametrize(
    "attrs", [{}, {**ATTRS, "id": None}, {**ATTRS, "tags": "a"}], ids=["empty", "null", "type"]
)
def test_fields_that_make_no_run_are_refused(attrs: dict[str, object], face: Face) -> None:
    with pytest.raises(ValueError, match="attrs must hold a run's fields as the server names them"):
        face.run(face.client(NOWHERE, KEY), "e", "p", "abc", attrs)


@pytest.mark.parametrize("what", ["run", "first run", "length", "histories"])
def test_an_unknown_project_is_one_request(what: str, api: AnyApi, face: Face, world: World) -> None:
    path = f"{world.entity}/no-project-is-called-this"
    readings: dict[str, Callable[[], object]] = {
        "run": lambda: face.take(api.run(f"{path}/abc")),
        "first run": lambda: face.take(face.take(api.runs(path))[0]),
        "length": lambda: face.take(face.take(api.runs(path)).length),
        "histories": lambda: face.take(face.take(api.runs(path)).histories()),
    }
    with pytest.raises(
        ProjectNotFoundError, match=f"project {path} does not exist, or your API key"
    ) as caught:
        readings[what]()
    assert isinstance(caught.value, LookupError)
    assert api.traffic.requests == 1


def test_an_unknown_run_is_one_request(api: AnyApi, face: Face, world: World) -> None:
    with pytest.raises(RunNotFoundError, match=f"run {world.path}/no-such-run does not exist: .* by its id"):
        face.take(api.run(f"{world.path}/no-such-run"))
    assert api.traffic.requests == 1


def test_a_display_name_is_no_id(api: AnyApi, face: Face, sampled: World) -> None:
    name = a_run(face, api, sampled).name
    with pytest.raises(RunNotFoundError, match="not by its display name"):
        face.take(api.run(f"{sampled.path}/{name}"))
    assert api.traffic.requests == 2


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"colour": "red"}, "'colour'"),
        ({"state": {"$near": 1}}, "'state'"),
        ({"config.lr": {"$regex": 3}}, "'config.lr'"),
        ({"$xor": []}, r"'\$xor'"),
    ],
    ids=["key", "operator", "operand", "logical"],
)
def test_a_filter_that_the_server_refuses_names_the_field(
    filters: dict[str, Untyped], named: str, api: AnyApi, face: Face, sampled: World
) -> None:
    with pytest.raises(QueryError, match=f"filters: .*{named}.*ListFullRuns") as caught:
        face.items(face.take(api.runs(sampled.path, filters)))
    assert caught.value.status in {200, 400}
    assert caught.value.problems[0].path[:2] == ("project", "runs")
    assert api.traffic.requests == 1


def test_a_wrong_key_is_one_request(face: Face, sample: SampleServer) -> None:
    api = face.api(sample.url, KEY)
    with pytest.raises(
        AuthenticationError, match=r"does not accept the API key \(401\).*Check WANDB_API_KEY"
    ) as caught:
        face.take(api.viewer)
    assert caught.value.status == 401
    assert api.traffic.requests == 1


def test_without_a_key_nothing_is_made(face: Face) -> None:
    with pytest.raises(MissingCredentialsError, match=r"WANDB_API_KEY.*127\.0\.0\.1:9"):
        face.api(NOWHERE)
