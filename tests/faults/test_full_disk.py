"""A full disk: a limit on the size of files makes the system refuse a write."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from tests.contract.both_clients import FaceName
from tests.contract.file_responses import BODY, digest
from tests.faults.boundaries import BEFORE, BOUNDARIES, content_of, place_target, siblings_of
from tests.faults.stopping_server import Sending, StoppingServer
from tests.faults.transfer_processes import TransferProcesses
from tests.faults.transfer_program import Transfer


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_disk_that_is_full_at_a_boundary(
    boundary: str,
    before: str,
    face_name: FaceName,
    processes: TransferProcesses,
    stopping: StoppingServer,
    tmp_path: Path,
) -> None:
    target = place_target(tmp_path / "root", BEFORE[before])
    most = BOUNDARIES[boundary]
    order = Transfer(
        face_name,
        "download",
        stopping.url,
        str(tmp_path / "root"),
        str(tmp_path / "report"),
        largest=most,
    )
    report = processes.report_of(order)
    if most == len(BODY):
        assert report == {}
        assert content_of(target) == BODY
    else:
        assert (report["error"], report["errno"]) == ("LocalFileError", errno.EFBIG)
        assert f"cannot save to {target}" in str(report["text"])
        assert content_of(target) == BEFORE[before]
    assert siblings_of(target) == []


def test_the_last_bytes_of_a_small_file_do_not_fit(
    face_name: FaceName, processes: TransferProcesses, stopping: StoppingServer, tmp_path: Path
) -> None:
    """They wait in memory until the file is closed, and only then the system says no."""
    small = BODY[:5000]
    stopping.fields = {"md5": digest(small), "sizeBytes": len(small)}
    stopping.send(Sending(body=small))
    target = place_target(tmp_path / "root", b"old")
    order = Transfer(
        face_name, "download", stopping.url, str(tmp_path / "root"), str(tmp_path / "report"), largest=4999
    )
    report = processes.report_of(order)
    assert (report["error"], report["errno"]) == ("LocalFileError", errno.EFBIG)
    assert (content_of(target), siblings_of(target)) == (b"old", [])
