"""What engines need of a scan before they read it: its columns and their types."""

from __future__ import annotations

from typing import Any, TypeVar

from runql.resources.runs.histories.formats import OutputFormat
from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.histories.scan import HistoriesScan

F = TypeVar("F")


def fixed_frame(scan: HistoriesScan[F], format: str) -> F:
    """Return the frame of a scan without rows; each of its parts has the same columns and types.

    Raises:
        ValueError: the format is another one, or the rows decide about columns or types.
    """
    held: dict[str, Any] = vars(scan)  # Any: attributes of several types
    output: OutputFormat[F] = held["_output"]
    plan: HistoriesPlan = held["_plan"]
    if output.name != format:
        raise ValueError(f"an engine needs a scan_histories with format={format!r}, not {output.name!r}")
    typed = output.schema.types
    missing = [key for key in plan.scan.keys or () if key not in typed and key not in ("run_id", "_step")]
    if plan.scan.keys is None or missing:
        lacking = ", ".join(missing) or "every column"
        raise ValueError(
            f"the parts of a scan need the same types: give scan_histories keys, and a schema with a type of {lacking}"
        )
    return output.make([])
