"""Artifacts, files and the sweep of the sample: models that were trained, the data they read, what was noted of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken
from tests.contract.world import World

from runql import ArtifactDamagedError, ArtifactNotFoundError, EntryNotFoundError, FileNotFoundInRunError


@pytest.fixture
def opened(api: Untyped, sampled: World) -> Untyped:
    """The entry point, without types: one test reads both faces."""
    assert sampled.is_sample
    return api


def left_in(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }


def test_the_best_model_of_a_family(opened: Untyped, face: Face, world: World) -> None:
    model = taken(face, opened.artifact(f"{world.path}/softmax:best", "model"))
    assert (model.name, model.type, model.state) == ("softmax:v6", "model", "COMMITTED")
    assert (model.aliases, model.tags) == (["best"], ["linear"])
    assert model.metadata["family"] == "softmax"
    assert (model.file_count, model.size) == (2, 7157)
    assert opened.traffic.requests == 1


def test_the_champion_is_a_link_to_the_best_of_all(opened: Untyped, face: Face, world: World) -> None:
    champion = taken(face, opened.artifact(f"{world.path}/champion:production"))
    assert (champion.name, champion.is_link) == ("champion:v0", True)
    assert champion.source_qualified_name == f"{world.path}/mlp:v6"
    assert sorted(champion.aliases) == ["latest", "production"]
    source = taken(face, opened.artifact(champion.source_qualified_name))
    assert (source.id, source.is_link, source.aliases) == (champion.id, False, ["best"])


def test_versions_of_a_family_in_pages(opened: Untyped, face: Face, world: World) -> None:
    versions = taken(face, opened.artifacts("model", f"{world.path}/mlp", per_page=3))
    assert {version.name for version in listed(face, versions)} == {f"mlp:v{number}" for number in range(8)}
    assert taken(face, versions.length) == 8
    assert opened.traffic.requests == 3


def test_kinds_and_collections(opened: Untyped, face: Face, world: World) -> None:
    kinds = {kind.name for kind in listed(face, taken(face, opened.artifact_types(world.path)))}
    assert kinds == {"dataset", "model", "run_table"}
    models = listed(face, taken(face, opened.artifact_collections(world.path, "model")))
    assert {(each.name, each.is_sequence()) for each in models} == {
        ("softmax", True),
        ("mlp", True),
        ("sgd", True),
        ("champion", False),
    }
    assert opened.traffic.requests == 2


def test_what_is_not_there(opened: Untyped, face: Face, world: World) -> None:
    assert not taken(face, opened.artifact_exists(f"{world.path}/mlp:v99"))
    with pytest.raises(ArtifactNotFoundError):
        taken(face, opened.artifact(f"{world.path}/nothing:latest"))
    with pytest.raises(EntryNotFoundError):
        taken(face, taken(face, opened.artifact(f"{world.path}/mlp:v0")).get_entry("nothing"))


def test_a_model_is_fetched_and_checked(opened: Untyped, face: Face, world: World, tmp_path: Path) -> None:
    model = taken(face, opened.artifact(f"{world.path}/softmax:best"))
    folder = taken(face, model.download(tmp_path / "model", max_concurrency=1))
    assert left_in(folder) == {name: entry.size for name, entry in taken(face, model.entries).items()}
    assert taken(face, model.verify(folder)) == []
    weights = json.loads((folder / "weights.json").read_text())
    assert [len(layer["weights"]) for layer in weights["layers"]] == [64]
    # The artifact, its manifest in two, the addresses in one, two files.
    assert opened.traffic.requests == 6
    (folder / "weights.json").write_text("{}")
    with pytest.raises(ArtifactDamagedError, match=r"changed: weights\.json"):
        taken(face, model.verify(folder))
    taken(face, model.download(folder))
    assert taken(face, model.verify(folder)) == []
    assert opened.traffic.requests == 8


def test_one_file_of_the_data(opened: Untyped, face: Face, world: World, tmp_path: Path) -> None:
    data = taken(face, opened.artifact(f"{world.path}/digits"))
    entry = taken(face, data.get_entry("about.json"))
    path = taken(face, entry.download(tmp_path))
    assert json.loads(path.read_text())["train"] == data.metadata["train"] == 1347
    assert left_in(tmp_path) == {"about.json": entry.size}
    names = [file.name for file in listed(face, data.files(per_page=2))]
    assert sorted(names) == ["about.json", "held_out.csv", "train.csv"]


def test_what_a_run_wrote_and_read(opened: Untyped, face: Face, world: World) -> None:
    run = taken(face, opened.run(f"{world.path}/mlp06"))
    assert {artifact.name for artifact in listed(face, run.logged_artifacts())} == {
        "mlp:v6",
        "run-mlp06-mistakes:v0",
    }
    (data,) = listed(face, run.used_artifacts())
    assert data.name == "digits:v0"
    readers = {reader.id for reader in taken(face, data.used_by())}
    assert {"mlp06", "softmax00"} <= readers
    model = taken(face, opened.artifact(f"{world.path}/mlp:best"))
    assert taken(face, model.logged_by()).id == "mlp06"
    assert opened.traffic.requests == 6


def test_files_of_a_run(opened: Untyped, face: Face, world: World, tmp_path: Path) -> None:
    run = taken(face, opened.run(f"{world.path}/mlp06"))
    names = [file.name for file in listed(face, run.files(per_page=4))]
    assert {"report/held_out/confusion.csv", "report/held_out/recalls.json"} <= set(names)
    assert any(name.startswith("media/images/") for name in names)
    file = taken(face, run.file("report/held_out/recalls.json"))
    with taken(face, file.download(tmp_path)) as text:
        assert set(json.load(text)) == {str(digit) for digit in range(10)}
    assert left_in(tmp_path) == {"report/held_out/recalls.json": file.size}
    (matching,) = listed(face, run.files(pattern="report/%.csv"))
    assert matching.name == "report/held_out/confusion.csv"
    with pytest.raises(FileNotFoundInRunError):
        taken(face, run.file("report/nothing"))


def test_the_sweep_of_a_run(opened: Untyped, face: Face, world: World) -> None:
    run = taken(face, opened.run(f"{world.path}/softmax00"))
    sweep = taken(face, run.sweep)
    assert (sweep.name, sweep.state, sweep.run_count) == ("softmax grid", "FINISHED", 8)
    assert sweep.config["method"] == sweep.method
    assert {each.id for each in listed(face, sweep.runs)} == {f"softmax{number:02}" for number in range(8)}
    assert taken(face, sweep.best_run()).id in {"softmax06", "softmax07"}
