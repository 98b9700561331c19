"""What a client shows of its requests: log lines, counts, and spans of OpenTelemetry."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.unit.transport.driving import BASE_URL, HASTY, KEY, Face, driver, settings

import runql
from runql import ConfigurationError, RetryingClient, RunNotFoundError, ServerFailureError, Traffic
from runql.transport.flow import Flow, download, fetch, gather
from runql.transport.observation import spans
from runql.transport.observation.log_setup import set_up_log
from runql_graphql.operations import get_run_state
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROOT = Path(__file__).parents[2]
FACES: list[Face] = ["sync", "async"]
BODY = b'{"data":{"project":null}}'
SIGNED = "https://storage.host/a%0Ab%1B%5B31m?X-Goog-Signature=s3cr3t"


def state() -> Flow[object]:
    return fetch(get_run_state(entity="e", project="p", run="r"))


def answers(*responses: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    left = list(responses)
    return lambda _request: left.pop(0)


def busy() -> httpx.Response:
    return httpx.Response(502, content=b"busy", headers={"X-Request-Id": "id-1"})


def ok() -> httpx.Response:
    return httpx.Response(200, content=BODY, headers={"X-Request-Id": "id-2\x1b[2J"})


# -- log lines -------------------------------------------------------------------------------------------------------


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [record for record in caplog.records if record.name == "runql.transport"]
    return [(record.levelname, record.getMessage()) for record in found]


@pytest.mark.parametrize("face", FACES)
def test_each_request_is_a_debug_line_and_each_retry_a_warning(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "runql")
    driver(face, answers(busy(), ok()))(state())
    (first, *_, last), (warning,) = (
        [line for level, line in lines(caplog) if level == wanted] for wanted in ("DEBUG", "WARNING")
    )
    assert first.startswith("GetRunState: status 502, 4 bytes, ")
    assert first.endswith(" ms, attempt 1, request id id-1")
    assert last.startswith(f"GetRunState: status 200, {len(BODY)} bytes, ")
    assert last.endswith(" ms, attempt 2, request id id-2?[2J")
    assert warning.startswith("GetRunState: status 502; attempt 2 of 3 follows in 0.0 s")
    assert len(lines(caplog)) == 3


@pytest.mark.parametrize("face", FACES)
def test_a_request_without_a_response_is_a_line_too(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("closed", request=request)

    caplog.set_level(logging.DEBUG, "runql")
    with pytest.raises(runql.ConnectionFailedError):
        driver(face, refuse)(state())
    debug = [line for level, line in lines(caplog) if level == "DEBUG"]
    assert [line.split(", ")[0] for line in debug] == ["GetRunState: ConnectionFailedError"] * 3
    assert [line.rpartition(" ")[2] for line in debug] == ["1", "2", "3"]


@pytest.mark.parametrize("face", FACES)
def test_a_line_shows_no_query_and_stays_one_line(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "runql")
    driver(face, answers(busy(), httpx.Response(200, content=b"abc")))(download(SIGNED))
    for _, line in lines(caplog):
        assert line.startswith(r"/a\nb\x1b[31m: ")
        assert "s3cr3t" not in line
        assert KEY not in line


def test_nothing_is_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    driver("sync", answers(ok()))(state())
    assert lines(caplog) == []


# -- RUNQL_LOG -------------------------------------------------------------------------------------------------------


@contextmanager
def bare() -> Generator[logging.Logger]:
    """The logger as a process without handlers has it; no fixture, as pytest adds handlers after those."""
    logger = logging.getLogger("runql")
    before = logger.level, logger.propagate, logger.handlers
    logger.propagate, logger.handlers = False, []
    logger.setLevel(logging.NOTSET)
    try:
        yield logger
    finally:
        level, logger.propagate, logger.handlers = before
        logger.setLevel(level)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("debug", logging.DEBUG),
        (" INFO ", logging.INFO),
        ("warning", logging.WARNING),
        ("error", logging.ERROR),
    ],
)
def test_the_variable_adds_one_handler(value: str, level: int) -> None:
    with bare() as logger:
        for _ in range(2):
            set_up_log({"RUNQL_LOG": value})
        assert logger.level == level
        assert [type(handler) for handler in logger.handlers] == [logging.StreamHandler]


def test_an_application_with_handlers_gets_the_level_alone() -> None:
    own = logging.NullHandler()
    with bare() as logger:
        logger.addHandler(own)
        set_up_log({"RUNQL_LOG": "debug"})
        assert (logger.handlers, logger.level) == ([own], logging.DEBUG)


@pytest.mark.parametrize("environ", [{}, {"RUNQL_LOG": ""}, {"RUNQL_LOG": " "}])
def test_without_the_variable_nothing_changes(environ: dict[str, str]) -> None:
    with bare() as logger:
        set_up_log(environ)
        assert (logger.handlers, logger.level) == ([], logging.NOTSET)


@pytest.mark.parametrize("value", ["loud", "10", "de\nbug"])
def test_a_value_that_is_no_level_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNQL_LOG", value)
    for make in (runql.Api, runql.AsyncApi):
        with pytest.raises(ConfigurationError, match="RUNQL_LOG must be one of debug, info, warning, error"):
            make(api_key=KEY, base_url="http://localhost:1")


# -- counts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
def test_retries_waits_and_refusals_are_counted(face: Face) -> None:
    limited = httpx.Response(429, headers={"Retry-After": "0.05"})
    client_traffic: list[Traffic] = []

    async def run_async() -> None:
        transport = httpx.MockTransport(answers(busy(), limited, ok()))
        async with runql.AsyncRetryingClient(settings(), retry=HASTY, transport=transport) as client:
            await client.run(state())
            client_traffic.append(client.traffic)

    if face == "sync":
        transport = httpx.MockTransport(answers(busy(), limited, ok()))
        with RetryingClient(settings(), retry=HASTY, transport=transport) as client:
            client.run(state())
            client_traffic.append(client.traffic)
    else:
        anyio.run(run_async)
    (traffic,) = client_traffic
    assert (traffic.requests, traffic.retries, traffic.rate_limited) == (3, 2, 1)
    assert traffic.waited_seconds == pytest.approx(0.001 + 0.05)


def test_threads_count_together() -> None:
    threads, calls = 8, 25
    seen: set[int] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(json.loads(request.content)["variables"]["run"])
        if number in seen:
            return ok()
        seen.add(number)
        return httpx.Response(502)

    with RetryingClient(settings(), retry=HASTY, transport=httpx.MockTransport(answer)) as client:

        def call(number: int) -> None:
            client.run(fetch(get_run_state(entity="e", project="p", run=str(number))))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(call, range(threads * calls)))
        assert client.traffic.retries == threads * calls
        assert client.traffic.requests == 2 * threads * calls
        assert client.traffic.waited_seconds == pytest.approx(0.001 * threads * calls)


# -- spans -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans of this test alone: a process can set its provider only once."""
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    tracer = provider.get_tracer("runql")
    monkeypatch.setattr(spans, "find_tracer", lambda: tracer)
    return found


