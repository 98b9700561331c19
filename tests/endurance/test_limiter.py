"""The limiter over HTTP, in small: the front counts, so that the result depends on no clock of the test."""

from __future__ import annotations

import pytest
from tests.endurance.limiter import RATE, Says, simulate


@pytest.mark.parametrize("says", ["RateLimit", "Retry-After"])
def test_each_call_has_its_result_and_few_requests_are_refused(says: Says) -> None:
    found = simulate(says, seconds=3.0)
    # Eight threads that repeat a refused request at once are refused more often than they are served.
    assert 0 < found.accepted <= 4 * RATE
    assert found.refused <= max(8, found.accepted / 2)
