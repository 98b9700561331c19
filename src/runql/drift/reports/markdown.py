"""Markdown, for pull requests and step summaries: one table."""

from __future__ import annotations

from collections.abc import Iterator

from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, grouped, summary, user_uses
from runql.drift.reports.escapes import code_span, escape_markdown
from runql.drift.reports.text import is_shown


def as_markdown(report: Report, *, strict: bool = False) -> str:
    """Return a heading, the verdict, a table of findings, and what could not be checked."""
    return "\n".join(_lines(report, strict=strict)) + "\n"


def _lines(report: Report, *, strict: bool) -> Iterator[str]:
    yield f"### runql drift: {escape_markdown(report.source)}"
    yield ""
    yield f"**{summary(report, strict=strict)}**"
    shown = [each for each in report.findings if is_shown(each, strict=strict)]
    if shown:
        yield ""
        yield "| level | where | what | affects | to do |"
        yield "|---|---|---|---|---|"
        yield from (_row(each) for each in shown)
    if report.undecided:
        yield ""
        yield "Could not check:"
        yield ""
        for subjects, reason in grouped(report):
            yield f"- {code_span(subjects)}: {escape_markdown(reason)}"
    if report.notes:
        yield ""
        yield from (f"> {escape_markdown(note)}" for note in report.notes)


def _row(finding: Finding) -> str:
    level = finding.level if finding.approved is None else f"approved ({finding.approved})"
    affected = [
        escape_markdown(effect(finding)),
        *(code_span(f"{use.path}:{use.line}") for use in user_uses(finding)),
    ]
    cells = (
        escape_markdown(level),
        code_span(finding.coordinate),
        escape_markdown(finding.message),
        ", ".join(filter(None, affected)),
        escape_markdown(advice(finding)),
    )
    return f"| {' | '.join(cells)} |"
