"""The sample: real, varied, small, and without details of the machine that made it."""

from __future__ import annotations

import math
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runql import Api, Run, Runs
from runql_server.sample import ARCHIVE, Sample, unpack, write_files

MACHINE = re.compile(
    rb"/home/|/root|/work|/tmp/|\.venv|site-packages|https?://(?!127\.0\.0\.1)|@[\w.]+\.(com|org|net)"
)


@pytest.fixture(scope="module")
def runs(sample_server: Sample) -> Iterator[Runs]:
    with Api(base_url=sample_server.url, api_key=sample_server.api_key) as api:
        yield api.runs(sample_server.project)


@pytest.fixture
def diverged(runs: Runs) -> Run:
    return next(run for run in runs if run.id == "diverged")


def test_it_is_small() -> None:
    assert ARCHIVE.stat().st_size < 2_000_000


def test_it_names_no_machine(tmp_path: Path) -> None:
    write_files(tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not MACHINE.search(path.read_bytes()), path.name


def test_it_holds_no_key(tmp_path: Path) -> None:
    import sqlite3

    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    database = sqlite3.connect(tmp_path / "runql.sqlite3")
    assert database.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)
    assert database.execute("SELECT count(*) FROM settings").fetchone() == (0,)
    database.close()


def test_it_is_written_by_a_python_without_filters_of_archives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_of_3_11_3(archive: tarfile.TarFile, path: str = ".", members: object = None) -> None:
        raise AssertionError(f"{archive.name!r} is extracted to {path} without a filter")

    monkeypatch.setattr(tarfile.TarFile, "extractall", as_of_3_11_3)
    unpack(tmp_path)
    assert (tmp_path / "runql.sqlite3").stat().st_size > 1_000_000
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) > 50


def test_it_is_a_sweep_like_grid_of_many_runs(runs: Runs) -> None:
    assert len(runs) == 28
    assert sum(run.history_line_count or 0 for run in runs) == 19_880
    assert {run.group for run in runs} == {"softmax", "mlp", "sgd"}
    assert len({str(run.config) for run in runs}) == len(runs)
    assert all(run.tags and run.job_type == "train" for run in runs)
    assert any(run.notes for run in runs)
    assert all(run.rawconfig["optimizer"] for run in runs), "configs are nested"
    assert {str(run.rawconfig["_wandb"])[:30] for run in runs}, "by which SDK"


def test_its_runs_end_in_different_ways(runs: Runs) -> None:
    states = [run.state for run in runs]
    assert states.count("crashed") == 1
    assert states.count("running") == 1
    assert states.count("finished") == len(states) - 2


def metric_names(run: Run) -> list[str]:
    """The names of everything that was logged."""
    known = run.history_keys or {}
    keys = known["keys"]
    assert isinstance(keys, dict)
    return list(keys)


def test_its_histories_differ(runs: Runs) -> None:
    keys = {run.group: frozenset(metric_names(run)) for run in runs}
    assert len(set(keys.values())) == 3
    lengths = {run.history_line_count or 0 for run in runs}
    assert min(lengths) >= 100
    assert max(lengths) >= 1_000
    network = next(run for run in runs if run.group == "mlp")
    assert len(list(network.scan_history(keys=["val_loss"]))) < (network.history_line_count or 0)


def test_one_run_diverges_for_real(diverged: Run) -> None:
    losses = [float(str(row["train/loss"])) for row in diverged.scan_history(keys=["train/loss"])]
    assert math.isfinite(losses[0])
    assert any(math.isnan(loss) for loss in losses)
    assert max(loss for loss in losses if math.isfinite(loss)) > 1e6
    perplexities = [float(str(row["val_perplexity"])) for row in diverged.scan_history(["val_perplexity"])]
    assert math.isinf(perplexities[0])
    assert math.isnan(perplexities[-1])


def test_the_machine_was_watched(runs: Runs) -> None:
    assert all(run.system_metrics for run in runs)
    assert all(run.history(stream="system", pandas=False) for run in runs)


def test_training_is_real(runs: Runs) -> None:
    finished = [run for run in runs if run.state == "finished" and run.id != "diverged"]
    assert all(0.85 < float(str(run.summary["val_accuracy"])) < 1 for run in finished)


def test_it_wants_a_directory_of_its_own(tmp_path: Path) -> None:
    unpack(tmp_path)
    with pytest.raises(FileExistsError, match="holds data already"):
        unpack(tmp_path)
