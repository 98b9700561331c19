"""`drift-approvals.toml`: approved changes, each with a reason and an expiry date."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runql.drift.findings import Finding, Report, Use
from runql.errors import DriftInputError

APPROVALS_FILE: Final = "drift-approvals.toml"


@dataclass(frozen=True, slots=True)
class Approval:
    """One entry of the file.

    Attributes:
        coordinate: the part of the schema whose change is approved, such as ``Run.summaryMetrics``.
        reason: why the change is expected.
        expires: last day on which the approval holds.
        path: the file.
        line: line of the coordinate, counted from 1.
    """

    coordinate: str
    reason: str
    expires: date
    path: Path
    line: int


class _Entry(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)
    coordinate: str = Field(min_length=1)
    reason: str = Field(min_length=1, pattern=r"\S")
    expires: date


class _File(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)
    approval: list[_Entry] = []


def read_approvals(path: Path) -> list[Approval]:
    """Read a file of approvals.

    Each is a table ``[[approval]]`` with ``coordinate``, ``reason`` and ``expires`` (a TOML date, without quotes).

    Raises:
        DriftInputError: the file is missing or not TOML, or an entry is incomplete.
    """
    try:
        content = path.read_text(encoding="utf-8")
        entries = _File.model_validate(tomllib.loads(content)).approval
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DriftInputError(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)
        )
        raise DriftInputError(
            f"{path}: {problems}. Each [[approval]] has a coordinate, a reason and an expires = 2027-01-31"
        ) from error
    return [
        Approval(each.coordinate, each.reason, each.expires, path, _line(each, content)) for each in entries
    ]


def _line(entry: _Entry, content: str) -> int:
    found = (number for number, line in enumerate(content.split("\n"), 1) if f'"{entry.coordinate}"' in line)
    return next(found, 1)


def approve(report: Report, approvals: Sequence[Approval], today: date) -> Report:
    """Mark the findings that are approved, and add a finding for each expired or unused approval."""
    valid = {each.coordinate: each for each in approvals if each.expires >= today}
    findings = [
        replace(finding, approved=valid[finding.coordinate].reason)
        if finding.level == "breaking" and finding.coordinate in valid
        else finding
        for finding in report.findings
    ]
    broken = {finding.coordinate for finding in report.findings if finding.level == "breaking"}
    for each in approvals:
        if each.coordinate not in broken:
            message = f"{each.coordinate} no longer breaks anything: remove the approval"
            findings.append(_approval_finding(each, "approval-unused", message))
        elif each.expires < today:
            message = f"the approval of {each.coordinate} expired on {each.expires}: review it"
            findings.append(_approval_finding(each, "approval-expired", message))
    return replace(report, findings=tuple(findings)).sorted()


def _approval_finding(approval: Approval, rule: str, message: str) -> Finding:
    entry = Use(approval.path.name, (), approval.path, approval.line)
    return Finding(rule, "dangerous", approval.coordinate, message, (entry,))


def approval_entry(finding: Finding) -> str:
    """Return the TOML entry that approves a finding, ready to paste."""
    return (
        f'[[approval]]\ncoordinate = "{finding.coordinate}"\nreason = "…"\n'
        "expires = 2027-12-31  # the last day on which it holds\n"
    )
