"""A proxy that silently reduces ``samples``: no reader loses a row, and each window costs a few requests more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import polars as pl
import pytest
from tests.contract.both_clients import Face
from tests.faults.capped_samples import (
    LIMITS,
    NINETY_FIVE,
    NO_EXPORTS,
    PROJECT,
    Limit,
    Proxy,
    cap,
    readings,
    seed,
)

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer

pytestmark = pytest.mark.nightly

LENGTHS = (30, 700, 2_600)
FEW_EXPORTED = ExportPolicy(1_000)
CASES = (
    *((1, NO_EXPORTS, limit) for limit in (LIMITS[0], cap(100), cap(500), NINETY_FIVE)),
    (3, NO_EXPORTS, cap(100)),
    (1, FEW_EXPORTED, cap(100)),
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[int, ExportPolicy], RunningServer]]:
    """Runs with a row at each ``gap``-th step; some of them exported, or none."""
    running: dict[tuple[int, ExportPolicy], RunningServer] = {}
    with ExitStack() as stack:

        def server(gap: int, policy: ExportPolicy) -> RunningServer:
            if (gap, policy) not in running:
                started = stack.enter_context(RunningServer(export_policy=policy))
                seed(started, LENGTHS, gap)
                running[gap, policy] = started
            return running[gap, policy]

        yield server


@pytest.mark.parametrize(("gap", "policy", "limit"), CASES)
def test_no_row_is_lost(
    gap: int, policy: ExportPolicy, limit: Limit, servers: Callable[[int, ExportPolicy], RunningServer]
) -> None:
    for each in readings(servers(gap, policy), LENGTHS, [limit]):
        assert each.found == each.expected, each
        assert each.requests <= 30 + 8 * sum(LENGTHS) // min(1_000, limit.keep(10_000)), each


def test_what_one_read_shows_of_a_server_is_known_to_the_next(
    face: Face, servers: Callable[[int, ExportPolicy], RunningServer]
) -> None:
    server = servers(1, NO_EXPORTS)
    proxy = Proxy(cap(60))
    api = face.api(server.url, server.api_key, transport=proxy)
    counts: list[int] = []
    for _ in range(3):
        before = proxy.sent
        frame = face.take(face.take(api.run(f"{server.entity}/{PROJECT}/r1")).scan_history().to_polars())
        assert isinstance(frame, pl.DataFrame)
        assert frame.height == LENGTHS[1]
        counts.append(proxy.sent - before)
    assert counts[2] <= counts[0]
    together = face.take(face.take(api.runs(f"{server.entity}/{PROJECT}")).scan_histories(["loss"]).collect())
    assert together.height == sum(LENGTHS)
