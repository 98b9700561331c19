"""Curves as a page that needs no network: the script that draws them is in it."""

from __future__ import annotations

import html
import importlib
import math
from collections.abc import Sequence
from typing import Any

from runql.cli.plotting.curves import Curve
from runql.errors import MissingExtraError


def load_plotly() -> Any:  # Any: plotly has no types
    """Return the module that draws pages.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    try:
        return importlib.import_module("plotly.graph_objects")
    except ImportError as error:
        raise MissingExtraError("plotly", extra="pages", needed_for="a plot as HTML") from error


def page_of(curves: Sequence[Curve], title: str) -> bytes:
    """Return an HTML page of the curves.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    graph_objects = load_plotly()
    figure = graph_objects.Figure()
    for curve in curves:
        figure.add_trace(
            graph_objects.Scatter(
                x=list(curve.steps),
                # JSON has no other numbers; a gap stands for them.
                y=[value if math.isfinite(value) else None for value in curve.values],
                mode="lines" if curve.values[1:] else "markers",
                # plotly reads tags in names.
                name=html.escape(curve.label),
            )
        )
    figure.update_layout(title=html.escape(title), xaxis_title="step", showlegend=True)
    page: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return page.encode()
