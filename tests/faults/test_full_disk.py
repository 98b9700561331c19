"""A disk that takes no more, for real: a limit on the size of files, so that the system refuses a write."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from tests.contract.both_clients import FaceName
from tests.contract.file_responses import BODY, digest
from tests.faults.boundaries import BEFORE, BOUNDARIES, beside, held, placed
from tests.faults.stopping_server import Sending, StoppingServer
from tests.faults.transfer_processes import Victims
from tests.faults.transfer_program import Order


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_disk_that_is_full_at_a_boundary(
    boundary: str,
    before: str,
    face_name: FaceName,
    victims: Victims,
    stopping: StoppingServer,
    tmp_path: Path,
) -> None:
    target = placed(tmp_path / "root", BEFORE[before])
    most = BOUNDARIES[boundary]
    order = Order(
        face_name,
        "download",
        stopping.url,
        str(tmp_path / "root"),
        str(tmp_path / "report"),
        largest=most,
    )
    told = victims.told(order)
    if most == len(BODY):
        assert told == {}
        assert held(target) == BODY
    else:
        assert (told["error"], told["errno"]) == ("LocalFileError", errno.EFBIG)
        assert f"cannot save to {target}" in str(told["text"])
        assert held(target) == BEFORE[before]
    assert beside(target) == []


def test_the_last_bytes_of_a_small_file_do_not_fit(
    face_name: FaceName, victims: Victims, stopping: StoppingServer, tmp_path: Path
) -> None:
    """They wait in memory until the file is closed, and only then the system says no."""
    small = BODY[:5000]
    stopping.fields = {"md5": digest(small), "sizeBytes": len(small)}
    stopping.send(Sending(body=small))
    target = placed(tmp_path / "root", b"old")
    order = Order(
        face_name, "download", stopping.url, str(tmp_path / "root"), str(tmp_path / "report"), largest=4999
    )
    told = victims.told(order)
    assert (told["error"], told["errno"]) == ("LocalFileError", errno.EFBIG)
    assert (held(target), beside(target)) == (b"old", [])
