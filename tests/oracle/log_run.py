"""A script for an official SDK's interpreter: log one run through its public calls, and write the values as JSON.

`log_run.py NOTE_FILE`; it writes the bits of floats, for an exact comparison.
"""

from __future__ import annotations

import importlib
import json
import math
import random
import struct
import sys
from pathlib import Path
from typing import Any, cast


def bits(value: object) -> Any:  # Any: JSON, compared as it is
    """Replace every fractional number in a value by its eight bytes in hex.

    A float without a fraction counts as an integer: the SDK's core writes 7.0 as 7.
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() else {"float": struct.pack(">d", value).hex()}
    if isinstance(value, dict):
        return {key: bits(entry) for key, entry in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [bits(member) for member in cast("list[object]", value)]
    return value


def rows() -> list[dict[str, object]]:
    """Make rows with keys at different rates, and every kind of number."""
    chance = random.Random(11)
    logged: list[dict[str, object]] = []
    for step in range(1_200):
        row: dict[str, object] = {"loss": chance.random() * 10 ** chance.randint(-300, 300), "count": step}
        if step % 10 == 0:
            row["val/accuracy"] = chance.random()
        if step % 100 == 0:
            row |= {"phase": f"Phase {step} ✓", "flag": step % 200 == 0, "nested": {"a": {"b": step / 7}}}
        if step in (500, 501, 502):
            row["unstable"] = (math.nan, math.inf, -math.inf)[step - 500]
        if step == 900:
            row["late"] = 2**53 + 1
        logged.append(row)
    return logged


CONFIG: dict[str, object] = {
    "lr": 0.1 + 0.2,
    "layers": [64, 32],
    "optimizer": {"name": "sgd", "momentum": 1e-7, "nesterov": None},
    "big": 2**60,
    "name": "größe ✓",
}
TAGS = ["baseline", "grün"]


def main() -> None:
    """Log, finish, and write the note."""
    wandb = importlib.import_module("wandb")
    run = wandb.init(project="oracle", config=CONFIG, tags=TAGS, notes="a\nnote", group="g", job_type="train")
    logged = rows()
    for row in logged:
        run.log(row)
    run.summary["best"] = 1 / 3
    run.summary["deep"] = {"x": {"y": 2.5}}
    run.finish()
    note = {"id": run.id, "name": run.name, "rows": bits(logged), "config": bits(CONFIG), "tags": TAGS}
    Path(sys.argv[1]).write_text(json.dumps(note))


if __name__ == "__main__":
    main()
