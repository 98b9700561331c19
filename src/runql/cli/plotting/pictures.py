"""Curves as a PNG or SVG picture, drawn without a browser and without a window."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

from runql.cli.plotting.curves import Curve
from runql.errors import MissingExtraError

PictureFormat: TypeAlias = Literal["png", "svg"]
SIZE: Final = (9.0, 5.0)
"""Inches."""

DOTS_PER_INCH: Final = 150


def load_matplotlib() -> Any:  # Any: `import_module` has no other type
    """Return the module that draws pictures.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        return importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise MissingExtraError("matplotlib", extra="plot", needed_for="a plot as PNG or SVG") from error


def picture_of(curves: Sequence[Curve], title: str, kind: PictureFormat) -> bytes:
    """Return a picture of the curves.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = load_matplotlib().Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        # A label that begins with an underscore would be left out of the legend.
        axes.plot(
            curve.steps, curve.values, marker=None if curve.values[1:] else "o", label=f" {curve.label}"
        )
    axes.set_xlabel("step")
    axes.set_title(title, parse_math=False)
    for text in axes.legend().get_texts():
        # A dollar sign in a name begins no formula.
        text.set_parse_math(False)
    written = io.BytesIO()
    with warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes.
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(
            written, format=kind, dpi=DOTS_PER_INCH, metadata={"Date": None} if kind == "svg" else None
        )
    return written.getvalue()
