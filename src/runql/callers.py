"""The line of code outside runql that called it, which warnings name."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Final

PACKAGE_FOLDER: Final = str(Path(__file__).parent) + os.sep


def level_outside_runql() -> int:
    """The ``stacklevel`` that makes `warnings.warn` in the calling function name the line of code outside runql."""
    level, frame = 1, inspect.currentframe()
    frame = frame.f_back if frame else None
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE_FOLDER):
        level, frame = level + 1, frame.f_back
    return level