def tree(exporter: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    """The requests of each call, by the name of the call; every request has one."""
    found = exporter.get_finished_spans()
    calls = {span.context.span_id: span for span in found if span.parent is None and span.context}
    requests: dict[str, list[ReadableSpan]] = {span.name: [] for span in calls.values()}
    for span in found:
        if span.parent is not None:
            requests[calls[span.parent.span_id].name].append(span)
    return requests


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.mark.parametrize("face", FACES)
def test_a_call_is_a_span_with_a_span_for_each_request(face: Face, exporter: InMemorySpanExporter) -> None:
    driver(face, answers(busy(), ok()))(state())
    ((name, (first, second)),) = tree(exporter).items()
    assert name == ("RetryingClient.run" if face == "sync" else "AsyncRetryingClient.run")
    assert first.name == second.name == "POST GetRunState"
    assert first.kind == SpanKind.CLIENT
    size = attributes(first)["http.request.body.size"]
    assert isinstance(size, int)
    assert size > 100
    assert attributes(first) == {
        "http.request.method": "POST",
        "server.address": "api.host",
        "server.port": 80,
        "url.scheme": "http",
        "graphql.operation.name": "GetRunState",
        "http.request.body.size": size,
        "http.response.status_code": 502,
        "http.response.body.size": 4,
        "error.type": "502",
    }
    assert first.status.status_code == StatusCode.ERROR
    assert attributes(second)["http.request.resend_count"] == 1
    assert attributes(second)["http.response.status_code"] == 200
    assert second.status.status_code == StatusCode.UNSET


@pytest.mark.parametrize("face", FACES)
def test_errors_are_noted_at_the_request_and_at_the_call(face: Face, exporter: InMemorySpanExporter) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("closed", request=request)

    with pytest.raises(runql.ConnectionFailedError):
        driver(face, refuse)(state())
    found = exporter.get_finished_spans()
    assert len(found) == 4
    for span in found:
        assert attributes(span)["error.type"] == "ConnectionFailedError"
        assert span.status.status_code == StatusCode.ERROR
        (event,) = span.events
        assert set(event.attributes or {}) == {"exception.type", "exception.message"}
    with pytest.raises(ServerFailureError):
        driver(face, lambda _request: httpx.Response(502))(state())
    assert attributes(exporter.get_finished_spans()[-1])["error.type"] == "ServerFailureError"


@pytest.mark.parametrize("face", FACES)
def test_spans_show_no_key_and_no_url(face: Face, exporter: InMemorySpanExporter) -> None:
    echo = httpx.Response(400, json={"errors": [{"message": f"bad key {KEY}"}]})
    with pytest.raises(runql.QueryError):
        driver(face, answers(echo))(state())
    driver(face, answers(httpx.Response(200, content=b"abc")))(download(SIGNED))
    written = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert "bad key ***" in written
    for secret in (KEY, "s3cr3t", "Goog", "%0A", "Basic"):
        assert secret not in written
    assert [span.name for span in exporter.get_finished_spans()][-2:-1] == ["GET"]


def many() -> Flow[list[object]]:
    return gather([state() for _ in range(20)], limit=4)


def test_requests_of_threads_lie_below_the_call(exporter: InMemorySpanExporter) -> None:
    driver("sync", lambda _request: ok())(many())
    ((_, requests),) = tree(exporter).items()
    assert len(requests) == 20


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_requests_of_tasks_lie_below_their_call(backend: str, exporter: InMemorySpanExporter) -> None:
    async def run() -> None:
        transport = httpx.MockTransport(lambda _request: ok())
        client = runql.AsyncRetryingClient(settings(), retry=HASTY, transport=transport)
        async with client, anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(client.run, many())

    anyio.run(run, backend=backend)
    found = exporter.get_finished_spans()
    calls = [span for span in found if span.parent is None]
    assert [span.name for span in calls] == ["AsyncRetryingClient.run"] * 3
    parents = [span.parent.span_id for span in found if span.parent is not None]
    assert sorted(parents.count(span.context.span_id) for span in calls if span.context) == [20, 20, 20]


def test_calls_are_named_by_public_methods(
    server: RunningServer, project: str, exporter: InMemorySpanExporter
) -> None:
    server.seed(project, [SeedRun(name=name, history=[{"a": 1}]) for name in ("a", "b")])
    where = f"{server.entity}/{project}"
    with runql.Api(base_url=server.url, api_key=server.api_key) as api:
        api.run(f"{where}/a").scan_history().to_pandas()
        assert [run.id for run in api.runs(where)] == ["a", "b"]
        with pytest.raises(RunNotFoundError):
            api.run(f"{where}/none")
    calls = [span for span in exporter.get_finished_spans() if span.parent is None]
    assert [span.name for span in calls] == ["Api.run", "HistoryScan.to_pandas", "Runs.__iter__", "Api.run"]
    assert attributes(calls[-1])["error.type"] == "RunNotFoundError"

    async def read() -> None:
        async with runql.AsyncApi(base_url=server.url, api_key=server.api_key) as api:
            run = await api.run(f"{where}/a")
            await run.scan_history().to_pandas()
            assert [run.id async for run in await api.runs(where)] == ["a", "b"]

    exporter.clear()
    anyio.run(read)
    calls = [span for span in exporter.get_finished_spans() if span.parent is None]
    names = [span.name for span in calls]
    assert names[:2] == ["AsyncApi.run", "AsyncHistoryScan.to_pandas"]
    assert len(names) == 3
    assert names[2].startswith("AsyncRuns.")


IN_A_PROCESS = """
import sys, runql, httpx
from tests.unit.transport.driving import settings
transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b'{"data":{"project":null}}'))
from runql.transport.flow import fetch
from runql_graphql.operations import get_run_state
client = runql.RetryingClient(settings(), transport=transport)
read = lambda: client.run(fetch(get_run_state(entity="e", project="p", run="r")))
read()
assert not any(name.startswith("opentelemetry") for name in sys.modules)
from opentelemetry import trace
read()
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with trace.get_tracer("app").start_as_current_span("job"):
    read()
print(*(f"{span.name}<{span.instrumentation_scope.name}" for span in exporter.get_finished_spans()), sep=";")
print(len({span.context.trace_id for span in exporter.get_finished_spans()}))
"""


def test_runql_imports_no_tracing_and_finds_that_of_the_application() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == [
        "POST GetRunState<runql;RetryingClient.run<runql;job<app",
        "1",
    ]


def test_the_base_url_of_these_tests_is_the_one_they_look_for() -> None:
    assert BASE_URL == "http://api.host"
