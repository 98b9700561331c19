"""The command `open`: serve offline runs or an archive, and print the link of their page."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from runql.cli.console.failures import help_end, reporting

HELP_END: str = help_end(
    "runql open ./wandb",
    "runql open ./digits",
    "runql open ./wandb/offline-run-20261129_120507-abc --port 9000",
)


def open_command(
    path: Annotated[
        Path,
        typer.Argument(
            help="a .wandb file, a run's folder, the folder wandb with many runs, or an archive of `runql export`"
        ),
    ],
    port: Annotated[int, typer.Option(help="port to listen on, such as 9000; 0 picks a free one")] = 0,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="folder that keeps what was read, so that the next call reads only changed runs, and an archive not again; by default a temporary one"
        ),
    ] = None,
) -> None:
    """Show offline runs or an archive in a browser, and follow runs that are still written, until Ctrl-C."""
    # Only this command serves, and the others start faster without it.
    from runql.opened import open as open_runs  # noqa: PLC0415

    with reporting("open"), open_runs(path, data_dir=data_dir, port=port) as opened:
        count = len(opened.paths)
        typer.echo(f"{count} {'run' if count == 1 else 'runs'} of {path} at {opened.url} (stop with Ctrl-C)")
        print(f"  in a browser, once: {opened.page_link(_first_page(opened.paths))}", flush=True)
        # The server's thread works; this one waits for the interrupt.
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _first_page(paths: Sequence[str]) -> str:
    """Return the page of the one run or the one project, else the home page."""
    if len(paths) == 1:
        entity, project, run = paths[0].split("/")
        return f"/{entity}/{project}/runs/{run}"
    projects = {path.rpartition("/")[0] for path in paths}
    return f"/{projects.pop()}" if len(projects) == 1 else "/"
