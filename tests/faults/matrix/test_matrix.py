"""Cells of the fault matrix: a part that the commit draws. `make faults` runs all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import profiles
from tests.faults.matrix.calls import CALLS
from tests.faults.matrix.catalogue import FAULTS
from tests.faults.matrix.cells import CELLS, commit, drawn
from tests.faults.matrix.known import reason_of
from tests.faults.matrix.running import run_cell
from tests.faults.matrix.world import World, opened

pytestmark = pytest.mark.long

ONE_OF = 10 if profiles.IS_FULL else 40
DRAWN = drawn(ONE_OF, commit())


@pytest.fixture(scope="module")
def matrix() -> Iterator[World]:
    """Everything that cells need, without their names: workers of one session draw the same."""
    with opened() as world:
        yield world


@pytest.mark.parametrize("name", [cell.name for cell in DRAWN])
def test_cell(name: str, matrix: World) -> None:
    cell = CELLS[name]
    why = reason_of(cell)
    result = run_cell(matrix, cell)
    if why is not None:
        if result.violations:
            pytest.xfail(why)
        return
    assert result.violations == []


def test_the_draw_is_the_same_for_one_commit_and_another_for_another() -> None:
    one, same, other = (drawn(10, by) for by in ("one", "one", "other"))
    assert one == same != other
    assert len(CELLS) // 12 < len(one) < len(CELLS) // 8


def test_there_are_cells_of_every_fault_and_of_both_clients() -> None:
    assert len(CELLS) >= 1_500
    assert {cell.face for cell in CELLS.values()} == {"sync", "async"}
    assert {cell.fault.title for cell in CELLS.values()} == set(FAULTS)
    assert {cell.called.name for cell in CELLS.values()} == set(CALLS)
