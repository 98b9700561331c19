"""Approvals: which findings they cover, when they expire, and invalid files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from runql.drift import Finding, Report, Use, approve, read_approvals
from runql.errors import DriftInputError

TODAY = date(2026, 11, 25)
REPORT = Report(
    "x",
    (Finding("field-removed", "breaking", "Run.state", "gone", (Use("GetRun", ("Api.run",)),)),),
    operations=1,
)
ENTRY = '[[approval]]\ncoordinate = "{}"\nreason = "{}"\nexpires = {}\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "drift-approvals.toml"
    path.write_text(text)
    return path


def approved(tmp_path: Path, text: str) -> Report:
    return approve(REPORT, read_approvals(written(tmp_path, text)), TODAY)


def test_an_approved_change_does_not_count(tmp_path: Path) -> None:
    report = approved(tmp_path, ENTRY.format("Run.state", "planned", "2026-11-25"))
    assert REPORT.verdict() == "breaking"
    assert report.verdict() == "ok"
    assert report.findings[0].approved == "planned"


def test_an_approval_expires(tmp_path: Path) -> None:
    report = approved(tmp_path, ENTRY.format("Run.state", "planned", "2026-11-24"))
    assert report.verdict() == "breaking"
    [expired] = [each for each in report.findings if each.rule == "approval-expired"]
    assert expired.level == "dangerous"
    assert "2026-11-24" in expired.message


def test_an_unused_approval_is_a_finding_with_its_line(tmp_path: Path) -> None:
    text = ENTRY.format("Run.state", "planned", "2027-01-31") + ENTRY.format("Run.gone", "old", "2027-01-31")
    report = approved(tmp_path, text)
    assert report.verdict() == "ok"
    [unused] = [each for each in report.findings if each.rule == "approval-unused"]
    [use] = unused.uses
    assert use.path == tmp_path / "drift-approvals.toml"
    assert use.line == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[approval]", "cannot be read"),
        ("[[approved]]\n", "approved: Extra inputs are not permitted"),
        ('[[approval]]\ncoordinate = "Run.state"\nreason = "x"\n', "approval.0.expires: Field required"),
        (ENTRY.format("Run.state", "x", '"2027-01-31"'), "approval.0.expires: Input should be a valid date"),
        (ENTRY.format("Run.state", " ", "2027-01-31"), "approval.0.reason"),
        (ENTRY.format("", "x", "2027-01-31"), "approval.0.coordinate"),
        (ENTRY.format("Run.state", "x", "2027-01-31") + "owner = 'me'\n", "approval.0.owner"),
    ],
)
def test_an_invalid_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DriftInputError, match=r"drift-approvals\.toml") as caught:
        read_approvals(written(tmp_path, text))
    assert message in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DriftInputError, match="cannot be read"):
        read_approvals(tmp_path / "none.toml")
