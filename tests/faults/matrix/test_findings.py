"""What the matrix has found, cell by cell: each of these was a wrong value, or an error for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.contract.both_clients import FaceName
from tests.faults.matrix.calls import CALLS
from tests.faults.matrix.catalogue import FAULTS
from tests.faults.matrix.cells import Cell
from tests.faults.matrix.running import run_cell
from tests.faults.matrix.world import World, opened

FOUND = {
    # An address that expires between two requests is read again.
    ("artifact.download", "URL expired (400), once"): "right",
    ("artifact.manifest", "URL expired (403), once"): "right",
    # A page of the storage is no parquet file.
    ("run.download_history", "file with a page instead (HTML), for ever"): "error",
    ("run.download_history", "file with a page instead (XML), once"): "error",
    # A failing server has as many features as before.
    ("capabilities", "data: null and errors, once"): "error",
    ("capabilities", "null and an error at depth 2, once"): "error",
    # What the server hides is missing, not absent.
    ("artifact.logged_by", "null for project, for ever"): "error",
    ("artifact.used_by", "null for project, for ever"): "error",
    ("artifact_collections", "null for a node, for ever"): "error",
    ("project.collections", "null for a node, for ever"): "error",
    ("run.logged_artifacts", "null for a node, for ever"): "error",
    ("run.used_artifacts", "null for a node, for ever"): "error",
    ("run.used_artifacts", "null for a list, for ever"): "error",
    ("run.files", "null for a list, for ever"): "error",
    # An archive names what the server listed and did not return.
    ("project.export", "null for artifact, for ever"): "error",
    # The second copy is not taken for the next window.
    ("run.scan_history", "the response twice on one connection, for ever"): "right",
}


@pytest.fixture(scope="module")
def matrix() -> Iterator[World]:
    with opened() as world:
        yield world


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize(("call", "fault"), FOUND)
def test_what_was_found(call: str, fault: str, face: FaceName, matrix: World) -> None:
    result = run_cell(matrix, Cell(CALLS[call], FAULTS[fault], face))
    assert result.violations == []
    assert result.outcome == FOUND[call, fault]
    assert result.hits
