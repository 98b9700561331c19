"""The formats of a report, by name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from runql.drift.approvals import APPROVALS_FILE
from runql.drift.findings import Report
from runql.drift.reports.github import as_github
from runql.drift.reports.json_format import as_json
from runql.drift.reports.junit import as_junit
from runql.drift.reports.markdown import as_markdown
from runql.drift.reports.sarif import as_sarif
from runql.drift.reports.text import as_text

Format: TypeAlias = Literal["text", "json", "github", "sarif", "junit", "markdown"]
FORMATS: Final[tuple[Format, ...]] = ("text", "json", "github", "sarif", "junit", "markdown")


def render(
    report: Report,
    form: Format,
    operations: Sequence[str],
    *,
    strict: bool = False,
    colour: bool = False,
    approvals: Path = Path(APPROVALS_FILE),
    today: date | None = None,
) -> str:
    """Return a report in a format.

    Args:
        report: the result of a check.
        form: the format.
        operations: names of the checked operations.
        strict: also count breaking changes of parts that no operation uses.
        colour: use terminal colours; only for the format "text".
        approvals: the file in which expected changes are approved.
        today: the day of the check, None for that of the clock.
    """
    written = _render(report, form, operations, strict, colour, approvals, today or datetime.now(UTC).date())
    # Halves of surrogate pairs, which a server may send as escapes of JSON, become escapes again.
    return written.encode("utf-8", "backslashreplace").decode("utf-8")


def _render(
    report: Report,
    form: Format,
    operations: Sequence[str],
    strict: bool,
    colour: bool,
    approvals: Path,
    today: date,
) -> str:
    match form:
        case "text":
            return as_text(report, approvals, today, strict=strict, colour=colour)
        case "json":
            return as_json(report, strict=strict)
        case "github":
            return as_github(report, strict=strict)
        case "sarif":
            return as_sarif(report, approvals, strict=strict)
        case "junit":
            return as_junit(report, operations, strict=strict)
        case "markdown":
            return as_markdown(report, strict=strict)
        case _:
            assert_never(form)
