"""Plain text, for people at a terminal: what stops working, where, and what to do, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from runql.drift.approvals import APPROVALS_FILE, approval_entry
from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, summary, user_uses

RED: Final = "31"
YELLOW: Final = "33"
GREEN: Final = "32"
DIM: Final = "2"
BOLD: Final = "1"
COLOURS: Final = {"breaking": RED, "dangerous": YELLOW, "deprecated": YELLOW, "safe": DIM}
VERDICT_COLOURS: Final = {"ok": GREEN, "breaking": RED, "unchecked": YELLOW}


def as_text(report: Report, *, strict: bool = False, colour: bool = False) -> str:
    """Return the report as lines; without ``strict``, safe changes and unused parts are only counted."""
    lines = list(_lines(report, strict=strict, colour=colour))
    return "\n".join(lines) + "\n"


def _lines(report: Report, *, strict: bool, colour: bool) -> Iterator[str]:
    def paint(value: str, *codes: str) -> str:
        return f"\x1b[{';'.join(codes)}m{value}\x1b[0m" if colour else value

    yield f"{paint('runql drift', BOLD)}: {report.source}"
    for finding in report.findings:
        if is_shown(finding, strict=strict):
            word = "approved" if finding.approved is not None else finding.level
            code = DIM if finding.approved is not None else COLOURS[finding.level]
            yield ""
            yield f"{paint(f'{word:<10}', code, BOLD)} {paint(finding.coordinate, BOLD)}  {paint(finding.rule, DIM)}"
            yield from (f"  {line}" for line in _details(finding))
    for each in report.unchecked:
        yield ""
        yield f"{paint('unchecked ', YELLOW, BOLD)} {paint(each.subject, BOLD)}"
        yield f"  {each.reason}"
    for note in report.notes:
        yield ""
        yield f"{paint('note', DIM)}: {note}"
    counting = report.counting(strict=strict)
    if counting:
        yield ""
        yield f"To approve an expected change, add to {APPROVALS_FILE}:"
        yield from (f"  {line}" for line in approval_entry(counting[0]).splitlines())
    yield ""
    yield paint(summary(report, strict=strict), VERDICT_COLOURS[report.verdict(strict=strict)], BOLD)


def is_shown(finding: Finding, *, strict: bool) -> bool:
    """Return whether formats for people list the finding; others are only counted."""
    return strict or (bool(finding.uses) and finding.level != "safe")


def _details(finding: Finding) -> Iterator[str]:
    yield from finding.message.splitlines()
    if affected := effect(finding):
        yield affected
    for use in user_uses(finding):
        yield f"{use.path}:{use.line}: {use.operation}"
    if finding.approved is not None:
        yield f"approved: {finding.approved}"
    else:
        yield f"to do: {advice(finding)}"
