"""A script for an official SDK's interpreter: train one run of the grid and log it; `python -m runql_server.training.log_runs RUN_ID`."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from runql_server.training import dataset, evaluation
from runql_server.training.dataset import Digits
from runql_server.training.digits import Plan, Row, grid, train
from runql_server.training.evaluation import Evaluation
from runql_server.training.model import Model

# Any in this module: the SDK is not a dependency.

PROJECT = "digits"
# Seconds between samples of system metrics, short enough that each short run has some.
SECONDS_PER_RUN = 1.2
# Name of a run's report among its files.
REPORT = "report/held_out"


def log(plan: Plan) -> None:
    """Train one model and log it with the SDK, from the dataset artifact to the model artifact."""
    wandb: Any = importlib.import_module("wandb")
    run = wandb.init(
        project=PROJECT,
        id=plan.run_id,
        name=plan.name,
        config=plan.config,
        tags=plan.tags,
        group=plan.family,
        job_type="train",
        notes=plan.notes,
        settings=wandb.Settings(x_stats_sampling_interval=0.3, console="off"),
    )
    started = time.monotonic()
    data = _data(run, wandb)
    training, model = train(plan, data), None
    while model is None:
        try:
            row = next(training)
        except StopIteration as end:
            model = end.value
        else:
            run.log(_logged(row, wandb))
    while time.monotonic() - started < SECONDS_PER_RUN:
        time.sleep(0.05)
    if plan.ending == "finished":
        run.summary["parameters"] = {"count": model.parameters}
        if model.is_finite:
            _log_model(run, wandb, plan, model.rounded(), data)
        run.finish()
        return
    # The SDK sends the rows in the background; then the process exits without finishing the run.
    time.sleep(20)
    os._exit(1)


def _data(run: Any, wandb: Any) -> Digits:
    """Use the dataset artifact; the first run of the project creates it."""
    name = f"{PROJECT}:latest"
    if not wandb.Api().artifact_exists(f"{PROJECT}/{name}"):
        folder = Path("made")
        artifact = wandb.Artifact(
            PROJECT,
            type="dataset",
            description="Handwritten digits, 8 x 8 pixels, split once",
            metadata=dataset.write(folder),
        )
        artifact.add_dir(str(folder))
        run.log_artifact(artifact, aliases=["latest", "split-0"], tags=["images", "small"]).wait()
    return dataset.read(Path(run.use_artifact(name).download(root="data")))


def _logged(row: Row, wandb: Any) -> Row:
    weights = row.get("weights")
    return (
        row
        if weights is None
        else {**row, "weights": wandb.Histogram(weights["histogram"].ravel(), num_bins=16)}
    )


def _log_model(run: Any, wandb: Any, plan: Plan, model: Model, data: Digits) -> None:
    """Log the model as the next version of its family, as ``best`` if it is, and a report on the held-out digits."""
    result = evaluation.evaluate(model, data)
    result.write(Path(REPORT))
    for path in sorted(Path(REPORT).iterdir()):
        run.save(str(path), base_path=".", policy="now")
    if plan.model.get("hidden") == 96:
        _log_mistakes(run, wandb, result)
    folder = Path("model")
    folder.mkdir()
    model.save(folder / "weights.json")
    about = {"family": plan.family, "accuracy": result.accuracy, "parameters": model.parameters, **plan.model}
    evaluation.write_json(
        folder / "model.json", {**about, "trained_on": f"{PROJECT}:split-0", "run": plan.run_id}
    )
    artifact = wandb.Artifact(plan.family, type="model", description=plan.name, metadata=about)
    artifact.add_dir(str(folder))
    best = _best_accuracy(wandb, plan.family)
    aliases = ["latest", "best"] if best is None or result.accuracy > best else ["latest"]
    run.log_artifact(artifact, aliases=aliases, tags=plan.tags[:1]).wait()


def _log_mistakes(run: Any, wandb: Any, result: Evaluation) -> None:
    """Log an image of the confusion matrix and a table of the mistakes to the summary."""
    run.summary["confusion"] = wandb.Image(result.picture(), caption="rows: shown, columns: taken for")
    run.summary["mistakes"] = wandb.Table(columns=["shown", "taken_for", "times"], data=result.mistakes())


def _best_accuracy(wandb: Any, family: str) -> float | None:
    api = wandb.Api()
    name = f"{PROJECT}/{family}:best"
    return float(api.artifact(name).metadata["accuracy"]) if api.artifact_exists(name) else None


if __name__ == "__main__":
    log(next(plan for plan in grid() if plan.run_id == sys.argv[1]))
