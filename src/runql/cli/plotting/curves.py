"""Curves: the values of a metric of a run by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from runql.cli.console.plain import plain
from runql.cli.console.progress import counted
from runql.quick_dataclasses import dataclass
from runql.transport.files.bodies import Progress

if TYPE_CHECKING:
    from runql.resources.runs.run import Run

STEP: Final = "_step"


@dataclass(frozen=True)
class Curve:
    """The numbers of a metric.

    Attributes:
        run: the run's id.
        name: the run's name.
        key: the metric.
        steps: of each value, rising.
        values: numbers; NaN and infinities are among them where they were logged.
    """

    run: str
    name: str
    key: str
    steps: Sequence[float]
    values: Sequence[float]

    @property
    def label(self) -> str:
        """The metric and the run in one line, without control characters."""
        name = f" ({plain(self.name)})" if self.name and self.name != self.run else ""
        return f"{plain(self.key)} of {plain(self.run)}{name}"


def read_curves(run: Run, keys: Sequence[str], report: Progress | None = None) -> list[Curve]:
    """Read the curves of a run, one for each key, in one scan; values that are no numbers are left out."""
    points: dict[str, tuple[list[float], list[float]]] = {key: ([], []) for key in keys}
    for place, row in enumerate(counted(run.scan_history(list(keys), match="any"), report)):
        step = row.get(STEP)
        for key, (steps, values) in points.items():
            value = row.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                steps.append(step if isinstance(step, (int, float)) else place)
                values.append(float(value))
    return [Curve(run.id, run.name or "", key, *points[key]) for key in keys]
