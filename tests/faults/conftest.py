"""Fixtures of the fault tests: both clients, a server that stops within a file, and processes to kill."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.contract.both_clients import Face, FaceName
from tests.faults.stopping_server import StoppingServer
from tests.faults.transfer_processes import TransferProcesses


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


@pytest.fixture
def stopping() -> Iterator[StoppingServer]:
    """Start a server that stops within a file."""
    with StoppingServer() as running:
        yield running


@pytest.fixture(scope="session")
def processes() -> Iterator[TransferProcesses]:
    """Start the program that forks transfer processes."""
    with TransferProcesses() as started:
        yield started
