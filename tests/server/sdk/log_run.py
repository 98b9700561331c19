"""A script for the official SDK's interpreter: log one run, and write the logged values as JSON."""

from __future__ import annotations

import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Untyped, and installed only in the environment of the SDK.
wandb: Any = import_module("wandb")

CONFIG = {
    "lr": 1e-3,
    "third": 1 / 3,
    "big": 2**53 + 1,
    "flag": True,
    "nothing": None,
    "text": 'héllo ✓ "quoted"',
    "model": {"layers": [1, 2, 3], "deep": {"x": 0.1}},
}


def row(step: int) -> dict[str, object]:
    """Make the row of a step: floats with unusual bits, keys that come and go.

    There is no -0.0 among them, because the SDK writes 0 for it.
    """
    values: dict[str, object] = {
        "loss": 1 / (step + 3),
        "acc": step * 0.1,
        "tiny": 5e-324 * (step + 1),
        "i": step,
    }
    special = {5: math.nan, 6: math.inf, 7: -math.inf, 8: -1.1e-308, 9: 1.7976931348623157e308}
    if step in special:
        values["loss"] = special[step]
    if step % 10 == 0:
        values["hist"] = wandb.Histogram([1, 2, 3, step])
        values["note"] = "ünïcode ✓"
    if step % 7 == 0:
        values["nested"] = {"a": {"b": step / 7}}
    return values


def main(result: Path) -> None:
    """Log, and write the record to ``result``."""
    run = wandb.init(
        project="oracle",
        config=CONFIG,
        tags=["first", "second"],
        notes="some notes",
        group="g",
        job_type="train",
        name="a name",
    )
    rows = [row(step) for step in range(250)]
    for values in rows:
        run.log(values)
    print("a line on stdout")
    print("a line on stderr", file=sys.stderr)
    run.summary["best"] = 0.1 + 0.2
    run.summary["nest"] = {"q": 1e-300}
    run.tags += ("third",)
    run.config.update({"late": 5})
    run.finish()
    plain = [{key: value for key, value in values.items() if key != "hist"} for values in rows]
    result.write_text(json.dumps({"id": run.id, "config": {**CONFIG, "late": 5}, "rows": plain}))


main(Path(sys.argv[1]))
