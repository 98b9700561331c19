"""Sentences that all formats share: the effect of a finding, what to do about it, and the summary."""

from __future__ import annotations

from typing import Final

from runql.drift.findings import Finding, Report, Use

MOST_NAMED: Final = 6
"""Subjects with the same reason that a report for people names."""


def advice(finding: Finding) -> str:
    """Return what the reader can do about a finding."""
    if finding.rule.startswith("approval-"):
        return "edit the approvals"
    if finding.rule.startswith("response-"):
        return "correct schema/ or the recording, whichever is wrong, and note the source"
    steps: list[str] = []
    if finding.suggestions:
        steps.append(f"the server suggests {' or '.join(finding.suggestions)}")
    if any(use.path for use in finding.uses):
        steps.append("change the query")
    if any(use.path is None for use in finding.uses):
        steps.append("upgrade runql, or report it there")
    return "; ".join(steps) or "none of the checked operations uses it"


def effect(finding: Finding) -> str:
    """Return which members and operations of runql stop working or are affected; empty without any."""
    ours = [use.operation for use in finding.uses if use.path is None and not use.methods]
    affected = [*(as_code(method) for method in finding.methods), *(f"the operation {name}" for name in ours)]
    verbs = {True: ("stops working", "stop working"), False: ("is affected", "are affected")}
    one, many = verbs[finding.level == "breaking"]
    return f"{', '.join(affected)} {one if len(affected) == 1 else many}" if affected else ""


def sentences(finding: Finding) -> str:
    """Return what is different, its effect, and what to do, as sentences."""
    what_to_do = advice(finding)
    parts = [finding.message, effect(finding), what_to_do[:1].upper() + what_to_do[1:]]
    # Messages of servers may be questions: "Did you mean …?"
    return " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part)


def user_uses(finding: Finding) -> list[Use]:
    """Return the affected operations in the user's own files."""
    return [use for use in finding.uses if use.path is not None]


def as_code(method: str) -> str:
    """Return a member as a caller writes it, such as ``Runs[…]`` for ``Runs.__getitem__``."""
    owner, _, name = method.partition(".")
    special = {"__iter__": f"for … in {owner}", "__getitem__": f"{owner}[…]", "__len__": f"len({owner})"}
    return special.get(name, method if name else f"{owner}(…)")


def summary(report: Report, *, strict: bool) -> str:
    """Return the last line of a report: the verdict and the numbers."""
    verdict = report.verdict(strict=strict)
    word = {"ok": "PASS", "breaking": "FAIL", "unchecked": "COULD NOT CHECK"}[verdict]
    counting = len(report.counting(strict=strict))
    dangerous = len([each for each in report.of_level("dangerous") if each.uses])
    deprecated = len([each for each in report.of_level("deprecated") if each.uses])
    approved = sum(finding.approved is not None for finding in report.findings)
    unused = len(report.of_level("breaking")) - counting - approved
    parts = [f"{counting} breaking", f"{dangerous} dangerous", f"{deprecated} deprecated"]
    parts += [f"{approved} approved"] if approved else []
    parts += [f"{unused} breaking elsewhere (--strict counts them)"] if unused and not strict else []
    parts += [f"{len(report.undecided)} not checked"] if report.undecided else []
    return f"{word}: {', '.join(parts)}; {report.operations} {report.counted}, {report.requests} requests"


def grouped(report: Report) -> list[tuple[str, str]]:
    """Return what could not be checked as subjects and reason, each reason once, in order."""
    subjects: dict[str, list[str]] = {}
    for each in report.undecided:
        subjects.setdefault(each.reason, []).append(each.subject)
    return [(_listed(names, report.operations), reason) for reason, names in subjects.items()]


def _listed(names: list[str], everything: int) -> str:
    if len(names) == everything > 1:
        return f"all {everything} operations"
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} more"
