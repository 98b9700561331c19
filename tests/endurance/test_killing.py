"""A server that is killed while both official SDKs log to it loses no acknowledged row, and has none twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.endurance.killing import interpreters, run

pytestmark = [pytest.mark.oracle, pytest.mark.long]
ROUNDS = 5


def test_no_acknowledged_row_is_lost_or_doubled_by_kill_9(tmp_path: Path) -> None:
    sdks = interpreters()
    if len(sdks) < 2:
        pytest.skip("RUNQL_WANDB_OLD and RUNQL_WANDB_NEW name no interpreters that have the official SDK")
    report = run(ROUNDS, tmp_path, sdks)
    assert (report.rounds, report.lost, report.doubled, report.damaged) == (ROUNDS, [], [], [])
    assert report.stored == report.logged, "the SDKs sent every row in the end"
    assert all(count > ROUNDS for count in report.acknowledged.values())
