"""`drift-approvals.toml`: approved changes, each with a reason and an expiry date."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runql.drift.findings import Finding, Report, Use
from runql.errors import DriftInputError

APPROVALS_FILE: Final = "drift-approvals.toml"
VALIDITY: Final = timedelta(days=90)
"""How long a suggested approval holds."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One entry of the file.

    Attributes:
        coordinate: the part of the schema whose change is approved, such as ``Run.summaryMetrics``, or a pattern such as
            ``Sweep.*``.
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

    def covers(self, finding: Finding) -> bool:
        """Return whether the finding is a breaking change of this part of the schema."""
        return finding.level == "breaking" and fnmatchcase(finding.coordinate, self.coordinate)


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
    lines = _Lines(content)
    return [
        Approval(each.coordinate, each.reason, each.expires, path, lines.take(each.coordinate))
        for each in entries
    ]


class _Lines:
    """The lines in which a file names coordinates, each taken once."""

    def __init__(self, content: str) -> None:
        self._left = list(enumerate(content.split("\n"), 1))

    def take(self, coordinate: str) -> int:
        """Return the first line left that names the coordinate, 1 where none does."""
        named = re.compile(rf"""["']{re.escape(coordinate)}["']""")
        for place, (number, line) in enumerate(self._left):
            if named.search(line):
                del self._left[place]
                return number
        return 1


def approve(report: Report, approvals: Sequence[Approval], today: date) -> Report:
    """Mark the findings that are approved, and add a finding for each approval that is expired, unused or repeated.

    An approval of a part that the check did not compare may still be needed: nothing is said of it.
    """
    findings = [_approved(finding, approvals, today) for finding in report.findings]
    first: dict[str, Approval] = {}
    for each in approvals:
        before = first.setdefault(each.coordinate, each)
        if before is not each:
            message = f"{each.coordinate} is approved in line {before.line} already: remove one of the two"
            findings.append(_approval_finding(each, "approval-duplicate", message))
        elif not any(each.covers(finding) for finding in report.findings):
            if report.covered is None or each.coordinate in report.covered:
                message = f"{each.coordinate} no longer breaks anything: remove the approval"
                findings.append(_approval_finding(each, "approval-unused", message))
        elif each.expires < today:
            message = f"the approval of {each.coordinate} expired on {each.expires}: review it"
            findings.append(_approval_finding(each, "approval-expired", message))
    return replace(report, findings=tuple(findings)).sorted()


def _approved(finding: Finding, approvals: Sequence[Approval], today: date) -> Finding:
    """Return the finding with the reason of the first valid approval, as it is without one."""
    valid = (each for each in approvals if each.expires >= today and each.covers(finding))
    approval = next(valid, None)
    return finding if approval is None else replace(finding, approved=approval.reason)


def _approval_finding(approval: Approval, rule: str, message: str) -> Finding:
    entry = Use(approval.path.name, (), approval.path, approval.line)
    return Finding(rule, "dangerous", approval.coordinate, message, (entry,))


def approval_entry(finding: Finding, today: date) -> str:
    """Return the TOML entry that approves a finding, ready to paste; it expires in 90 days."""
    return (
        f'[[approval]]\ncoordinate = {_quoted(escape(finding.coordinate))}\nreason = "…"\n'
        f"expires = {today + VALIDITY}  # the last day on which it holds\n"
    )


def _quoted(value: str) -> str:
    """Return a basic string of TOML."""
    letters = (each if each.isprintable() and each not in '"\\' else f"\\U{ord(each):08X}" for each in value)
    return f'"{"".join(letters)}"'
