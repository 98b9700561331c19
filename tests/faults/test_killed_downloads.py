"""A client that is killed during a download: the target is the old file or the new one, and the next client cleans up."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.both_clients import FaceName
from tests.contract.file_responses import BODY
from tests.faults.boundaries import BEFORE, BOUNDARIES, OLD, content_of, place_target, siblings_of
from tests.faults.stopping_server import Sending, StoppingServer
from tests.faults.transfer_processes import TransferProcesses
from tests.faults.transfer_program import Transfer
from tests.patience import PATIENCE, until
from tests.profiles import IS_FULL

from runql.transport.files.bodies import BUFFER_SIZE

pytestmark = pytest.mark.nightly

MORE = BUFFER_SIZE + 1
"""Bytes of which none stays in memory."""
MOST_OPERATIONS = 60
STRIDE = 1 if IS_FULL else 2


@pytest.fixture
def order(face_name: FaceName, stopping: StoppingServer, tmp_path: Path) -> Transfer:
    """To fetch the file."""
    return Transfer(face_name, "download", stopping.url, str(tmp_path / "root"), str(tmp_path / "report"))


@pytest.fixture(params=list(BEFORE))
def before(request: pytest.FixtureRequest) -> bytes | None:
    """What the target holds."""
    return BEFORE[request.param]


def written(target: Path) -> int:
    """Bytes that lie in unfinished files of the target; -1 while there is none."""
    parts = [*target.parent.glob(".*.part"), *target.parent.glob(".*.parts/*")]
    return sum(path.stat().st_size for path in parts) if parts else -1


def check_next(processes: TransferProcesses, stopping: StoppingServer, order: Transfer, target: Path) -> None:
    """The next client that fetches the file gets it, and removes what the killed one left."""
    stopping.send(Sending())
    assert processes.report_of(order) == {}
    assert content_of(target) == BODY
    assert siblings_of(target) == []


@pytest.mark.parametrize("boundary", ["no answer", *BOUNDARIES])
def test_killed_at_a_boundary(
    boundary: str,
    before: bytes | None,
    order: Transfer,
    processes: TransferProcesses,
    stopping: StoppingServer,
) -> None:
    target = place_target(Path(order.folder), before)
    upto = BOUNDARIES.get(boundary)
    stopping.send(Sending(upto, "hold"))
    process = processes.start(order)
    assert stopping.reached.wait(PATIENCE)
    is_on_disk = upto is not None and upto > BUFFER_SIZE
    if upto is not None and is_on_disk:
        until(lambda: written(target) >= upto - BUFFER_SIZE)
    processes.kill(process)
    assert content_of(target) == before
    assert len(siblings_of(target)) == is_on_disk
    check_next(processes, stopping, order, target)


@pytest.mark.parametrize("crowded", [False, True], ids=["alone", "beside another"])
def test_killed_before_any_operation_on_files(
    crowded: bool,
    before: bytes | None,
    order: Transfer,
    processes: TransferProcesses,
    stopping: StoppingServer,
    tmp_path: Path,
) -> None:
    """From the first file that is made to the last that is removed: the move is one of the places in between."""
    target = place_target(Path(order.folder), before)
    other = replace(order, report=str(tmp_path / "other"))
    started = 0
    if crowded:
        stopping.send(Sending(MORE, "hold"))
        started = processes.start(other)
        until(lambda: written(target) >= MORE)
        stopping.sending = Sending()
    seen = set[bytes | None]()
    for operation in range(1, MOST_OPERATIONS, STRIDE):
        code = processes.wait(processes.start(replace(order, killed_at=operation)))
        seen.add(content_of(target))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        assert content_of(target) in (before, BODY)
        assert processes.report_of(order) == {}
        assert content_of(target) == BODY
        assert written(target) == (MORE if crowded else -1)
        target.unlink()
        if before is not None:
            target.write_bytes(before)
    else:
        pytest.fail("it never came to its end")
    assert operation >= 6
    assert seen == {before, BODY}
    if crowded:
        stopping.release()
        assert processes.wait(started) == 0
        assert Path(other.report).read_text() == "{}"
    assert (content_of(target), siblings_of(target)) == (BODY, [])


def test_killed_when_it_is_done(
    before: bytes | None, order: Transfer, processes: TransferProcesses, stopping: StoppingServer
) -> None:
    target = place_target(Path(order.folder), before)
    assert processes.report_of(order) == {}
    assert (content_of(target), siblings_of(target)) == (BODY, [])
    stopping.send(Sending(0, "hold"))
    process = processes.start(order)
    assert stopping.reached.wait(PATIENCE)
    processes.kill(process)
    assert content_of(target) == BODY


def test_a_live_download_of_the_same_target_is_left_alone(
    order: Transfer, processes: TransferProcesses, stopping: StoppingServer
) -> None:
    target = place_target(Path(order.folder), OLD)
    stopping.send(Sending(MORE, "hold"))
    killed, alive = processes.start(order), processes.start(order)
    until(lambda: written(target) >= 2 * MORE)
    processes.kill(killed)
    stopping.sending = Sending()
    assert processes.report_of(order) == {}
    assert content_of(target) == BODY
    assert written(target) == MORE, "only the live one's is left"
    target.write_bytes(OLD)
    stopping.release()
    assert processes.wait(alive) == 0
    assert Path(order.report).read_text() == "{}"
    assert (content_of(target), siblings_of(target)) == (BODY, [])


def test_many_download_the_same_target_at_once(
    order: Transfer, processes: TransferProcesses, tmp_path: Path
) -> None:
    target = place_target(Path(order.folder), OLD)
    orders = [
        Transfer(order.face, order.what, order.url, order.folder, str(tmp_path / f"report{number}"))
        for number in range(12)
    ]
    started = [processes.start(each) for each in orders]
    assert [processes.wait(each) for each in started] == [0] * len(started)
    assert [Path(each.report).read_text() for each in orders] == ["{}"] * len(orders)
    assert (content_of(target), siblings_of(target)) == (BODY, [])
