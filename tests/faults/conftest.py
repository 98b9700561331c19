"""Fixtures of the fault tests: both faces, a server that stops where it is told, and processes to be killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.contract.both_clients import Face, FaceName
from tests.faults.stopping_server import StoppingServer
from tests.faults.transfer_processes import TransferProcesses


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """The event loop of the awaited face."""
    with start_blocking_portal() as opened:
        yield opened


@pytest.fixture
def face(face_name: FaceName, portal: BlockingPortal) -> Iterator[Face]:
    """The face under test, once each."""
    opened = Face(face_name, portal)
    yield opened
    opened.close()


@pytest.fixture
def stopping() -> Iterator[StoppingServer]:
    """A server that stops where it is told."""
    with StoppingServer() as running:
        yield running


@pytest.fixture(scope="session")
def processes() -> Iterator[TransferProcesses]:
    """Processes to be killed."""
    with TransferProcesses() as started:
        yield started
