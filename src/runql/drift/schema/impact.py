"""From changes to findings: whom a change hits, and how bad it is for those it hits."""

from __future__ import annotations

from collections.abc import Sequence

from runql.drift.findings import Finding, Level, Use, merged_uses
from runql.drift.operations.usage import Usage
from runql.drift.schema.changes import Change

# An operation names the argument, the member, the directive or the type itself, or does not depend on it: whether it is
# still valid is all there is to ask. What a type's fields became is a change of those that returned it.
SEEN_BY_VALIDATION = frozenset(
    {
        "type-removed",
        "type-kind-changed",
        "argument-removed",
        "argument-type-changed",
        "required-argument-added",
        "member-removed",
        "directive-removed",
        "directive-argument-removed",
        "required-directive-argument-added",
        "directive-location-removed",
        "directive-repeatable-removed",
    }
)


def findings_of_changes(changes: Sequence[Change], invalid: Sequence[Finding], usage: Usage) -> list[Finding]:
    """Findings of every change, and of what makes an operation invalid without being one of them.

    Args:
        changes: how the found schema differs from the known one.
        invalid: what is wrong with the operations under the found schema.
        usage: of the operations under the known schema.
    """
    findings: list[Finding] = []
    explained: set[tuple[str, str, str]] = set()
    for change in changes:
        same = [each for each in invalid if _is_same_part(change, each)]
        findings.append(_finding(change, same, usage))
        if findings[-1].uses and change.level == "breaking":
            explained |= {each.place for each in same}
    return [*findings, *(each for each in invalid if each.place not in explained)]


def _finding(change: Change, invalid: Sequence[Finding], usage: Usage) -> Finding:
    level, uses = _impact(change, usage)
    broken = merged_uses(use for each in invalid for use in each.uses)
    if change.level == "breaking" and change.rule in SEEN_BY_VALIDATION:
        uses = broken
    elif change.level == "breaking":
        uses = merged_uses((*broken, *uses))
    suggestions = tuple(dict.fromkeys(name for each in invalid for name in each.suggestions))
    return Finding(change.rule, level, change.coordinate, change.message, uses, suggestions, change.member)


def _is_same_part(change: Change, finding: Finding) -> bool:
    if change.member or finding.member:
        return {change.coordinate, change.member} == {finding.coordinate, finding.member}
    return change.coordinate == finding.coordinate


def _impact(change: Change, usage: Usage) -> tuple[Level, tuple[Use, ...]]:
    """The level for those that the change hits, and who they are."""
    coordinate, owner = change.coordinate, change.coordinate.partition(".")[0]
    match change.rule:
        case "type-removed" | "type-kind-changed":
            return change.level, usage.of_type(coordinate)
        case "member-added" | "member-removed":
            return change.level, usage.receiving(coordinate)
        case "required-input-field-added":
            return change.level, usage.sending(owner)
        case "input-field-type-changed" if change.becomes == f"{change.was}!":
            # Who leaves it out sends null; with a default only who writes null himself does.
            return ("dangerous" if change.has_default else "breaking"), usage.sending(owner)
        case "enum-value-removed":
            sent = merged_uses((*usage.of(coordinate), *usage.sending(owner)))
            # A value that no longer comes back breaks nobody; one that is no longer taken does.
            return (
                ("breaking", sent)
                if sent or not usage.receiving(owner)
                else ("dangerous", usage.receiving(owner))
            )
        case "enum-value-added":
            return _enum_growth(usage.receiving(owner))
        case "argument-default-changed" | "argument-default-added":
            given = {use.operation for use in usage.of(coordinate)}
            field_name = coordinate.partition("(")[0]
            return change.level, tuple(use for use in usage.of(field_name) if use.operation not in given)
        case _:
            return change.level, usage.of(coordinate)


def _enum_growth(uses: tuple[Use, ...]) -> tuple[Level, tuple[Use, ...]]:
    """The enums of runql take values that they do not know; those of a user's code may not."""
    theirs = tuple(use for use in uses if use.path is not None)
    return ("dangerous", theirs) if theirs else ("safe", uses)
