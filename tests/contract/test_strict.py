"""``Api(strict=…)``: departures of responses from the schema, told by a real server whose responses drift on the way."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.both_clients import AnyApi, Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent

from runql import (
    Api,
    AsyncApi,
    JSONValue,
    MissingExtraError,
    OnSchemaDrift,
    SchemaDrift,
    SchemaDriftError,
    SchemaDriftWarning,
)
from runql.errors import DriftInputError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

Body = dict[str, Any]  # Any: responses of GraphQL
SECRET = "the notes of a patient"


class Drifting:
    """How the server's responses change on the way; all else is genuine."""

    def __init__(self) -> None:
        self.edit: Callable[[Body], None] = lambda _: None

    def response(self, sent: Sent) -> Fault:
        """Return what takes the place of a response."""
        if sent.answer is None:
            return None
        body: Body = json.loads(sent.answer)
        self.edit(body)
        return httpx.Response(200, content=json.dumps(body).encode())


@pytest.fixture
def drifting() -> Drifting:
    return Drifting()


@pytest.fixture
def opened(
    face: Face, server: RunningServer, drifting: Drifting
) -> Iterator[Callable[[OnSchemaDrift, float], AnyApi]]:
    made: list[AnyApi] = []

    def open_api(strict: OnSchemaDrift, sample: float = 1.0) -> AnyApi:
        make = Api if face.name == "sync" else AsyncApi
        api = make(
            None,
            None,
            server.api_key,
            base_url=server.url,
            transport=InterceptingTransport(drifting.response),
            strict=strict,
            sample=sample,
        )
        made.append(api)
        return api

    yield open_api
    for api in made:
        if isinstance(api, Api):
            api.close()
        else:
            face.take(api.close())


@pytest.fixture
def path(server: RunningServer, project: str) -> str:
    server.seed(project, [SeedRun(name="one", config={"lr": 0.1}, history=[{"loss": 1.0}])])
    return f"{server.entity}/{project}/one"


def run_of(body: Body) -> Body:
    run: Body = body["data"]["project"]["run"]
    return run


def add_field(body: Body) -> None:
    run_of(body)["brandNew"] = SECRET


def wrong_config(body: Body) -> None:
    run_of(body)["config"] = json.dumps({SECRET: 1})


def set_typename(typename: str, body: Body) -> None:
    run_of(body)["__typename"] = typename


Opened = Callable[..., AnyApi]


def test_the_first_response_names_the_drift(
    face: Face, opened: Opened, drifting: Drifting, path: str
) -> None:
    drifting.edit = add_field
    api = opened("warn")
    with pytest.warns(SchemaDriftWarning, match=r"Run\.brandNew") as caught:
        run = face.take(api.run(path))
    assert run.id == "one"
    [warning] = [each.message for each in caught if isinstance(each.message, SchemaDriftWarning)]
    assert warning.drift == SchemaDrift(
        "GetRun",
        "Run.brandNew",
        "response-unknown-field",
        "dangerous",
        "the server returned Run.brandNew, which the operation does not select",
    )
    assert SECRET not in str(warning)


