"""Streams of runs that the server has exported to parquet are their tables, too."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from tests.contract.arrow.seeding import api_to, row

from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture(scope="module")
def exporting() -> Iterator[RunningServer]:
    """A server that exports the run in three files."""
    policy = ExportPolicy(above_rows=0, rows_per_file=100, rows_per_group=30)
    with RunningServer(export_policy=policy) as server:
        server.seed("p", [SeedRun(name="one", history=[row(step, 0) for step in range(300)])])
        yield server


@pytest.mark.parametrize("keys", [None, ["loss", "ok"]], ids=["whole", "keys"])
def test_a_stream_of_an_exported_run(keys: list[str] | None, exporting: RunningServer) -> None:
    with api_to(exporting) as api:
        scan = api.run(f"{exporting.entity}/p/one").scan_history(keys, page_size=50)
        expected = scan.to_arrow()
        exporting.clear()
        assert pa.table(scan).equals(expected)
        assert any(request.path != "/graphql" for request in exporting.requests)
        if keys is not None:
            known = scan.to_arrow_reader(schema={"loss": float, "ok": bool})
            assert known.read_all().equals(expected)
