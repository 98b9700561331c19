"""JSON, for programs: the whole report in one object with a versioned format."""

from __future__ import annotations

import json
from typing import Final

from runql.drift.findings import Finding, Report, Use
from runql.drift.reports.advice import advice

FORMAT_VERSION: Final = 1


def as_json(report: Report, *, strict: bool = False) -> str:
    """Return the whole report, indented."""
    body = {
        "form": FORMAT_VERSION,
        "source": report.source,
        "verdict": report.verdict(strict=strict),
        "exitCode": report.exit_code(strict=strict),
        "strict": strict,
        "operations": report.operations,
        "requests": report.requests,
        "findings": [_finding(each, strict=strict) for each in report.findings],
        "unchecked": [{"subject": each.subject, "reason": each.reason} for each in report.undecided],
        "notes": list(report.notes),
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _finding(finding: Finding, *, strict: bool) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "level": finding.level,
        "coordinate": finding.coordinate,
        "member": finding.member or None,
        "message": finding.message,
        "counts": finding.counts(strict=strict),
        "approved": finding.approved,
        "methods": list(finding.methods),
        "uses": [_use(use) for use in finding.uses],
        "suggestions": list(finding.suggestions),
        "advice": advice(finding),
    }


def _use(use: Use) -> dict[str, object]:
    location = {} if use.path is None else {"path": use.path.as_posix(), "line": use.line}
    return {"operation": use.operation, "methods": list(use.methods), **location}
