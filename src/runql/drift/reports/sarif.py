"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import sentences
from runql.drift.reports.text import is_shown
from runql.version import __version__

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(report: Report, approvals: Path, *, strict: bool = False) -> str:
    """Return one run of the tool; approved findings are suppressed results.

    Args:
        report: the result of a check.
        approvals: the file in which expected changes are approved, the location of findings without another.
        strict: also give what no operation uses.
    """
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
                "executionSuccessful": not report.undecided,
                "exitCode": report.exit_code(strict=strict),
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": f"could not check {each.subject}: {each.reason}"}}
                    for each in report.undecided
                ]
                + [{"level": "note", "message": {"text": note}} for note in report.notes],
            }
        ],
        "results": [_result(each, rules.index(each.rule), approvals, strict=strict) for each in shown],
        "columnKind": "unicodeCodePoints",
    }
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _result(finding: Finding, index: int, approvals: Path, *, strict: bool) -> dict[str, object]:
    approved = [] if finding.approved is None else [{"kind": "external", "justification": finding.approved}]
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _level(finding, strict=strict),
        "message": {"text": sentences(finding)},
        "locations": _locations(finding, approvals),
        "partialFingerprints": {
            "coordinate/v1": sha256("|".join(finding.place).encode("utf-8", "backslashreplace")).hexdigest()
        },
        "suppressions": approved,
    }


def _level(finding: Finding, *, strict: bool) -> str:
    if finding.counts(strict=strict):
        return "error"
    return "note" if finding.level == "safe" else "warning"


def _locations(finding: Finding, approvals: Path) -> list[dict[str, object]]:
    """Return the locations in the user's files, else the file of approvals, as GitHub requires a file."""
    named = [{"fullyQualifiedName": finding.coordinate, "kind": "member"}]
    uses = [(use.path, use.line) for use in finding.uses if use.path is not None]
    return [
        {
            "physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": line}},
            "logicalLocations": named,
        }
        for path, line in uses or [(approvals, 1)]
    ]


def _uri(path: Path) -> str:
    """Return a path as a reference to a URI: one of file for an absolute path, else relative to the checkout."""
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def _rule_title(rule: str) -> str:
    return rule.replace("-", " ").capitalize() + "."
