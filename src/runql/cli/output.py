"""What the commands show: tables, a curve, and the code that made them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from runql.resources.run import Run
from runql.resources.runs import Runs
from runql.transport.wire import Traffic
from runql.values import JSONValue

LEVELS = " ▁▂▃▄▅▆▇█"
CURVE_HEIGHT = 8


class Output:
    """Writes for people: coloured on a terminal, plain elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    def say(self, text: str) -> None:
        """One line of prose."""
        self._console.print(text, highlight=False)

    def runs(self, runs: Runs) -> None:
        """The runs as a table, in their order."""
        table = Table(title=f"{len(runs)} runs, best validation accuracy first")
        for name in ("run", "state", "group"):
            table.add_column(name)
        for name in ("lr", "val_accuracy", "loss", "rows"):
            table.add_column(name, justify="right")
        for run in runs:
            loss = run.summary.get("loss", run.summary.get("train/loss"))
            table.add_row(
                run.name,
                run.state,
                run.group,
                _number(run.config.get("lr")),
                _number(run.summary.get("val_accuracy")),
                _number(loss),
                str(run.history_line_count),
            )
        self._console.print(table)

    def frame(self, metrics: pl.DataFrame, *, complete: bool) -> None:
        """The size of the one frame."""
        kind = "every row of every run" if complete else "an excerpt: some runs were thinned"
        self.say(
            f"all metrics: one polars frame of {metrics.height:,} rows × {metrics.width} columns, {kind}"
        )

    def best(self, run: Run, curve: pl.DataFrame) -> None:
        """The best run, and its loss as a curve over the steps."""
        loss = curve.columns[-1]
        accuracy = _number(run.summary.get("val_accuracy"))
        self.say(
            f"best run: {run.name} ({accuracy} validation accuracy); its {loss} over {curve.height:,} steps:"
        )
        width = min(self._console.width - 12, 72)
        for line in drawn([float(value) for value in curve[loss]], width=max(width, 10), height=CURVE_HEIGHT):
            self._console.print(line, highlight=False, no_wrap=True)

    def traffic(self, traffic: Traffic, seconds: float) -> None:
        """What it took."""
        self.say(
            f"sent {traffic.requests} requests ({traffic.bytes_sent:,} bytes), "
            f"received {traffic.bytes_received:,} bytes, {seconds:.2f} s"
        )

    def code(self, text: str) -> None:
        """The Python that did it."""
        self.say("\nthe Python that did it:\n")
        self._console.print(Syntax(text.strip(), "python", background_color="default", word_wrap=True))


def drawn(values: Sequence[float], *, width: int, height: int) -> list[str]:
    """A curve as lines of block characters, on a logarithmic scale where every value is positive.

    Each column is the mean of its share of the values; what is not finite is left blank.
    """
    logarithmic = all(value > 0 for value in values if math.isfinite(value))
    columns = [_mean(values[start:stop]) for start, stop in _shares(len(values), width)]
    scaled = [math.log10(c) if logarithmic and c is not None else c for c in columns]
    known = [value for value in scaled if value is not None]
    if not known:
        return ["(no finite value)"]
    low, high = min(known), max(known)
    eighths = [_eighths(value, low, high, height) for value in scaled]
    labels = {0: high, height - 1: low}
    return [
        f"{_label(labels.get(row), logarithmic=logarithmic):>9} ┤"
        + "".join(LEVELS[min(max(eighth - 8 * (height - 1 - row), 0), 8)] for eighth in eighths)
        for row in range(height)
    ]


def _shares(count: int, width: int) -> list[tuple[int, int]]:
    width = min(width, count)
    return [(column * count // width, (column + 1) * count // width) for column in range(width)]


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def _eighths(value: float | None, low: float, high: float, height: int) -> int:
    if value is None:
        return 0
    return 1 + round((value - low) / ((high - low) or 1.0) * (8 * height - 1))


def _label(value: float | None, *, logarithmic: bool) -> str:
    if value is None:
        return ""
    return f"{10**value if logarithmic else value:.3g}"


def _number(value: JSONValue) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else "" if value is None else str(value)
