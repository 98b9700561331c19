"""A script for an official SDK's interpreter: writes a project with typical contents.

`write_project.py` writes everything; with `--stay ID` it logs one run and waits to be killed.
"""

from __future__ import annotations

import importlib
import math
import sys
import time
from pathlib import Path
from typing import Any

from tests.conformance.write_artifacts import log_one, write_artifacts, write_artifacts_to_be_changed
from tests.oracle import log_run

PROJECT = "conformance"
CONSOLE = "console"
STAYING = ("crashed", "running")
STAY_ROWS = 3
MACHINE_ROWS = 3
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cfc0f01f0005000201e221bc330000000049454e44ae426082"
)
CONFIG: dict[str, object] = {
    "lr": 0.1 + 0.2,
    "layers": [64, 32, []],
    "optimizer": {"name": "sgd", "momentum": 1e-7, "nesterov": None, "schedule": {"warmup": [1, 2.5]}},
    "big": 2**53 + 1,
    "on": True,
    "größe": "ünïcode ✓ 🎈",
    "dotted.key": 1,
    "empty": {},
}
SWEEP: dict[str, object] = {
    "name": "größe ✓",
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [1e-05, 0.5]}, "code": {"value": "008"}, "on": {"values": [True, False]}},
}
CHANGES = (
    "with_artifacts",
    "update_fields",
    "update_display_name",
    "update_group",
    "update_config",
    "update_tags",
    "update_nothing",
    "save",
    "summary_then_update",
    "summary_assigned",
    "summary_object_assigned",
    "summary_update",
    "summary_nested",
    "summary_nan",
    "summary_large_array",
    "delete",
    "delete_with_artifacts",
    "delete_twice",
    "update_deleted",
    "upload_file",
    "upload_file_again",
    "upload_file_outside",
    "upload_file_missing",
    "delete_file",
    "create_again",
    "stop",
)
"""Runs to change; the call of that name changes each one."""
Wandb = Any  # the SDK, which is untyped and exists only in its own environment


def rows() -> list[dict[str, object]]:
    """Make rows with keys at different rates, two of them never together; more than one default page."""
    logged = log_run.rows()
    for step in range(5, len(logged), 10):
        logged[step]["elsewhere"] = step / 7
    return logged


def write_rich(wandb: Wandb) -> None:
    """Log the run with everything: many rows, media, files in folders, a nested summary."""
    run = wandb.init(
        project=PROJECT,
        id="rich",
        settings=wandb.Settings(x_stats_sampling_interval=0.1, x_stats_buffer_size=100),
        name="größe ✓ 🎈",
        config=CONFIG,
        tags=["baseline", "grün"],
        notes="two\nlines",
        group="gruppe",
        job_type="train",
    )
    for row in rows():
        run.log(row)
    run.log({"hist": wandb.Histogram([1, 2, 3, 3, 5]), "page": wandb.Html("<p>grün</p>", inject=False)})
    Path("media").mkdir(exist_ok=True)
    Path("media/dot.png").write_bytes(PNG)
    image = {"_type": "image-file", "path": "media/dot.png", "size": len(PNG), "format": "png"}
    run.log({"image": {**image, "width": 1, "height": 1}})
    for name, text in {"notes/deep/a.txt": "one\n", "notes/größe ✓.txt": "grün\n", "top 1%.txt": ""}.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
        run.save(name, base_path=".", policy="now")
    run.save("media/dot.png", base_path=".", policy="now")
    run.summary["best"] = 1 / 3
    run.summary["deep"] = {"x": {"y": 2.5, "list": [1, None, "ü"]}}
    run.summary["limit"] = math.inf
    # The SDK samples system metrics, and sends them only at the end.
    while max(map(len, run._system_metrics.values()), default=0) < MACHINE_ROWS:
        time.sleep(0.05)
    run.finish()


def write_small(wandb: Wandb) -> None:
    """Log other kinds of runs: other metrics, other types under the same names, gaps, failures, no rows."""
    with wandb.init(project=PROJECT, id="plain", group="gruppe", config={"lr": 1, "layers": [8]}) as run:
        for step in range(5):
            run.log({"loss": step, "reward": step / 2})
    with wandb.init(project=PROJECT, id="sparse", tags=["baseline"], config={"lr": 0.5}) as run:
        for step in (0, 7, 2_500, 20_001):
            run.log({"loss": step / 3}, step=step)
    run = wandb.init(project=PROJECT, id="failed", config={"lr": 0.25})
    run.log({"loss": 9.5})
    run.finish(exit_code=3)
    wandb.init(project=PROJECT, id="empty").finish()
    run = wandb.init(project=PROJECT, id="Ünïcode-id", name="under another id")
    run.finish()


def write_console(wandb: Wandb) -> None:
    """Log a run in another project that prints to both streams."""
    settings = wandb.Settings(console="wrap_raw")
    with wandb.init(project=CONSOLE, id="talking", settings=settings) as run:
        for number in range(5):
            print(f"line {number} grün ✓", flush=True)
        print("to the other stream", file=sys.stderr, flush=True)
        run.log({"loss": 1})


def write_sweep(wandb: Wandb) -> None:
    """Create a sweep, and log a run for each of two settings."""
    sweep = wandb.sweep(SWEEP, project=PROJECT)
    for index, loss in enumerate((0.75, 0.25)):
        settings = wandb.Settings(sweep_id=sweep)
        with wandb.init(project=PROJECT, id=f"swept-{index}", settings=settings, config={"lr": 0.5}) as run:
            run.log({"loss": loss})


def write_targets(wandb: Wandb) -> None:
    """Log the runs to change."""
    summary = {"best": 1 / 3, "deep": {"x": {"y": 2.5}}, "limit": -math.inf, "list": [1, "ü"]}
    for name in CHANGES:
        config = {"lr": 0.25, "layers": [64], "optimizer": {"name": "sgd", "momentum": None}}
        run = wandb.init(
            project="changes",
            id=name,
            name="as it was",
            config=config,
            tags=["a", "grün"],
            notes="as\nit was",
        )
        run.log({"loss": 0.5})
        run.summary.update(summary)
        if name == "delete_with_artifacts":
            log_one(wandb, run, name)
        run.finish()


def write_others(wandb: Wandb) -> None:
    """Create another project, and runs that are pending or stopped."""
    api = wandb.Api()
    create = importlib.import_module("wandb.apis.public").Run.create
    create(api, run_id="queued", project=PROJECT, state="pending")
    create(api, run_id="killed", project=PROJECT, state="killed")
    create(api, run_id="twin", project="twin")


def stay(wandb: Wandb, run_id: str) -> None:
    """Log, print a message, and wait to be killed."""
    run = wandb.init(project=PROJECT, id=run_id, config={"lr": 0.125})
    for step in range(STAY_ROWS):
        run.log({"loss": 1 / (step + 1)})
    sys.stdin.read()


def main() -> None:
    """Write everything."""
    wandb = importlib.import_module("wandb")
    if len(sys.argv) > 1:
        stay(wandb, sys.argv[2])
        return
    write_rich(wandb)
    write_small(wandb)
    write_console(wandb)
    write_sweep(wandb)
    write_others(wandb)
    write_targets(wandb)
    write_artifacts(wandb, PROJECT)
    write_artifacts_to_be_changed(wandb, "changes")


if __name__ == "__main__":
    main()
