"""For GitHub Actions: workflow commands that become annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, summary, user_uses
from runql.drift.reports.text import is_shown


def as_github(report: Report, *, strict: bool = False) -> str:
    """One command a finding and place, and the summary as a notice."""
    return "\n".join(_commands(report, strict=strict)) + "\n"


def _commands(report: Report, *, strict: bool) -> Iterator[str]:
    for finding in report.findings:
        if finding.approved is None and is_shown(finding, strict=strict):
            text = ". ".join(
                part.rstrip(".") for part in (finding.message, effect(finding), advice(finding)) if part
            )
            kind = _kind(finding, strict=strict)
            title = f"{finding.level}: {finding.coordinate}"
            for where in [{"file": str(use.path), "line": str(use.line)} for use in user_uses(finding)] or [
                {}
            ]:
                yield _command(kind, text, {**where, "title": title})
    for each in report.unchecked:
        yield _command("error", each.reason, {"title": f"could not check: {each.subject}"})
    for note in report.notes:
        yield _command("notice", note, {"title": "runql drift"})
    yield _command("notice", summary(report, strict=strict), {"title": "runql drift"})


def _kind(finding: Finding, *, strict: bool) -> str:
    if finding.counts(strict=strict):
        return "error"
    return "warning" if finding.level in {"breaking", "dangerous", "deprecated"} else "notice"


def _command(kind: str, text: str, properties: Mapping[str, str]) -> str:
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {given}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
