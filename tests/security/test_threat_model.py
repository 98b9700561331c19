"""docs/threat-model.md: each threat names tests, and each named test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LINES: Final = (ROOT / "docs" / "threat-model.md").read_text("utf-8").splitlines()
ROWS: Final = [line for line in LINES if line.startswith("|") and not line.startswith(("| threat |", "|---"))]
TEST_ID: Final = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
IDS: Final = sorted({match.group() for row in ROWS for match in TEST_ID.finditer(row)})


def test_each_threat_names_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if not TEST_ID.search(row.split("|")[3])] == []


@pytest.mark.parametrize("test_id", IDS)
def test_each_named_test_exists(test_id: str) -> None:
    path, name = test_id.split("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    assert name.startswith("test_")
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
