"""A short soak; `make soak` runs a longer one."""

from __future__ import annotations

import pytest
from tests import profiles
from tests.endurance.soak import soak

pytestmark = pytest.mark.long

SECONDS = 20.0 if profiles.IS_FULL else 6.0
SOME_MEMORY = 60e6
"""Bytes that a short soak may add after its warm-up: pools of connections and of threads are still filling."""
SOME_DESCRIPTORS = 400


def test_threads_and_tasks_read_the_right_values_through_a_front_that_misbehaves() -> None:
    found = soak(SECONDS, threads=16, tasks=100)
    assert found.wrong == []
    assert not found.errors
    assert found.disturbed
    assert found.calls > found.disturbed
    before, after = found.memory
    assert after - before < SOME_MEMORY, str(found)
    assert found.descriptors[1] - found.descriptors[0] < SOME_DESCRIPTORS, str(found)
