"""JUnit XML, for CI systems that show test results: one test case for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr  # nosec B406 # they write, and parse nothing

from runql.drift.findings import Finding, Report
from runql.drift.reports.advice import advice, effect, user_uses
from runql.drift.reports.escapes import escape_xml

SUITE: Final = "runql drift"
OTHERS: Final = "the schema as a whole"


def as_junit(report: Report, operations: Sequence[str], *, strict: bool = False) -> str:
    """Return a suite with a test case for each checked operation, and one for all other findings."""
    counting = report.counting(strict=strict)
    cases = [_case(name, _affecting(counting, name), _reasons(report, name)) for name in operations]
    cases.append(_case(OTHERS, [each for each in counting if not _affects_any(each, operations)], []))
    others = [each.reason for each in report.undecided if each.subject not in operations]
    if others:
        cases.append(_case("the check itself", [], others))
    failures = sum("<failure" in case for case in cases)
    errors = sum("<error" in case for case in cases)
    numbers = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="0"'
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={quoteattr(SUITE)} {numbers}>\n'
    suite = f"  <testsuite name={quoteattr(report.source or SUITE)} {numbers}>\n"
    return escape_xml(head + suite + "".join(cases) + "  </testsuite>\n</testsuites>\n")


def _affecting(findings: Sequence[Finding], operation: str) -> list[Finding]:
    return [each for each in findings if any(use.operation == operation for use in each.uses)]


def _affects_any(finding: Finding, operations: Sequence[str]) -> bool:
    return any(use.operation in operations for use in finding.uses)


def _reasons(report: Report, operation: str) -> list[str]:
    return [each.reason for each in report.undecided if each.subject == operation]


def _case(name: str, failures: Sequence[Finding], errors: Sequence[str]) -> str:
    start = f"    <testcase classname={quoteattr(SUITE)} name={quoteattr(name)}"
    content = ""
    if failures:
        message = "; ".join(f"{each.coordinate}: {each.message}" for each in failures)
        details = "\n".join(line for each in failures for line in _lines(each))
        kind = quoteattr(failures[0].rule)
        content += f"      <failure message={quoteattr(message)} type={kind}>{escape(details)}</failure>\n"
    elif errors:
        message = "; ".join(errors)
        content += (
            f'      <error message={quoteattr(message)} type="could-not-check">{escape(message)}</error>\n'
        )
    return f"{start}>\n{content}    </testcase>\n" if content else f"{start}/>\n"


def _lines(finding: Finding) -> list[str]:
    locations = [f"{use.path}:{use.line}: {use.operation}" for use in user_uses(finding)]
    return [
        part for part in (finding.message, effect(finding), *locations, f"to do: {advice(finding)}") if part
    ]
