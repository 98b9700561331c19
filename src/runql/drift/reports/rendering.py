"""The formats of a report, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, assert_never

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
    report: Report, form: Format, operations: Sequence[str], *, strict: bool = False, colour: bool = False
) -> str:
    """Return a report in a format.

    Args:
        report: the result of a check.
        form: the format.
        operations: names of the checked operations.
        strict: also count breaking changes of parts that no operation uses.
        colour: use terminal colours; only for the format "text".
    """
    match form:
        case "text":
            return as_text(report, strict=strict, colour=colour)
        case "json":
            return as_json(report, strict=strict)
        case "github":
            return as_github(report, strict=strict)
        case "sarif":
            return as_sarif(report, strict=strict)
        case "junit":
            return as_junit(report, operations, strict=strict)
        case "markdown":
            return as_markdown(report, strict=strict)
        case _:
            assert_never(form)
