"""Facts about the sample for behaviour tests: filters for kinds of runs, and names."""

from __future__ import annotations

from typing import Final

from tests.contract.both_clients import AnyApi, AnyRun, Face
from tests.contract.world import World

from runql import JSONValue

LEAST_RUNS: Final = 24

FINISHED: Final[dict[str, JSONValue]] = {"state": "finished"}
CRASHED: Final[dict[str, JSONValue]] = {"state": "crashed"}
RUNNING: Final[dict[str, JSONValue]] = {"state": "running"}
DIVERGED: Final[dict[str, JSONValue]] = {"tags": "diverged"}

# The family of the shortest runs logs `DENSE` at each step, `RARE` at every fifth.
SHORT_FAMILY: Final[dict[str, JSONValue]] = {"group": "sgd"}
DENSE: Final = "train_accuracy"
RARE: Final = "val_accuracy"

ONE_OF_EACH: Final[dict[str, JSONValue]] = {"name": {"$in": ["sgd00", "softmax00", "mlp00"]}}

# Names in the family with a diverging run.
DIVERGING: Final = "train/loss"

FAMILY: Final = "family"
# Names that some families lack.
LEARNING_RATE: Final = "lr"
VALIDATION_LOSS: Final = "val_loss"


def a_run(
    face: Face,
    api: AnyApi,
    world: World,
    filters: dict[str, JSONValue] | None = None,
    *,
    lazy: bool = True,
) -> AnyRun:
    """Return the shortest matching run, by default a finished one; one request."""
    runs = face.take(
        api.runs(world.path, filters or FINISHED, order="+summary_metrics._step", per_page=1, lazy=lazy)
    )
    return face.take(runs[0])
