"""`runql history`: every logged row of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import typer

from runql.cli.console.failures import AskedWronglyError, help_end, reporting
from runql.cli.console.plain import say
from runql.cli.console.progress import OpenBar, bar
from runql.cli.console.rows import (
    ForceOption,
    FormatOption,
    OutputOption,
    checked_format,
    is_frame,
    write_batches,
    write_rows,
)
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.reading.places import parse_place
from runql.errors import NotFoundError
from runql.values import JSONValue

if TYPE_CHECKING:
    from runql.frames.batches import Batch
    from runql.resources.history.scan import HistoryScan
    from runql.resources.runs.run import Run


Match: TypeAlias = Literal["any", "all"]
RUN: Final = "run"
STEP: Final = "_step"

HELP_END: Final = help_end(
    "runql history team/digits/1a2b3c --key loss --key val_acc",
    "runql history team/digits/1a2b3c --from-step 100 --to-step 200 --format jsonl",
    "runql history team/digits/1a2b3c team/digits/4d5e6f --key loss -o losses.parquet",
)


def history(
    runs: Annotated[
        list[str],
        typer.Argument(help="runs, such as ENTITY/PROJECT/ID, or their URLs", show_default=False),
    ],
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="NAME",
            help="a metric, such as loss; may be repeated; by default all, in whole rows",
            show_default=False,
        ),
    ] = None,
    match: Annotated[
        Match,
        typer.Option(help="rows with any of the keys, or with all of them, as in `--match all`"),
    ] = "any",
    from_step: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="the first step, such as 100; by default 0", show_default=False
        ),
    ] = None,
    to_step: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="the step before which to end, such as 200; by default after the last",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    output: OutputOption = None,
    force: ForceOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Read every logged row of one run or several, never downsampled."""
    with reporting("history"):
        for path in runs:
            if parse_place(path).kind != "run":
                raise AskedWronglyError(f"{path} is no run: give ENTITY/PROJECT/ID")
        if from_step is not None and to_step is not None and from_step > to_step:
            raise AskedWronglyError(f"--from-step {from_step} is behind --to-step {to_step}")
        keys = list(dict.fromkeys(key or ()))
        chosen = checked_format(format, output, force=force)
        with session(base_url) as api:
            found = [api.run(path) for path in dict.fromkeys(runs)]
            _check_keys(found, keys)
            names = [RUN, *dict.fromkeys((STEP, *keys))] if keys else None
            scans = [
                run.scan_history(keys or None, min_step=from_step, max_step=to_step, match=match)
                for run in found
            ]
            paths = ["/".join(run.path) for run in found]
            total = None if keys or from_step is not None or to_step is not None else _line_count(found)
            progress = partial(bar, "history", "rows", chosen, output)
            if is_frame(chosen):
                write_batches(_batches(paths, scans, progress, total), names, chosen, output, force=force)
            else:
                write_rows(_rows(paths, scans, progress, total), names, chosen, output, force=force)


def _line_count(runs: Sequence[Run]) -> int | None:
    """Return how many rows the runs had when they were read, where the server counts them."""
    counts = [run.history_line_count for run in runs]
    return None if None in counts else sum(count or 0 for count in counts)


def _rows(
    paths: Sequence[str], scans: Sequence[HistoryScan], progress: OpenBar, total: int | None
) -> Iterator[Mapping[str, JSONValue]]:
    count = 0
    with progress() as report:
        for path, scan in zip(paths, scans, strict=True):
            for row in scan:
                count += 1
                yield {RUN: path, STEP: None, **row} | {RUN: path}
                if report is not None:
                    report(count, total)
    _say_if_none(count)


def _batches(
    paths: Sequence[str], scans: Sequence[HistoryScan], progress: OpenBar, total: int | None
) -> Iterator[Batch]:
    """Return the same rows as columns, as far as they are read as such."""
    from runql.resources.history.scan import batches_of  # noqa: PLC0415 - `--help` needs none of it

    count = 0
    with progress() as report:
        for path, scan in zip(paths, scans, strict=True):
            for batch in batches_of(scan):
                count += batch.height
                yield batch.labelled(RUN, [path] * batch.height)
                if report is not None:
                    report(count, total)
    _say_if_none(count)


def _say_if_none(count: int) -> None:
    if not count:
        say("runql history: no row matches")


def _check_keys(runs: Sequence[Run], keys: Sequence[str]) -> None:
    """Refuse a key that no run has logged, as far as the server has an index of every run's keys."""
    logged: set[str] = set()
    for run in runs:
        index = (run.history_keys or {}).get("keys")
        if not isinstance(index, dict):
            return
        logged.update(index)
    for key in keys:
        # An object's entries are keys, too; the index may name the object or the entries.
        if key.startswith("_") or any(_is_part(key, name) or _is_part(name, key) for name in logged):
            continue
        close = get_close_matches(key, logged, n=1)
        hint = (
            f"did you mean {close[0]!r}?"
            if close
            else f"use {', '.join(sorted(logged)[:20]) or 'another run'}"
        )
        raise NotFoundError(
            f"--key: {'the run has' if len(runs) == 1 else 'the runs have'} logged no {key!r}: {hint}"
        )


def _is_part(key: str, name: str) -> bool:
    return key == name or key.startswith((f"{name}.", f"{name}["))
