"""The variable RUNQL_LOG, which shows runql's log lines without a line of code."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Final

from runql.errors import ConfigurationError
from runql.escaping import one_line

VARIABLE: Final = "RUNQL_LOG"
LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_log(environ: Mapping[str, str] | None = None) -> None:
    """Set the level of the logger ``runql``, and write its lines to stderr once, as RUNQL_LOG asks.

    Where the application has handlers of its own, on that logger or on the root logger, only the level is set.

    Args:
        environ: replaces the process's environment.

    Raises:
        ConfigurationError: the variable names no level.
    """
    name = (os.environ if environ is None else environ).get(VARIABLE, "").strip().lower()
    if not name:
        return
    level = LEVELS.get(name)
    if level is None:
        raise ConfigurationError(
            f"{VARIABLE} must be one of {', '.join(LEVELS)}, not {one_line(name, 40)!r}: it is an environment variable"
        )
    logger = logging.getLogger("runql")
    if logger.level != level:
        logger.setLevel(level)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(handler)
