"""A short soak and a short simulation of the limiter; `make soak` and `make limiter` run longer ones."""

from __future__ import annotations

import pytest
from tests import profiles
from tests.endurance.limiter import RATE, simulate
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


def test_a_client_uses_the_rate_that_it_may() -> None:
    found = simulate("RateLimit", 5.0)
    assert 0 < found.accepted <= 6 * RATE
