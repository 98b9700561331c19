"""Plain text, for people at a terminal: what stops working, where, and what to do, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from runql.drift.approvals import approval_entry
from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, grouped, summary, user_uses
from runql.drift.reports.escapes import escape_line

RED: Final = "31"
YELLOW: Final = "33"
GREEN: Final = "32"
DIM: Final = "2"
BOLD: Final = "1"
COLOURS: Final = {"breaking": RED, "dangerous": YELLOW, "deprecated": YELLOW, "safe": DIM}
VERDICT_COLOURS: Final = {"ok": GREEN, "breaking": RED, "unchecked": YELLOW}


def as_text(
    report: Report, approvals: Path, today: date, *, strict: bool = False, colour: bool = False
) -> str:
    """Return the report as lines; without ``strict``, safe changes and unused parts are only counted.

    Args:
        report: the result of a check.
        approvals: the file in which expected changes are approved.
        today: the day of the check, from which a suggested approval counts.
        strict: also show what no operation uses.
        colour: use terminal colours.
    """
    lines = list(_lines(report, approvals, today, strict=strict, colour=colour))
    return "\n".join(lines) + "\n"


def _lines(report: Report, approvals: Path, today: date, *, strict: bool, colour: bool) -> Iterator[str]:
    def paint(value: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{value}\x1b[0m" if colour else value

    yield f"{paint('runql drift', BOLD)}: {escape_line(report.source)}"
    for finding in report.findings:
        if is_shown(finding, strict=strict):
            word = "approved" if finding.approved is not None else finding.level
            code = DIM if finding.approved is not None else COLOURS[finding.level]
            coordinate = paint(escape_line(finding.coordinate), BOLD)
            yield ""
            yield f"{paint(f'{word:<10}', code, BOLD)} {coordinate}  {paint(finding.rule, DIM)}"
            yield from (f"  {escape_line(line)}" for line in _details(finding))
    for subjects, reason in grouped(report):
        yield ""
        yield f"{paint('unchecked ', YELLOW, BOLD)} {paint(escape_line(subjects), BOLD)}"
        yield f"  {escape_line(reason)}"
    for note in report.notes:
        yield ""
        yield f"{paint('note', DIM)}: {escape_line(note)}"
    counting = report.counting(strict=strict)
    if counting:
        yield ""
        yield f"To approve an expected change, add to {escape_line(str(approvals))}:"
        yield from (f"  {line}" for line in approval_entry(counting[0], today).splitlines())
    yield ""
    yield paint(summary(report, strict=strict), VERDICT_COLOURS[report.verdict(strict=strict)], BOLD)


def is_shown(finding: Finding, *, strict: bool) -> bool:
    """Return whether formats for people list the finding; others are only counted."""
    return strict or (bool(finding.uses) and finding.level != "safe")


def _details(finding: Finding) -> Iterator[str]:
    yield finding.message
    if affected := effect(finding):
        yield affected
    for use in user_uses(finding):
        yield f"{use.path}:{use.line}: {use.operation}"
    if finding.approved is not None:
        yield f"approved: {finding.approved}"
    else:
        yield f"to do: {advice(finding)}"
