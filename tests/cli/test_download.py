"""`runql download`: files of runs and artifacts, chosen by patterns, never over other files unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.invoking import Done, run

from runql import Api
from runql_server.sample import Sample


def artifact(sample: Sample) -> str:
    with Api(base_url=sample.url, api_key=sample.api_key) as api:
        best = api.runs(f"{sample.entity}/{sample.project}", order="-summary_metrics.val_accuracy")[0]
        model = next(each for each in best.logged_artifacts() if each.type == "model")
        return f"{model.entity}/{model.project}/{model.name}"


def run_path(sample: Sample) -> str:
    with Api(base_url=sample.url, api_key=sample.api_key) as api:
        return "/".join(
            next(run for run in api.runs(f"{sample.entity}/{sample.project}") if run.files()[:]).path
        )


def test_an_artifact_is_saved_and_its_paths_printed(sample_server: Sample, tmp_path: Path) -> None:
    done = run("download", artifact(sample_server), "-d", str(tmp_path / "m"), server=sample_server)
    assert done.returncode == 0, done.stderr
    saved = sorted(str(path) for path in (tmp_path / "m").rglob("*") if path.is_file())
    assert sorted(done.stdout.splitlines()) == saved
    assert len(saved) == 2
    assert f"2 files below {tmp_path / 'm'}" in done.stderr


def test_a_pattern_selects_files_of_an_artifact(sample_server: Sample, tmp_path: Path) -> None:
    path = artifact(sample_server)
    done = Done("download", path, "-d", str(tmp_path), "--glob", "*weights*", server=sample_server)
    assert done.code == 0, done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["weights.json"]


def test_an_artifact_is_kept_where_it_is_whole_and_needs_force_where_not(
    sample_server: Sample, tmp_path: Path
) -> None:
    arguments = ["download", artifact(sample_server), "-d", str(tmp_path)]
    assert Done(*arguments, server=sample_server).code == 0
    assert Done(*arguments, server=sample_server).code == 0
    file = tmp_path / "weights.json"
    whole = file.read_bytes()
    file.write_text("mine")
    refused = Done(*arguments, server=sample_server)
    assert refused.code == 2
    assert "weights.json exist already: give --force" in refused.stderr
    assert file.read_text() == "mine"
    assert Done(*arguments, "--force", server=sample_server).code == 0
    assert file.read_bytes() == whole


def test_files_of_a_run_are_saved(sample_server: Sample, tmp_path: Path) -> None:
    path = run_path(sample_server)
    done = run("download", path, "-d", str(tmp_path), server=sample_server)
    assert done.returncode == 0, done.stderr
    with Api(base_url=sample_server.url, api_key=sample_server.api_key) as api:
        names = sorted(file.name for file in api.run(path).files())
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()) == names
    again = Done("download", path, "-d", str(tmp_path), server=sample_server)
    assert again.code == 2
    assert "give --force to replace them" in again.stderr
    for option in ("--force", "--skip-existing"):
        assert Done("download", path, "-d", str(tmp_path), option, server=sample_server).code == 0


def test_a_pattern_selects_files_of_a_run(sample_server: Sample, tmp_path: Path) -> None:
    path = run_path(sample_server)
    done = Done("download", path, "-d", str(tmp_path), "--glob", "*.json", server=sample_server)
    assert done.code == 0, done.stderr
    saved = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert saved
    assert {each.suffix for each in saved} == {".json"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{run}", "--glob", "nothing*"], 1, "--glob: none of the"),
        (["{model}", "--glob", "nothing*"], 1, "--glob: none of the 2 files"),
        (["{home}"], 2, "is no run and no artifact"),
        (["{home}/nothing"], 1, "nothing"),
        (["{home}/nothing:v0"], 1, "nothing"),
        (["{run}", "--force", "--skip-existing"], 2, "not both"),
        (["{run}", "-d", "{file}"], 2, "is no folder"),
    ],
)
def test_what_is_not_there_or_asked_wrongly_saves_nothing(
    sample_server: Sample, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    names = {
        "run": run_path(sample_server),
        "model": artifact(sample_server),
        "home": f"{sample_server.entity}/{sample_server.project}",
        "file": str(file),
    }
    folder = [] if "-d" in arguments else ["-d", str(tmp_path / "to")]
    done = Done("download", *(each.format(**names) for each in arguments), *folder, server=sample_server)
    assert done.code == code, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
