"""Markdown, for pull requests and step summaries: one table."""

from __future__ import annotations

from collections.abc import Iterator

from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, summary, user_uses
from runql.drift.reports.text import is_shown


def as_markdown(report: Report, *, strict: bool = False) -> str:
    """Return a heading, the verdict, a table of findings, and what could not be checked."""
    return "\n".join(_lines(report, strict=strict)) + "\n"


def _lines(report: Report, *, strict: bool) -> Iterator[str]:
    yield f"### runql drift: {_cell(report.source)}"
    yield ""
    yield f"**{summary(report, strict=strict)}**"
    shown = [each for each in report.findings if is_shown(each, strict=strict)]
    if shown:
        yield ""
        yield "| level | where | what | affects | to do |"
        yield "|---|---|---|---|---|"
        yield from (_row(each) for each in shown)
    if report.unchecked:
        yield ""
        yield "Could not check:"
        yield ""
        yield from (f"- `{each.subject}`: {_cell(each.reason)}" for each in report.unchecked)
    if report.notes:
        yield ""
        yield from (f"> {_cell(note)}" for note in report.notes)


def _row(finding: Finding) -> str:
    level = finding.level if finding.approved is None else f"approved ({finding.approved})"
    affected = [effect(finding), *(f"`{use.path}:{use.line}`" for use in user_uses(finding))]
    cells = (
        level,
        f"`{finding.coordinate}`",
        finding.message,
        ", ".join(filter(None, affected)),
        advice(finding),
    )
    return f"| {' | '.join(_cell(each) for each in cells)} |"


def _cell(content: str) -> str:
    return content.replace("|", "\\|").replace("\n", " ")
