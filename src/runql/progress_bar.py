"""A progress bar for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from runql.bars import RichBar, can_draw
from runql.transport.files.bodies import Progress


@contextmanager
def progress_bar(description: str = "") -> Generator[Progress]:
    """Draw a bar on the terminal's stderr or in the notebook while the ``with`` block runs; elsewhere draw nothing.

    Pass it as ``progress=`` to any transfer of either client:

        with progress_bar("files") as bar:
            run.files().download("here", progress=bar)

    Calls that take ``progress`` draw a bar by themselves, on a terminal or in a notebook, once they take more than two
    seconds, where rich is installed. ``progress=True`` draws one at once, ``progress=False`` none. The environment
    variable ``RUNQL_PROGRESS=0`` switches all bars off, this one too.

    Args:
        description: label before the bar. (A notebook needs ipywidgets too; rich warns when they are missing.)

    Raises:
        MissingExtraError: a bar is to be drawn, and rich (extra ``progress``) is not installed.
    """
    if not can_draw():
        yield _ignore
        return
    bar = RichBar(description, "bytes")
    try:
        yield bar.show
    finally:
        bar.close()


def _ignore(done: int, total: int | None) -> None:
    """Draw nothing."""
