"""What public scripts do with the official SDK, idiom by idiom, each run with runql in its place."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.contract.world import SampleServer

from runql import Api, JSONValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture
def path(sample: SampleServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sample's project, found as scripts find it: by the environment."""
    monkeypatch.setenv("WANDB_BASE_URL", sample.url)
    monkeypatch.setenv("WANDB_API_KEY", sample.api_key)
    return f"{sample.entity}/{sample.project}"


@pytest.fixture
def writable(server: RunningServer, project: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project that a script may change."""
    history = [{"_step": step, "acc": step / 10, "_timestamp": 1e9 + step} for step in range(10)]
    server.seed(
        project,
        [
            SeedRun(name="a", config={"_internal": 1, "lr": 0.1}, summary={"acc": 0.9}, history=history),
            SeedRun(name="b", config={"lr": 0.2}, summary={"acc": 0.5}, state="running", history=history),
        ],
    )
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", server.api_key)
    return f"{server.entity}/{project}"


def test_export_runs_to_csv(path: str, tmp_path: Path) -> None:
    api = Api()
    summaries: list[dict[str, JSONValue]] = []
    configs: list[dict[str, JSONValue]] = []
    names: list[str | None] = []
    for run in api.runs(path):
        summaries.append(run.summary._json_dict)  # pyright: ignore[reportPrivateUsage] — as scripts write it
        configs.append({key: value for key, value in run.config.items() if not key.startswith("_")})
        names.append(run.name)
    frame = pd.DataFrame({"summary": summaries, "config": configs, "name": names})
    frame.to_csv(tmp_path / "project.csv")
    assert len(pd.read_csv(tmp_path / "project.csv")) == len(api.runs(path)) >= 24
    assert all(summaries)


def test_read_the_history_of_a_run(path: str) -> None:
    run = Api().run(f"{path}/sgd00")
    assert run.state == "finished"
    seen = [(row["_timestamp"], row["train_accuracy"]) for _, row in run.history().iterrows()]
    assert len(seen) == len(run.history(pandas=False))
    few = run.history(samples=5, keys=["train_accuracy"], pandas=False)
    assert 0 < len(few) <= 5
    machine = run.history(stream="events")
    assert len(machine) == len(run.history(stream="system"))
    assert len(run.system_metrics) > 0
    losses = [row["train_accuracy"] for row in run.scan_history(keys=["train_accuracy"])]
    assert len(losses) == len(seen)
    assert next(run.scan_history())["_step"] == 0
    assert run.lastHistoryStep >= len(losses) - 1


def test_find_the_best_run(path: str) -> None:
    api = Api()
    runs = sorted(
        api.runs(path), key=lambda run: float(str(run.summary.get("val_accuracy", 0))), reverse=True
    )
    by_server = api.runs(path, order="-summary_metrics.val_accuracy")
    assert by_server[0].summary["val_accuracy"] == runs[0].summary["val_accuracy"]
    assert next(by_server).id == by_server[0].id
    found = api.runs(path, {"$and": [{"state": "finished"}, {"summary_metrics.val_accuracy": {"$gt": 0.5}}]})
    assert 0 < len(found) < len(runs)


def test_look_at_one_run(path: str) -> None:
    run = Api().run(f"{path}/sgd00")
    assert json.loads(run.json_config)[next(iter(run.config))]["value"] is not None
    assert (run.metadata or {}).keys()
    assert run.user is not None
    assert str(run.user) == run.user.name
    assert "/".join(run.path) == f"{path}/sgd00"
    assert run.url.endswith("/runs/sgd00")


def test_download_files(path: str, tmp_path: Path) -> None:
    run = Api().run(f"{path}/sgd00")
    names = [file.name for file in run.files()]
    assert names
    for name in names[:2] * 2:
        with run.file(name).download(root=str(tmp_path), replace=True) as opened:
            assert opened.name == str(tmp_path / name)
    for file in run.files(names=names[:1]):
        file.download(str(tmp_path), exist_ok=True).close()
        assert file.size == (tmp_path / file.name).stat().st_size


def test_follow_artifacts(path: str, tmp_path: Path) -> None:
    api = Api()
    for run in api.runs(path):
        models = [artifact for artifact in run.logged_artifacts() if artifact.type == "model"]
        if models:
            break
    else:
        pytest.fail("the sample has no model")
    model = api.artifact(models[0].qualified_name, type="model")
    folder = model.download(root=str(tmp_path / "model"))
    assert sorted(Path(folder).rglob("*"))
    producer = model.logged_by()
    assert producer is not None
    assert producer.id == run.id
    collection = models[0].name.partition(":")[0]
    assert model.id in [version.id for version in api.artifacts("model", f"{path}/{collection}")]
    assert {kind.name for kind in api.artifact_types(path)} >= {"model"}
    assert isinstance(model.used_by(), list)
    assert model.metadata is not None


def test_go_through_a_sweep(path: str) -> None:
    api = Api()
    sweep = next(run.sweep for run in api.runs(path) if run.sweep)
    assert api.sweep(f"{path}/{sweep.id}").config == sweep.config
    best = sweep.best_run()
    assert best is not None
    assert best.id in [run.id for run in sweep.runs]


def test_change_runs(writable: str) -> None:
    api = Api()
    run = api.run(f"{writable}/a")
    run.config["key"] = 10
    run.tags.append("seen")
    run.notes = "checked"
    run.update()
    run.summary["accuracy"] = run.summary["acc"]
    del run.summary["acc"]
    run.summary.update()
    again = api.run(f"{writable}/a")
    assert (again.config["key"], again.tags, again.notes) == (10, ["seen"], "checked")
    assert dict(again.summary) == {"accuracy": 0.9}


def test_stop_what_runs_and_delete_what_is_bad(writable: str) -> None:
    api = Api()
    for run in api.runs(writable, filters={"state": "running"}):
        run.stop()
        run.update_state("failed")
    assert [run.state for run in api.runs(writable)] == ["finished", "failed"]
    for run in api.runs(writable):
        if float(str(run.summary["acc"])) < 0.6:
            run.delete()
    assert [run.id for run in api.runs(writable)] == ["a"]


def test_upload_and_delete_files(writable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plot.png").write_bytes(b"png")
    run = Api().run(f"{writable}/a")
    run.upload_file("plot.png")
    for file in run.files():
        if file.name.endswith(".png"):
            file.delete()
    assert list(run.files()) == []


def test_go_through_projects(writable: str) -> None:
    api = Api()
    mine = {project.name: project for project in api.projects(writable.partition("/")[0])}
    project = mine[writable.partition("/")[2]]
    assert project.path == [project.entity, project.name]
    assert len(api.runs("/".join(project.path))) == 2
