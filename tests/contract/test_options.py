"""`with_options`: a copy with its own timeout and retries, on the connections of the client it was made from."""

from __future__ import annotations

import httpx
import pytest
from tests.contract.both_clients import Face, PassingTransport
from tests.contract.untyped import Untyped, listed, taken

from runql import (
    ClientClosedError,
    ConfigurationError,
    RetryPolicy,
    ServerFailureError,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

AT_ONCE = RetryPolicy(max_attempts=3, first_delay=0.0, jitter=0.0)


class WatchingTransport(PassingTransport):
    """Sends requests on, and notes their timeouts and when it is closed; with ``failing`` it returns status 500."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float] = []
        self.closed = 0
        self.failing = False

    def before(self, request: httpx.Request) -> httpx.Request | httpx.Response:
        self.timeouts.append(request.extensions["timeout"]["read"])
        return httpx.Response(500, request=request) if self.failing else request

    def close(self) -> None:
        self.closed += 1
        super().close()

    async def aclose(self) -> None:
        self.closed += 1
        await super().aclose()


@pytest.fixture
def wire() -> WatchingTransport:
    return WatchingTransport()


@pytest.fixture
def api(server: RunningServer, face: Face, wire: WatchingTransport) -> Untyped:
    return face.api(server.url, server.api_key, transport=wire, timeout=60)


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    server.seed(project, [SeedRun(name=f"run{n}", history=[{"loss": 1.0}]) for n in range(3)])
    server.clear()
    return f"{server.entity}/{project}"


def test_what_the_copy_returns_uses_its_timeout_and_the_original_keeps_its_own(
    api: Untyped, face: Face, home: str, wire: WatchingTransport
) -> None:
    slow = api.with_options(timeout=300)
    assert wire.timeouts == []
    run = taken(face, slow.run(f"{home}/run0"))
    face.load(run, force=True)
    assert len(listed(face, run.scan_history())) == 1
    listed(face, taken(face, slow.runs(home, per_page=2)))
    assert set(wire.timeouts) == {300}
    assert len(wire.timeouts) == 5
    wire.timeouts.clear()
    taken(face, api.run(f"{home}/run0"))
    assert wire.timeouts == [60]
    assert (api.settings.timeout, slow.settings.timeout) == (60, 300)


def test_options_that_are_left_out_are_those_of_the_client(
    api: Untyped, face: Face, home: str, wire: WatchingTransport
) -> None:
    copy = api.with_options(timeout=5, retries=AT_ONCE).with_options(retries=1)
    assert copy.settings.timeout == 5
    wire.failing = True
    with pytest.raises(ServerFailureError) as caught:
        taken(face, copy.run(f"{home}/run0"))
    assert caught.value.attempts == 2
    assert wire.timeouts == [5, 5]
    assert type(copy) is type(api)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (AT_ONCE, 3)])
def test_retries_are_those_of_the_copy(
    retries: int | RetryPolicy, attempts: int, api: Untyped, face: Face, home: str, wire: WatchingTransport
) -> None:
    wire.failing = True
    with pytest.raises(ServerFailureError) as caught:
        taken(face, api.with_options(retries=retries).run(f"{home}/run0"))
    assert caught.value.attempts == attempts
    assert len(wire.timeouts) == attempts


def test_the_copy_shares_what_the_client_learned(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    viewer = taken(face, api.viewer)
    copy = api.with_options(timeout=5)
    assert taken(face, copy.viewer) == viewer
    assert len(server.requests) == 1
    taken(face, copy.run(f"{home}/run0"))
    assert api.traffic is copy.traffic
    assert api.traffic.requests == 2
    for name in ("_rate_limiter", "sample_limits"):
        assert getattr(copy.client, name) is getattr(api.client, name)
    for name in ("_unknown", "_known_hosts"):
        assert getattr(copy.client._endpoint, name) is getattr(api.client._endpoint, name)


def test_closing_the_copy_does_not_close_the_client(
    api: Untyped, face: Face, home: str, wire: WatchingTransport
) -> None:
    copy = api.with_options(timeout=5)
    run = taken(face, copy.run(f"{home}/run0"))
    taken(face, copy.close())
    copies: list[Untyped] = [copy, copy.with_options(retries=0)]
    for each in copies:
        with pytest.raises(ClientClosedError, match="make a new Api"):
            taken(face, each.run(f"{home}/run0"))
    with pytest.raises(ClientClosedError):
        face.load(run, force=True)
    assert wire.closed == 0
    assert taken(face, api.run(f"{home}/run0")).id == "run0"
    assert taken(face, api.with_options(timeout=7).run(f"{home}/run0")).id == "run0"


def test_closing_the_client_closes_its_copies(
    api: Untyped, face: Face, home: str, wire: WatchingTransport
) -> None:
    copy = api.with_options(timeout=5)
    run = taken(face, copy.run(f"{home}/run0"))
    taken(face, api.close())
    assert wire.closed == 1
    sent = len(wire.timeouts)
    for each in (copy, copy.with_options(retries=0), api.with_options(retries=0)):
        with pytest.raises(ClientClosedError, match="make a new Api"):
            taken(face, each.run(f"{home}/run0"))
    with pytest.raises(ClientClosedError):
        face.load(run, force=True)
    assert len(wire.timeouts) == sent
    assert run.id == "run0"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"timeout": 0}, ConfigurationError, "the argument timeout is 0: give a positive number of seconds"),
        ({"timeout": float("nan")}, ConfigurationError, "give a positive number of seconds"),
        ({"timeout": "5"}, TypeError, "timeout must be a number of seconds, not str"),
        ({"retries": -1}, ValueError, "retries must be 0 or more, not -1"),
        ({"retries": True}, TypeError, "retries must be a number such as 3, or a RetryPolicy, not bool"),
        ({"retries": 1.5}, TypeError, "not float"),
    ],
)
def test_bad_options_are_refused_before_anything_is_sent(
    options: dict[str, Untyped], error: type[Exception], message: str, api: Untyped, wire: WatchingTransport
) -> None:
    with pytest.raises(error, match=message):
        api.with_options(**options)
    assert wire.timeouts == []
