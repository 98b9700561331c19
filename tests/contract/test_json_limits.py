"""JSON that is nested too deeply, and rows that are too large: our own errors, wherever they stand in a response."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, listed, taken

from runql import IncompleteHistoriesError, JSONTooDeepError, JSONValue, Limits, RowTooLargeError, RunqlError
from runql.frames.row_readers import ColumnReader
from runql.limits import DEFAULT_LIMITS, limited
from runql.resources.artifacts.logged_table import parse_table
from runql.resources.artifacts.manifest import parse_manifest
from runql.resources.sweeps.config import parse_sweep_config
from runql.transport.codec import read_response
from runql.transport.wire import Response
from runql.values import parse_rows
from runql_graphql.operations import get_run_state
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

DEEP = {
    "arrays": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "never closed": '[{"a":' * 100_000,
}
NESTED: JSONValue = [[[[[[[[[[1]]]]]]]]]]
TEXTS = {"config", "summaryMetrics"}


def replacing(value: JSONValue, text: str) -> JSONValue:
    """The response with this JSON in place of each config, summary and row."""
    if isinstance(value, dict):
        return {
            key: text
            if key in TEXTS and isinstance(member, str)
            else [_row(row, text) for row in member]
            if key == "history" and isinstance(member, list)
            else replacing(member, text)
            for key, member in value.items()
        }
    return [replacing(member, text) for member in value] if isinstance(value, list) else value


def _row(row: JSONValue, text: str) -> str:
    step = json.loads(str(row))["_step"]
    return f'{{"_step": {step}, "deep": {text}}}' if step == 1 else str(row)


@pytest.fixture
def path(server: RunningServer, project: str) -> str:
    rows = [{"_step": step, "a": step} for step in range(3)]
    server.seed(
        project,
        [
            SeedRun(name="r", config={"lr": 1}, summary={"loss": 1}, events=[{"cpu": 1}], history=rows),
            SeedRun(name="good", config={"lr": 1}),
        ],
    )
    return f"{server.entity}/{project}"


Connect = Callable[[str], Untyped]


@pytest.fixture
def connect(face: Face, server: RunningServer) -> Connect:
    def make(text: str) -> Untyped:
        def change(sent: Sent) -> Fault:
            if sent.answer is None:
                return None
            return httpx.Response(200, content=json.dumps(replacing(json.loads(sent.answer), text)).encode())

        return face.api(server.url, server.api_key, transport=InterceptingTransport(change))

    return make


@pytest.mark.parametrize("name", DEEP)
def test_config_and_summary(face: Face, connect: Connect, path: str, name: str) -> None:
    run = taken(face, connect(DEEP[name]).run(f"{path}/r"))
    for member, what in (("config", "config"), ("summary_metrics", "summary")):
        with pytest.raises(JSONTooDeepError, match=f"the {what} of run {path}/r cannot be read") as caught:
            getattr(run, member)
        assert (caught.value.limit, caught.value.most) == ("json_depth", 1000)


@pytest.mark.parametrize("name", ["arrays", "objects"])
def test_rows(face: Face, connect: Connect, path: str, name: str) -> None:
    api = connect(DEEP[name])
    run = taken(face, api.run(f"{path}/r"))
    for read in (lambda: listed(face, run.scan_history()), lambda: taken(face, run.history(pandas=False))):
        with pytest.raises(JSONTooDeepError, match="row 1 of a response cannot be read") as caught:
            read()
        assert caught.value.operation == f"history of run {path}/r"


def test_a_run_with_such_a_row_does_not_stop_a_bulk_read(face: Face, connect: Connect, path: str) -> None:
    with pytest.raises(IncompleteHistoriesError, match="json_depth") as caught:
        taken(face, taken(face, connect(DEEP["objects"]).runs(path)).histories())
    assert caught.value.failed == ("r",)


def test_a_client_sets_the_depth_also_for_what_is_decoded_later(
    face: Face, server: RunningServer, project: str
) -> None:
    server.seed(project, [SeedRun(name="r", config={"a": NESTED})])
    api: Untyped = face.api(server.url, server.api_key)
    where = f"{server.entity}/{project}/r"
    run = taken(face, api.with_options(limits=Limits(json_depth=20)).run(where))
    assert run.config == {"a": NESTED}
    run = taken(face, api.with_options(limits=Limits(json_depth=10)).run(where))
    with pytest.raises(JSONTooDeepError, match=r"the config of run .* the limit json_depth is 10"):
        _ = run.config
    with pytest.raises(JSONTooDeepError, match="the limit json_depth is 3") as caught:
        taken(face, api.with_options(limits=Limits(json_depth=3)).run(where))
    assert caught.value.operation == "GetRun"


def test_a_large_row_is_refused(face: Face, server: RunningServer, project: str) -> None:
    server.seed(project, [SeedRun(name="r", history=[{"a": "x"}, {"a": "y" * 1000}])])
    api: Untyped = face.api(server.url, server.api_key)
    where = f"{server.entity}/{project}/r"
    size = len(json.dumps({"_step": 1, "a": "y" * 1000}, separators=(",", ":")))
    run = taken(face, api.with_options(limits=Limits(row_bytes=2 * size)).run(where))
    assert len(listed(face, run.scan_history())) == 2
    run = taken(face, api.with_options(limits=Limits(row_bytes=900)).run(where))
    for scan in (run.scan_history(), run.scan_history(keys=["a"])):
        with pytest.raises(RowTooLargeError, match="the limit row_bytes is 900") as caught:
            listed(face, scan)
        assert caught.value.operation == f"history of run {where}"


@pytest.mark.parametrize("face", ["sync"], indirect=True)
def test_the_limit_itself_is_allowed(face: Face) -> None:
    for depth in (1, 150, 201, 300, 990, 1000, 1001, 5000):
        text = "[" * depth + "]" * depth
        with limited(Limits(json_depth=depth)):
            parse_rows([f'{{"a":{text[1:-1]}}}' if depth > 1 else "{}"])
        with limited(Limits(json_depth=depth)), pytest.raises(JSONTooDeepError):
            parse_rows([f'{{"a":{text}}}'])
    with limited(Limits(row_bytes=8)):
        assert parse_rows(['{"a": 1}']) == [{"a": 1}]
        with pytest.raises(RowTooLargeError, match="row 1 of a response has 9 bytes"):
            parse_rows(['{"a": 1}', '{"a": 12}'])
        with pytest.raises(RowTooLargeError, match="has 9 bytes"):
            parse_rows(['{"":"é"}'])


@pytest.mark.parametrize("name", DEEP)
def test_whole_responses_manifests_tables_and_sweeps(name: str) -> None:
    text = DEEP[name].encode()
    operation = get_run_state(entity="e", project="p", run="r")
    with pytest.raises(JSONTooDeepError, match=r"a response cannot be read.*\[GetRunState\]"):
        read_response(operation, Response(200, b'{"data":' + text + b"}"))
    with pytest.raises(RunqlError):
        parse_manifest(text, "e/p/a:v0")
    with pytest.raises(JSONTooDeepError, match="the table"):
        parse_table(text, "the table")
    for config in (text.decode(), f"a: {text.decode()}"):
        with pytest.raises(RunqlError):
            parse_sweep_config(config)


def test_aliases_of_yaml_do_not_multiply() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    for bomb in ("\n".join(lines), "a: &a [*a]"):
        with pytest.raises(RunqlError, match="with its aliases it has more than 1,000,000 values"):
            parse_sweep_config(bomb)


@pytest.mark.parametrize("depth", [300, 990, 1000, 1020, 1024, 5000])
def test_columns_are_not_read_from_nesting_that_crashes_polars(depth: int) -> None:
    row = '{"k":' + '{"a":' * depth + "1" + "}" * depth + "}"
    rows = [row, *(f'{{"k":{n}}}' for n in range(400))]
    if depth < DEFAULT_LIMITS.json_depth:
        assert ColumnReader().read(rows).height == 401
    else:
        with pytest.raises(JSONTooDeepError, match="row 0 of a response"):
            ColumnReader().read(rows)
