"""A script for an official SDK's interpreter: log offline runs of many kinds; the last one ends by kill -9.

`log_offline.py FOLDER`
"""

from __future__ import annotations

import importlib
import math
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

wandb: Any = importlib.import_module("wandb")

PROJECT = "offline"
CONFIG: dict[str, object] = {
    "lr": 0.1 + 0.2,
    "layers": [64, 32],
    "optimizer": {"name": "sgd", "m": {"a": 1, "b": None}},
    "big": 2**60,
    "bigger": 2**70,
    "whole": 7.0,
    "tiny": 5e-324,
    "name": "größe ✓",
    "empty": {},
    "dotted.key": 1,
    "a/b": True,
}


def log_plain(root: Path) -> None:
    """Log every kind of value, and change config and summary."""
    run = wandb.init(
        project=PROJECT,
        id="plain",
        name="plain run",
        config=CONFIG,
        tags=["b", "ä"],
        notes="a\nnote",
        group="g",
        job_type="train",
        dir=root,
    )
    run.define_metric("epoch", hidden=True)
    run.define_metric("val/*", step_metric="epoch", summary="max")
    run.define_metric("loss", summary="min,mean")
    run.define_metric("late", step_metric="never logged", summary="last")
    chance = random.Random(11)
    for step in range(400):
        row: dict[str, object] = {"loss": chance.random() * 10 ** chance.randint(-300, 300), "count": step}
        row["nested"] = {"a": {"b": step / 7}}
        if step % 10 == 0:
            row |= {
                "val/accuracy": chance.random(),
                "epoch": step // 10,
                "phase": f"Phase {step} ✓",
                "flag": True,
            }
        if step in (50, 51, 52):
            row["unstable"] = (math.nan, math.inf, -math.inf)[step - 50]
        if step == 90:
            row |= {
                "late": 2**53 + 1,
                "huge": 2**70,
                "minus": -0.0,
                "list": [1, 2.5, None],
                "text": "x" * 70_000,
            }
        run.log(row)
        if step % 20 == 0:
            print(f"step {step} ✓")
    run.config.update({"optimizer": {"m": {"a": 2}}, "new": "x", "lr": 0.5}, allow_val_change=True)
    run.config["later"] = {"deep": [1, {"x": 2}]}
    run.summary["best"] = 1 / 3
    run.summary["deep"] = {"x": {"y": 2.5}, "z": 1}
    run.summary["deep"]["x"]["q"] = 3
    run.summary["gone"] = 1
    del run.summary["gone"]
    run.log({"given": 1}, step=1_000)
    run.log({"a": 1}, step=1_001, commit=False)
    run.log({"b": 1}, step=1_001)
    sys.stderr.write("an error\n")
    for share in range(0, 101, 10):
        print(f"\rloading {share} %", end="")
    print("\nfirst\nsecond\x1b[A\rFIRST\n\n\x1b[31mred\x1b[0m")
    print("l" * 5_000)
    run.finish()


def log_media(root: Path) -> None:
    """Log media, a saved file and artifacts."""
    image = importlib.import_module("PIL.Image")
    run = wandb.init(project=PROJECT, id="media", dir=root)
    picture = wandb.Image(image.new("RGB", (8, 8), (255, 0, 0)), caption="red")
    table = wandb.Table(columns=["x", "y"], data=[[1, "a"], [2.5, "b"], [None, "ü"]])
    run.log({"image": picture, "table": table, "histogram": wandb.Histogram([1, 2, 3, 3])})
    run.log({"images": [picture, picture], "html": wandb.Html("<b>bold</b>")})
    note = root / "note ü.txt"
    note.write_text("saved")
    run.save(str(note), base_path=str(root), policy="now")
    # Of different names: sync uploads them at the same time, and would number versions of one name by chance.
    for text in ("first", "second"):
        artifact = wandb.Artifact(f"data-{text}", "dataset", description="d", metadata={"k": [1, None]})
        with artifact.new_file("deep/a.txt") as file:
            file.write(text)
        artifact.add_reference("https://example.com/a.bin", name="ref.bin", checksum=False)
        run.log_artifact(artifact, aliases=[text])
    run.finish()


def log_listed(root: Path) -> None:
    """Log an artifact whose files are listed in a file of its own, as those of more than 100,000 files are."""
    interface: Any = importlib.import_module("wandb.sdk.interface.interface")
    interface.MANIFEST_FILE_SIZE_THRESHOLD = 2
    run = wandb.init(project=PROJECT, id="listed", dir=root)
    artifact = wandb.Artifact("data-listed", "dataset")
    for number in range(5):
        with artifact.new_file(f"part {number}/ä.txt") as file:
            file.write(f"file {number}")
    artifact.add_reference("https://example.com/b.bin", name="ref.bin", checksum=False)
    run.log_artifact(artifact, aliases=["listed"])
    run.finish()
    interface.MANIFEST_FILE_SIZE_THRESHOLD = 100_000


def log_failed(root: Path) -> None:
    """Log a run that fails."""
    run = wandb.init(project=PROJECT, id="fails", dir=root)
    run.log({"q": 1})
    run.finish(exit_code=3)


def log_resumed(root: Path) -> None:
    """Log a run in two processes' files; their folders are named by the second."""
    run = wandb.init(project=PROJECT, id="resumed", config={"a": 1, "both": 1}, tags=["old"], dir=root)
    for value in range(3):
        run.log({"q": value, "first": 1})
    print("first part")
    time.sleep(1.1)
    run.finish()
    run = wandb.init(
        project=PROJECT, id="resumed", config={"b": 2, "both": 2}, tags=["new"], resume="allow", dir=root
    )
    for value in range(3):
        run.log({"q": 10 + value})
    run.log({"q": 20}, step=50)
    print("second part")
    run.summary["z"] = 1
    run.finish()


def log_forked(root: Path) -> None:
    """Log a run that forks another, and a run that is rewound."""
    for name in ("parent", "rewound"):
        run = wandb.init(project=PROJECT, id=name, dir=root)
        for value in range(6):
            run.log({"q": value})
        run.finish()
    # Folders are named by the second, and sync needs the parent first.
    time.sleep(1.1)
    for settings in ({"id": "fork", "fork_from": "parent?_step=1"}, {"resume_from": "rewound?_step=2"}):
        run = wandb.init(project=PROJECT, dir=root, **settings)
        run.log({"q": 100})
        run.log({"q": 101})
        run.finish()


def log_killed(root: Path) -> None:
    """Log a run whose process dies; what its service did not write yet is lost."""
    run = wandb.init(project=PROJECT, id="killed", config={"a": 1}, dir=root)
    for value in range(2_000):
        run.log({"q": value, "text": "t" * 40})
    written = Path(run.settings.sync_file)
    until = time.monotonic() + 60
    while written.stat().st_size < 100_000 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Log all runs."""
    root = Path(sys.argv[1])
    log_plain(root)
    log_media(root)
    log_listed(root)
    log_failed(root)
    log_resumed(root)
    log_forked(root)
    log_killed(root)


if __name__ == "__main__":
    main()
