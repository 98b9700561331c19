"""Orders of `--order`: a column with a sign, in the server's spelling."""

from __future__ import annotations

from typing import Final, Literal

from runql.cli.console.misread import MisreadError

OTHER_NAMES: Final = {"name": "display_name", "sweep_name": "sweep", "user": "username", "id": "name"}
"""Columns whose names the server uses for other things."""


class OrderError(MisreadError):
    """Runs cannot be ordered by it."""

    option = "--order"


def server_order(order: str) -> str:
    """Return an order such as ``-summary.acc`` or ``config.lr`` as `Api.runs` takes it; without a sign it ascends.

    Raises:
        OrderError: runs cannot be ordered by it.
    """
    from runql.resources.runs.query import ORDER_COLUMNS, ORDER_PREFIXES  # noqa: PLC0415 - only for an order

    sign: Literal["+", "-"] = "-" if order.startswith("-") else "+"
    key = order[1:] if order[:1] in {"+", "-"} else order
    head, dot, rest = key.partition(".")
    if head == "summary" and rest:
        return f"{sign}summary_metrics.{rest}"
    if head == "config" and rest:
        return f"{sign}config.{rest.removesuffix('.value')}.value"
    known = OTHER_NAMES.get(key, key)
    if known in ORDER_COLUMNS or (dot and rest and f"{head}." in ORDER_PREFIXES):
        return sign + known
    columns = sorted((ORDER_COLUMNS - set(OTHER_NAMES.values())) | set(OTHER_NAMES))
    raise OrderError(
        f"there is no order by {key!r}: use config.KEY, summary.KEY or one of {', '.join(columns)}",
        order,
        len(order) - len(key) + 1,
    )
