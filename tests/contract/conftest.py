"""Fixtures of the behaviour tests: a world, the sync or async client, and its entry point to the world."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.contract import recording
from tests.contract.both_clients import AnyApi, Face, FaceName
from tests.contract.scripted_server import ScriptedServer
from tests.contract.world import SampleServer, World, WorldName, live_world, recorded_world, served_world

from runql_server.running import RunningServer
from runql_server.sample import start

_WORLD_OR_FACE = re.compile(r"(?<=[\[-])(?:recorded|record|sync|async)(?:-|(?=\]))")
_NOT_IN_FILES = re.compile(r"[^A-Za-z0-9_.+=-]+")


def pytest_recording_configure(config: pytest.Config, vcr: recording.Recorder) -> None:
    recording.prepare(vcr)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Delete all recordings before recording everything, so that no stale one stays."""
    config = session.config
    records = config.getoption("--world") == "record" and not config.getoption("collectonly")
    whole = not config.getoption("keyword") and all(Path(arg).is_dir() for arg in config.args)
    if records and whole:
        shutil.rmtree(recording.FOLDER, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Iterator[None]:
    """Require that a test sends exactly the recorded requests."""
    try:
        yield
    except recording.NoSuchExchange as error:
        raise recording.stale(error) from None
    if item.funcargs.get("world_name") == "recorded":
        cassette = item.funcargs["vcr"]
        assert isinstance(cassette, recording.Cassette)
        recording.check_all_played(cassette)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Copy the environment in which the tests started."""
    return dict(os.environ)


@pytest.fixture(autouse=True)
def _no_configuration(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "WANDB_API_KEY",
        "WANDB_BASE_URL",
        "WANDB_ENTITY",
        "WANDB_PROJECT",
        "WANDB_APP_URL",
        "NETRC",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """Run the event loop of the async client."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def face(face_name: FaceName, portal: BlockingPortal) -> Iterator[Face]:
    """Run the test with the sync client and with the async client."""
    opened = Face(face_name, portal)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sample() -> Iterator[SampleServer]:
    """Serve the sample project on an embedded server."""
    with start() as server:
        yield server


@pytest.fixture(scope="session")
def _live(environment: dict[str, str]) -> World:
    return live_world(environment)


@pytest.fixture
def world(world_name: WorldName, request: pytest.FixtureRequest) -> World:
    """Run the test in each requested world."""
    if world_name == "recorded":
        return recorded_world()
    if world_name == "live":
        live: World = request.getfixturevalue("_live")
        return live
    return served_world(world_name, request.getfixturevalue("sample"))


@pytest.fixture
def sampled(world: World) -> World:
    """As `world`, for tests of facts about the sample."""
    if not world.is_sample:
        pytest.skip("a fact of the sample")
    return world


@pytest.fixture
def api(world: World, face: Face) -> AnyApi:
    """Make the entry point of this client to this world."""
    return face.api(world.url, world.api_key)


@pytest.fixture(scope="session")
def _server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


@pytest.fixture
def server(_server: RunningServer) -> RunningServer:
    """Return an embedded server with an empty list of requests."""
    _server.clear()
    return _server


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    """Return a unique project name for the test."""
    return f"test-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """Start a server that sends queued responses."""
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def vcr_config(world_name: WorldName) -> dict[str, object]:
    """Return the settings of pytest-recording."""
    return recording.settings(record=world_name == "record")


@pytest.fixture
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Return one folder per test module."""
    return str(recording.FOLDER / request.path.stem.removeprefix("test_"))


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Name a recording by test and parameters, without the client: both clients share it."""
    node: pytest.Item = request.node
    name = _WORLD_OR_FACE.sub("", node.name).replace("[]", "").removeprefix("test_")
    return _NOT_IN_FILES.sub("-", name).strip("-")
