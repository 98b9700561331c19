"""A script for an official SDK's interpreter: log tables in every way, and write what its own reader returns.

`log_tables.py NOTE_FILE`
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
import sys
from pathlib import Path
from typing import Any

ENTITY, PROJECT = "local", "tables"
COLUMNS = ["number", "float", "string", "flag", "when", "image", "list", "object", "nothing"]
FIRST_TIME = dt.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=dt.UTC)
SECOND_TIME = dt.datetime(2026, 1, 3, tzinfo=dt.UTC)


def every_type(wandb: Any, np: Any) -> Any:
    """Make a table with a column of each kind."""
    image = wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8), caption="black")
    rows = [
        [1, 1.5, "a", True, FIRST_TIME, image, [1, 2], {"x": 1, "y": "z"}, None],
        [2, None, None, False, SECOND_TIME, image, [3], {"x": 2, "y": "w"}, None],
    ]
    return wandb.Table(columns=COLUMNS, data=rows)


def main() -> None:
    """Log, finish, and write the note."""
    wandb: Any = importlib.import_module("wandb")
    np: Any = importlib.import_module("numpy")
    run = wandb.init(entity=ENTITY, project=PROJECT)
    run.log({"mixed": every_type(wandb, np)})
    artifact = wandb.Artifact("many", "dataset")
    artifact.add(every_type(wandb, np), "folder/mixed")
    arrays = [[np.arange(3.0), np.arange(400.0).reshape(20, 20)], [np.ones(3), np.ones((20, 20))]]
    artifact.add(wandb.Table(columns=["short", "large"], data=arrays), "arrays")
    small = wandb.Table(columns=["key", "value"], data=[[1, 10.0]])
    artifact.add(wandb.JoinedTable(small, small, "key"), "joined")
    for part in range(3):
        artifact.add(wandb.Table(columns=["part", "half"], data=[[part, part / 2]]), f"parts/{part}")
    artifact.add(wandb.data_types.PartitionedTable("parts"), "parted")
    run.log_artifact(artifact).wait()
    growing = wandb.Table(columns=["place"], log_mode="INCREMENTAL")
    for place in range(3):
        growing.add_data(place)
        run.log({"growing": growing})
    run.finish()
    read = wandb.Api().artifact(f"{ENTITY}/{PROJECT}/many:v0")
    own = {name: read.get(name) for name in ("arrays", "parted")}
    note = {
        "id": run.id,
        "arrays": [
            [each.tolist() if hasattr(each, "tolist") else each for each in row] for row in own["arrays"].data
        ],
        "parted": [list(row) for _, row in own["parted"].iterrows()],
    }
    Path(sys.argv[1]).write_text(json.dumps(note))


if __name__ == "__main__":
    main()
