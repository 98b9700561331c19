"""A rebuild starts from nothing, ends in the same bytes every time, and `generated/` is what it makes today."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.codegen.building import CASES, ROOT, build, build_apart, contents, lay_out

from runql_codegen.settings import CodegenError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The case with most kinds of modules, laid out for a rebuild."""
    case = CASES / "mutation_enum"
    return lay_out(tmp_path, schema=case / "schema.graphql", queries=case / "queries.graphql")


def test_generated_is_what_a_rebuild_makes(tmp_path: Path) -> None:
    lay_out(tmp_path, schema=ROOT / "schema" / "wandb.graphql", queries=ROOT / "queries")
    fresh = contents(build(tmp_path))
    committed = contents(ROOT / "generated" / "runql_graphql")
    stale = [file for file in sorted({*fresh, *committed}) if fresh.get(file) != committed.get(file)]
    assert stale == [], "run `make generate`"


def test_nothing_but_the_package_is_touched(folder: Path) -> None:
    note = folder / "generated" / "README.md"
    note.write_text("kept")
    build(folder)
    assert sorted(path.name for path in note.parent.iterdir()) == ["README.md", "runql_graphql"]
    assert note.read_text() == "kept"


def test_modules_of_removed_operations_go(folder: Path) -> None:
    package = build(folder)
    assert {"get_task.py", "change_task.py"} <= set(contents(package))
    queries = folder / "queries" / "queries.graphql"
    before, _, after = queries.read_text().partition("query GetTask")
    queries.write_text(before + after[after.index("fragment") :])
    (package / "left_behind.py").write_text("")
    rebuilt = contents(build(folder))
    assert "change_task.py" in rebuilt
    assert {"get_task.py", "left_behind.py"}.isdisjoint(rebuilt)


def test_two_rebuilds_give_the_same_bytes_whatever_order_sets_have(tmp_path: Path) -> None:
    made: list[dict[str, bytes]] = []
    for seed in (1, 2):
        folder = lay_out(
            tmp_path / str(seed), schema=ROOT / "schema" / "wandb.graphql", queries=ROOT / "queries"
        )
        made.append(contents(build_apart(folder, hash_seed=seed)))
    assert made[0] == made[1]
    assert len(made[0]) > 10


def test_a_rebuild_makes_the_folder_it_builds_into(folder: Path) -> None:
    shutil.rmtree(folder / "generated")
    assert (build(folder) / "operations.py").is_file()


def test_an_operation_without_a_name_is_refused_and_the_package_stays(folder: Path) -> None:
    before = contents(build(folder))
    (folder / "queries" / "queries.graphql").write_text("\n  { task(id: 1) { id } }")
    with pytest.raises(CodegenError, match=r"^queries/queries\.graphql:2:3: an operation without name"):
        build(folder)
    assert contents(folder / "generated" / "runql_graphql") == before
