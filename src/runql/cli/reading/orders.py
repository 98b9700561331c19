"""Orders of `--order`: a column with a sign, in the server's spelling."""

from __future__ import annotations

from typing import Final, Literal

OTHER_NAMES: Final = {"name": "display_name", "sweep_name": "sweep", "user": "username", "id": "name"}
"""Columns whose names the server uses for other things."""


def server_order(order: str) -> str:
    """Return an order such as ``-summary.acc`` or ``config.lr`` as `Api.runs` takes it; without a sign it ascends."""
    sign: Literal["+", "-"] = "-" if order.startswith("-") else "+"
    key = order[1:] if order[:1] in {"+", "-"} else order
    head, dot, rest = key.partition(".")
    if head == "summary" and dot:
        return f"{sign}summary_metrics.{rest}"
    if head == "config" and dot:
        return f"{sign}config.{rest.removesuffix('.value')}.value"
    return sign + OTHER_NAMES.get(key, key)