def test_a_kind_of_drift_warns_once(face: Face, opened: Opened, drifting: Drifting, path: str) -> None:
    drifting.edit = add_field
    api = opened("warn")
    with pytest.warns(SchemaDriftWarning):
        face.take(api.run(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        face.take(api.run(path))


def test_a_function_gets_each_departure_without_values(
    face: Face, opened: Opened, drifting: Drifting, path: str
) -> None:
    drifts: list[SchemaDrift] = []
    drifting.edit = wrong_config
    api = opened(drifts.append)
    face.take(api.run(path))
    face.take(api.run(path))
    assert [(each.coordinate, each.rule, each.level) for each in drifts] == [
        ("Run.config", "response-shape", "breaking")
    ] * 2
    assert SECRET not in repr(drifts)


@pytest.mark.parametrize(
    "value", [SECRET, {SECRET: 1}, [SECRET], 12345.5], ids=["str", "object", "list", "number"]
)
def test_no_value_of_a_run_is_told(
    value: JSONValue, face: Face, opened: Opened, drifting: Drifting, path: str
) -> None:
    def edit(body: Body) -> None:
        run = run_of(body)
        for name in run:
            run[name] = value
        run[SECRET] = value
        # A str there ends the reading: the type is unknown.
        run["__typename"] = "Run" if isinstance(value, str) else value

    drifts: list[SchemaDrift] = []
    drifting.edit = edit
    with pytest.raises(SchemaDriftError):
        face.take(opened(drifts.append).run(path))
    assert len(drifts) > 5
    assert SECRET not in repr(drifts)
    assert "12345" not in repr(drifts)


def test_an_unknown_type_is_named_only_where_it_is_a_name(
    face: Face, opened: Opened, drifting: Drifting, path: str
) -> None:
    drifts: list[SchemaDrift] = []
    api = opened(drifts.append)
    for typename in (SECRET, "FutureRun"):
        drifting.edit = partial(set_typename, typename)
        with suppress(SchemaDriftError):
            face.take(api.run(path))
    assert [each.rule for each in drifts] == ["response-unknown-type"] * 2
    assert SECRET not in drifts[0].message
    assert "FutureRun" in drifts[1].message


def test_an_error_ends_the_call(face: Face, opened: Opened, drifting: Drifting, path: str) -> None:
    drifting.edit = add_field
    api = opened("raise")
    with pytest.raises(SchemaDriftError, match=r"Run\.brandNew") as caught:
        face.take(api.run(path))
    assert caught.value.operation == "GetRun"


def test_the_sample_is_the_first_of_each_share(
    face: Face, opened: Opened, drifting: Drifting, path: str
) -> None:
    drifts: list[SchemaDrift] = []
    drifting.edit = add_field
    api = opened(drifts.append, 0.25)
    found: list[int] = []
    for _ in range(9):
        before = len(drifts)
        face.take(api.run(path))
        found.append(len(drifts) - before)
    assert found == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_responses_that_fit_tell_nothing(face: Face, opened: Opened, path: str) -> None:
    drifts: list[SchemaDrift] = []
    api = opened(drifts.append)
    run = face.take(api.run(path))
    face.take(run.history())
    face.take(run.scan_history().to_polars())
    assert drifts == []


def test_what_is_approved_is_not_told(
    face: Face,
    opened: Opened,
    drifting: Drifting,
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    entry = '[[approval]]\ncoordinate = "Run.{}"\nreason = "known"\nexpires = 2999-01-01\n'
    (tmp_path / "drift-approvals.toml").write_text(entry.format("config") + entry.format("gone"))
    drifting.edit = wrong_config
    drifts: list[SchemaDrift] = []
    face.take(opened(drifts.append).run(path))
    assert drifts == []
    (tmp_path / "drift-approvals.toml").write_text("[[approval]")
    with pytest.raises(DriftInputError, match="cannot be read"):
        opened("warn")


@pytest.mark.parametrize(
    ("strict", "sample", "error", "message"),
    [
        ("loud", 1.0, ValueError, "'warn', 'raise' or a function"),
        ("warn", 0, ValueError, "above 0 and at most 1"),
        ("warn", 1.5, ValueError, "above 0 and at most 1"),
        ("warn", float("nan"), ValueError, "above 0 and at most 1"),
        ("warn", "all", TypeError, "must be a number"),
        ("warn", True, TypeError, "must be a number"),
    ],
)
def test_an_option_that_is_not_valid_is_refused(
    strict: Any,  # Any: callers may be untyped
    sample: Any,  # Any: as above
    error: type[Exception],
    message: str,
    opened: Opened,
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        opened(strict, sample)


def no_package(*_: object) -> None:
    """Find no package, whichever is asked for."""


def test_without_graphql_core_the_extra_is_named(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.split(".")[:2] == ["runql", "drift"]]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", no_package)
    with pytest.raises(MissingExtraError, match=r"pip install 'runql\[drift\]'"):
        opened("warn")


IN_A_PROCESS = """
import os, sys, runql
def loaded():
    return sorted({name.partition(".")[0] for name in sys.modules} & {"graphql", "yaml"}), "runql.drift" in sys.modules
path = sys.argv[1]
assert runql.Api().run(path).config == {"lr": 0.1}
print(*loaded())
assert runql.Api(strict="warn", sample=1).run(path).config == {"lr": 0.1}
print(*loaded())
"""


def test_without_strict_nothing_is_loaded_for_it(server: RunningServer, path: str) -> None:
    environment = {**os.environ, "WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.api_key}
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS, path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    without, with_strict = done.stdout.splitlines()
    assert without == "[] False"
    assert with_strict.endswith("True")
    assert "graphql" in with_strict


def test_the_warning_travels() -> None:
    drift = SchemaDrift("GetRun", "Run.state", "response-null", "breaking", "null")
    copied = pickle.loads(pickle.dumps(SchemaDriftWarning(drift)))
    assert (str(copied), copied.drift) == (str(SchemaDriftWarning(drift)), drift)
