"""The golden cases, each built once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.codegen.building import CASES, build, lay_out


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds every case's package under the case's name."""
    packages = tmp_path_factory.mktemp("built")
    for case in sorted(path for path in CASES.iterdir() if path.is_dir()):
        folder = tmp_path_factory.mktemp(case.name)
        lay_out(folder, schema=case / "schema.graphql", queries=case / "queries.graphql")
        shutil.copytree(build(folder), packages / case.name)
    return packages
