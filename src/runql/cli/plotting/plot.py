"""`runql plot`: metrics of runs as curves."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import typer

from runql.cli.console.failures import AskedWronglyError, help_end, reporting
from runql.cli.console.output_file import check_output, opened_output
from runql.cli.console.plain import plain, say
from runql.cli.console.progress import bar
from runql.cli.console.rows import ForceOption
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.plotting.curves import Curve, read_curves
from runql.cli.plotting.pages import load_plotly, page_of
from runql.cli.plotting.pictures import load_matplotlib, picture_of
from runql.cli.reading.places import parse_place
from runql.errors import NotFoundError

PlotFormat: TypeAlias = Literal["html", "png", "svg"]
LABEL_WIDTH: Final = 12
WIDEST: Final = 100
HEIGHT: Final = 8

HELP_END: Final = help_end(
    "runql plot team/digits/1a2b3c --key loss",
    "runql plot team/digits/1a2b3c team/digits/4d5e6f --key loss --key val_loss -o losses.html",
    "runql plot team/digits/1a2b3c --key loss -o loss.png",
)


def plot(
    runs: Annotated[
        list[str],
        typer.Argument(help="runs, such as ENTITY/PROJECT/ID, or their URLs", show_default=False),
    ],
    key: Annotated[
        list[str],
        typer.Option(
            "--key", metavar="NAME", help="a metric, such as loss; may be repeated", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="write a page or a picture, such as loss.html, loss.png or loss.svg; by default draw here",
            show_default=False,
        ),
    ] = None,
    force: ForceOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Draw every logged value of metrics by step, on the terminal, as a page or as a picture."""
    with reporting("plot"):
        for path in runs:
            if parse_place(path).kind != "run":
                raise AskedWronglyError(f"{path} is no run: give ENTITY/PROJECT/ID")
        kind = None if output is None else _checked_output(output, force=force)
        keys = list(dict.fromkeys(key))
        curves: list[Curve] = []
        with session(base_url) as api:
            for path in dict.fromkeys(runs):
                run = api.run(path)
                with bar(f"history of {run.id}", "rows") as report:
                    curves += read_curves(run, keys, report)
        drawn = _with_values(curves)
        if output is None or kind is None:
            _draw(drawn)
            return
        title = plain(", ".join(keys))
        content = page_of(drawn, title) if kind == "html" else picture_of(drawn, title, kind)
        with opened_output(output, force=force) as file:
            file.write(content)


def _checked_output(output: Path, *, force: bool) -> PlotFormat:
    """Return how to write, once it is certain that it can be written; nothing was sent yet."""
    known: dict[str, PlotFormat] = {".html": "html", ".png": "png", ".svg": "svg"}
    kind = known.get(output.suffix.lower())
    if kind is None:
        raise AskedWronglyError(f"{output.name} does not say how to write: end it with {', '.join(known)}")
    check_output(output, force=force)
    if kind == "html":
        load_plotly()
    else:
        load_matplotlib()
    return kind


def _with_values(curves: Sequence[Curve]) -> list[Curve]:
    drawn = [curve for curve in curves if curve.values]
    if not drawn:
        raise NotFoundError(
            f"--key: there is no number of {', '.join(dict.fromkeys(curve.key for curve in curves))}: "
            "see the keys with `runql history RUN`"
        )
    for curve in curves:
        if not curve.values:
            say(f"runql plot: there is no number of {curve.label}")
    return drawn


def _draw(curves: Sequence[Curve]) -> None:
    from runql.cli.output import draw_curve  # noqa: PLC0415 - rich, only where it draws

    width = min(shutil.get_terminal_size().columns, WIDEST) - LABEL_WIDTH
    lines: list[str] = []
    for curve in curves:
        if lines:
            lines.append("")
        lines.append(
            f"{curve.label}: {len(curve.values):,} values, steps {curve.steps[0]} to {curve.steps[-1]}"
        )
        lines += draw_curve(curve.values, width=max(width, 10), height=HEIGHT, encoding=sys.stdout.encoding)
    sys.stdout.write("\n".join(lines) + "\n")
