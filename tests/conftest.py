"""The worlds that behaviour tests run in: `--world=recorded|server|live|record`, by default recorded and server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests import patience, profiles, senders, tls
from tests.contract import recording_digests

patience.be_patient()
tls.share_one_context()
profiles.load()

DEFAULT_WORLDS = ("recorded", "server")
FACES = ("sync", "async")

# They import what POSIX alone has, or test forks and nothing else.
collect_ignore = (
    [] if os.name == "posix" else ["unit/transport/test_part_file.py", "unit/transport/test_lifetime.py"]
)

WORLD_MARKS: dict[str, list[pytest.MarkDecorator]] = {
    "recorded": [pytest.mark.vcr, pytest.mark.block_network],
    "record": [pytest.mark.vcr],
    "live": [pytest.mark.live],
    "server": [],
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--world",
        choices=sorted(WORLD_MARKS),
        help="where behaviour tests read: recorded responses and an embedded server (both by default), "
        "a live server (needs RUNQL_LIVE_PATH=entity/project and WANDB_API_KEY), or record the responses again",
    )

    parser.addoption(
        "--write-senders",
        action="store_true",
        help="rewrite src/runql/drift/operations/senders.toml from the requests of the tests in this run",
    )


def pytest_report_header() -> str:
    return f"profile: {profiles.NAME} (RUNQL_FULL=1 tries everything)"


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Spread whole folders over the cores; for the few tests of a file a worker costs more than it saves."""
    is_spread = any(Path(arg).is_dir() for arg in config.args) and not _writes(config)
    # Tests wait for other processes two fifths of their time.
    return (3 * (os.cpu_count() or 1) + 1) // 2 if is_spread else 0


def pytest_configure(config: pytest.Config) -> None:
    if _writes(config) and config.getoption("numprocesses", None):
        raise pytest.UsageError("recordings and senders are written by one process: leave out -n")


def _writes(config: pytest.Config) -> bool:
    return bool(config.getoption("--world") == "record" or config.getoption("--write-senders"))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # Only a passing run has recorded all senders.
    is_whole = exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly
    if session.config.getoption("--write-senders") and is_whole:
        senders.write_table()
    is_over = (
        exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        and not session.config.option.collectonly
    )
    if session.config.getoption("--world") == "record" and is_over:
        recording_digests.note()


watched_senders = senders.watched_senders


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked: str | None = metafunc.config.getoption("--world")
    if "world_name" in metafunc.fixturenames:
        names = (asked,) if asked else DEFAULT_WORLDS
        metafunc.parametrize("world_name", [pytest.param(name, marks=WORLD_MARKS[name]) for name in names])
    if "face_name" in metafunc.fixturenames:
        # Both clients send the same requests, so they share recordings.
        metafunc.parametrize("face_name", FACES[:1] if asked == "record" else FACES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.name != "posix":
        for item in items:
            if item.get_closest_marker("posix") is not None:
                item.add_marker(pytest.mark.skip(reason="this system lacks what POSIX has"))
    # The longest tests start first, so that no core runs one alone at the end.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if config.getoption("--world") not in {"record", "live"}:
        return
    others = [item for item in items if "world_name" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
