"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Final

from runql.drift.approvals import APPROVALS_FILE
from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, user_uses
from runql.drift.reports.text import is_shown
from runql.version import __version__

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(report: Report, *, strict: bool = False) -> str:
    """Return one run of the tool; approved findings are suppressed results."""
    shown = [each for each in report.findings if is_shown(each, strict=strict)]
    rules = sorted({finding.rule for finding in shown})
    run = {
        "tool": {
            "driver": {
                "name": "runql drift",
                "version": __version__,
                "rules": [{"id": rule, "shortDescription": {"text": _rule_title(rule)}} for rule in rules],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not report.unchecked,
                "exitCode": report.exit_code(strict=strict),
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": f"could not check {each.subject}: {each.reason}"}}
                    for each in report.unchecked
                ]
                + [{"level": "note", "message": {"text": note}} for note in report.notes],
            }
        ],
        "results": [_result(each, rules.index(each.rule), strict=strict) for each in shown],
        "columnKind": "unicodeCodePoints",
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _result(finding: Finding, index: int, *, strict: bool) -> dict[str, object]:
    message = ". ".join(
        part.rstrip(".") for part in (finding.message, effect(finding), advice(finding)) if part
    )
    approved = [] if finding.approved is None else [{"kind": "external", "justification": finding.approved}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _level(finding, strict=strict),
        "message": {"text": f"{message}."},
        "locations": _locations(finding),
        "partialFingerprints": {"coordinate/v1": sha256("|".join(finding.place).encode()).hexdigest()},
        "suppressions": approved,
    }


def _level(finding: Finding, *, strict: bool) -> str:
    if finding.counts(strict=strict):
        return "error"
    return "note" if finding.level == "safe" else "warning"


def _locations(finding: Finding) -> list[dict[str, object]]:
    """Return the locations in the user's files, else the file of approvals, as GitHub requires a file."""
    named = [{"fullyQualifiedName": finding.coordinate, "kind": "member"}]
    found = [(str(use.path), use.line) for use in user_uses(finding)] or [(APPROVALS_FILE, 1)]
    return [
        {
            "physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}},
            "logicalLocations": named,
        }
        for path, line in found
    ]


def _rule_title(rule: str) -> str:
    return rule.replace("-", " ").capitalize() + "."
