"""The output of `runql demo`: tables, a curve, and the code that made them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from runql.resources.artifacts.artifact import Artifact
from runql.resources.runs.run import Run
from runql.resources.runs.runs import Runs
from runql.transport.wire import Traffic
from runql.values import JSONValue

if TYPE_CHECKING:  # `serve` works without it
    import polars as pl

LEVELS = " ▁▂▃▄▅▆▇█"
PLAIN_LEVELS = " .,-~=+*#"
CURVE_HEIGHT = 8


class Output:
    """Prints for people, coloured on a terminal and plain elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    def say(self, text: str) -> None:
        """Print one line of prose."""
        self._console.print(text, highlight=False)

    def runs(self, runs: Runs) -> None:
        """Print the runs as a table, in their order."""
        table = Table(title=f"{len(runs)} runs, best validation accuracy first")
        table.add_column("run", no_wrap=True)
        table.add_column("state")
        for name in ("accuracy", "loss", "rows"):
            table.add_column(name, justify="right")
        for run in runs:
            loss = run.summary.get("loss", run.summary.get("train/loss"))
            table.add_row(
                run.name,
                run.state,
                _number(run.summary.get("val_accuracy")),
                _number(loss),
                str(run.history_line_count),
            )
        self._console.print(table)

    def frame(self, metrics: pl.DataFrame, *, complete: bool) -> None:
        """Print the size of the frame of all metrics."""
        kind = "every row of every run" if complete else "an excerpt: the server downsampled some runs"
        self.say(
            f"all metrics: one polars frame of {metrics.height:,} rows × {metrics.width} columns, {kind}"
        )

    def best(self, run: Run, curve: pl.DataFrame) -> None:
        """Print the best run, and its loss as a curve over the steps."""
        loss = curve.columns[-1]
        accuracy = _number(run.summary.get("val_accuracy"))
        self.say(
            f"best run: {run.name} ({accuracy} validation accuracy); its {loss} over {curve.height:,} steps:"
        )
        width = min(self._console.width - 12, 72)
        for line in draw_curve(
            [float(value) for value in curve[loss]],
            width=max(width, 10),
            height=CURVE_HEIGHT,
            encoding=self._console.encoding,
        ):
            self._console.print(line, highlight=False, no_wrap=True)

    def model(self, model: Artifact, accuracy: float) -> None:
        """Print the downloaded model and its accuracy."""
        logged = _number(model.metadata.get("accuracy"))
        self.say(
            f"its model: {model.name}, {model.file_count} files of {model.size:,} bytes, every digest as in the manifest; "
            f"it recognises {accuracy:.4g} of the held-out digits (its run logged {logged})"
        )

    def traffic(self, traffic: Traffic, seconds: float) -> None:
        """Print the requests, bytes and seconds it took."""
        self.say(
            f"sent {traffic.requests} requests ({traffic.bytes_sent:,} bytes), "
            f"received {traffic.bytes_received:,} bytes, {seconds:.2f} s"
        )

    def code(self, text: str) -> None:
        """Print the script."""
        self.say("\nthe Python that did it:\n")
        self._console.print(Syntax(text.strip(), "python", background_color="default", word_wrap=True))


def draw_curve(
    values: Sequence[float], *, width: int, height: int, encoding: str | None = "utf-8"
) -> list[str]:
    """Return a curve as lines of block characters, on a logarithmic scale if every value is positive.

    An ``encoding`` without these characters, as of a console of Windows, gets ASCII. Each column is the mean of its share of the values; values that are not finite are left blank.
    """
    columns = [_mean(values[start:stop]) for start, stop in _shares(len(values), width)]
    known = [value for value in columns if value is not None]
    if not known:
        return ["(no finite value)"]
    low, high = min(known), max(known)
    scaled = [None if value is None else _scaled(value, logarithmic=low > 0) for value in columns]
    bottom, top = (_scaled(value, logarithmic=low > 0) for value in (low, high))
    eighths = [_eighths(value, bottom, top, height) for value in scaled]
    levels, axis = (LEVELS, "┤") if _has(encoding, LEVELS + "┤") else (PLAIN_LEVELS, "|")
    labels = {0: f"{high:.3g}", height - 1: f"{low:.3g}"}
    return [
        f"{labels.get(row, ''):>9} {axis}"
        + "".join(levels[min(max(eighth - 8 * (height - 1 - row), 0), 8)] for eighth in eighths)
        for row in range(height)
    ]


def _has(encoding: str | None, characters: str) -> bool:
    try:
        characters.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _shares(count: int, width: int) -> list[tuple[int, int]]:
    width = min(width, count)
    return [(column * count // width, (column + 1) * count // width) for column in range(width)]


def _scaled(value: float, *, logarithmic: bool) -> float:
    # Halved, so that the difference of the two largest floats does not overflow.
    return math.log10(value) if logarithmic else value / 2


def _eighths(value: float | None, bottom: float, top: float, height: int) -> int:
    if value is None:
        return 0
    return 1 + round((value - bottom) / ((top - bottom) or 1.0) * (8 * height - 1))


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    # Divided before they are added, so that the sum does not overflow.
    return sum(value / len(finite) for value in finite) if finite else None


def _number(value: JSONValue) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else "" if value is None else str(value)
