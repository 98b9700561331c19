"""A progress bar for terminals and notebooks."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

from runql.errors import MissingExtraError
from runql.transport.bodies import Progress


@contextmanager
def progress_bar(description: str = "") -> Generator[Progress]:
    """Draw a bar on the terminal's stderr or in the notebook while the ``with`` block runs; elsewhere draw nothing.

    Pass it as ``progress=`` to any transfer of either client:

        with progress_bar("files") as bar:
            run.files().download("here", progress=bar)

    Args:
        description: label before the bar. (A notebook needs ipywidgets too; rich warns when they are missing.)

    Raises:
        MissingExtraError: a bar is to be drawn, and rich (extra ``progress``) is not installed.
    """
    notebook = _in_notebook()
    if not notebook and not (sys.stderr and sys.stderr.isatty()):
        yield _ignore
        return
    try:
        from rich import progress as rich  # noqa: PLC0415 - only where it draws
        from rich.console import Console  # noqa: PLC0415
        from rich.markup import escape  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("rich", extra="progress", needed_for="a progress bar") from error
    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True, force_jupyter=notebook)) as bar:
        task = bar.add_task(escape(description), total=None)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield show


def _ignore(done: int, total: int | None) -> None:
    """Draw nothing."""


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
