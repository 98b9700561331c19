"""Approvals: which findings they cover, when they expire, and invalid files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from runql.drift import Finding, Report, Unchecked, Use, approve, read_approvals
from runql.drift.approvals import approval_entry
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


def test_a_pattern_approves_what_it_matches(tmp_path: Path) -> None:
    report = approved(tmp_path, ENTRY.format("Run.*", "planned", "2027-01-31"))
    assert report.verdict() == "ok"
    assert [each.rule for each in report.findings] == ["field-removed"]
    assert approved(tmp_path, ENTRY.format("Sweep.*", "planned", "2027-01-31")).verdict() == "breaking"


def test_a_valid_pattern_covers_what_an_expired_approval_no_longer_does(tmp_path: Path) -> None:
    text = ENTRY.format("Run.state", "old", "2026-11-24") + ENTRY.format("Run.*", "all of it", "2027-01-31")
    report = approved(tmp_path, text)
    assert report.verdict() == "ok"
    assert {each.approved for each in report.findings} == {"all of it", None}


def test_an_approval_that_is_there_twice_is_a_finding(tmp_path: Path) -> None:
    text = ENTRY.format("Run.state", "one", "2027-01-31") + ENTRY.format("Run.state", "two", "2027-01-31")
    report = approved(tmp_path, text)
    [twice] = [each for each in report.findings if each.rule == "approval-duplicate"]
    assert (twice.level, twice.uses[0].line) == ("dangerous", 6)
    assert "in line 2 already" in twice.message


@pytest.mark.parametrize("coordinate", ["Run.gone", "Sweep.*"])
def test_an_approval_of_a_part_that_was_not_compared_is_not_called_unused(
    coordinate: str, tmp_path: Path
) -> None:
    approvals = read_approvals(written(tmp_path, ENTRY.format(coordinate, "old", "2027-01-31")))
    for covered in (frozenset[str](), frozenset({"Run.state"})):
        report = approve(replace(REPORT, covered=covered), approvals, TODAY)
        assert [each.rule for each in report.findings] == ["field-removed"]
    told = approve(replace(REPORT, covered=frozenset({"Run.gone", "Sweep.*"})), approvals, TODAY)
    assert "approval-unused" in {each.rule for each in told.findings}


def test_an_approved_break_does_not_prove_the_types_of_its_operation(tmp_path: Path) -> None:
    """Found in a probe: approved, the break no longer fails the check, so what is open of the operation counts again."""
    open_types = replace(REPORT, unchecked=(Unchecked("GetRun", "types are not revealed", is_valid=True),))
    assert (open_types.verdict(), open_types.undecided) == ("breaking", ())
    approvals = read_approvals(written(tmp_path, ENTRY.format("Run.state", "planned", "2027-01-31")))
    report = approve(open_types, approvals, TODAY)
    assert report.verdict() == "unchecked"
    assert report.accepting_unproved().verdict() == "ok"


@pytest.mark.parametrize("coordinate", ["Run.state", "Project.runs(tenant:)", "*", 'a"\\b', "a\n\x7f[b]"])
def test_a_suggested_approval_covers_its_finding_and_no_other(coordinate: str, tmp_path: Path) -> None:
    finding = replace(REPORT.findings[0], coordinate=coordinate)
    [read] = read_approvals(written(tmp_path, approval_entry(finding, TODAY)))
    assert (read.expires - TODAY).days == 90
    assert read.covers(finding)
    assert not read.covers(replace(finding, coordinate=f"{coordinate}x"))
