"""GitHub Actions: workflow commands that become annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import grouped, sentences, summary, user_uses
from runql.drift.reports.text import is_shown


def as_github(report: Report, *, strict: bool = False) -> str:
    """Return one command for each finding and location, and the summary as a notice."""
    return "\n".join(_commands(report, strict=strict)) + "\n"


def _commands(report: Report, *, strict: bool) -> Iterator[str]:
    for finding in report.findings:
        if finding.approved is None and is_shown(finding, strict=strict):
            message = sentences(finding)
            kind = _kind(finding, strict=strict)
            title = f"{finding.level}: {finding.coordinate}"
            for at in [{"file": str(use.path), "line": str(use.line)} for use in user_uses(finding)] or [{}]:
                yield _command(kind, message, {**at, "title": title})
    for subjects, reason in grouped(report):
        yield _command("error", reason, {"title": f"could not check: {subjects}"})
    for note in report.notes:
        yield _command("notice", note, {"title": "runql drift"})
    yield _command("notice", summary(report, strict=strict), {"title": "runql drift"})


def _kind(finding: Finding, *, strict: bool) -> str:
    if finding.counts(strict=strict):
        return "error"
    return "warning" if finding.level in {"breaking", "dangerous", "deprecated"} else "notice"


def _command(kind: str, message: str, properties: Mapping[str, str]) -> str:
    assignments = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::{kind} {assignments}::{_escape(message)}"


def _escape(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(value: str) -> str:
    return _escape(value).replace(":", "%3A").replace(",", "%2C")
