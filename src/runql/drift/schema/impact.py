"""Which operations a schema change affects, and how severely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runql.drift.findings import LEVELS, Finding, Level, Use, merged_uses
from runql.drift.operations.usage import Usage
from runql.drift.schema.changes import Change
from runql.drift.schema.type_changes import TypeChanges

# An operation depends on these parts only where it names them, so validation finds every operation that breaks.
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


def findings_of_changes(
    changes: Sequence[Change], invalid: Sequence[Finding], usage: Usage, types: TypeChanges
) -> list[Finding]:
    """Return a finding for each change, and those validation errors that no change explains.

    Args:
        changes: differences from the known schema to the found one.
        invalid: validation errors of the operations under the found schema.
        usage: what the operations use of the known schema.
        types: what changed types mean for them.
    """
    findings: list[Finding] = []
    explained: set[tuple[str, str, str]] = set()
    for change in changes:
        same = [each for each in invalid if _is_same_part(change, each)]
        findings.append(_finding(change, same, usage, types))
        if findings[-1].uses and findings[-1].level == "breaking":
            explained |= {each.place for each in same}
    return [*findings, *(each for each in invalid if each.place not in explained)]


def _finding(change: Change, invalid: Sequence[Finding], usage: Usage, types: TypeChanges) -> Finding:
    level, uses = _impact(change, usage)
    found = Finding(change.rule, level, change.coordinate, change.message, uses, member=change.member)
    broken = merged_uses(use for each in invalid for use in each.uses)
    if change.rule in {"field-type-changed", "input-field-type-changed"}:
        if level == "breaking":
            found = finding_of_type(change, uses, types)
        if broken and found.level != "breaking":
            found = replace(found, level="breaking", uses=())
        if found.level == "breaking":
            found = replace(found, uses=merged_uses((*broken, *found.uses)))
    elif change.rule == "type-kind-changed" and uses and not broken:
        # Such as an object that becomes an interface: operations stay valid, and responses name other types.
        found = replace(found, level="dangerous")
    elif change.level == "breaking":
        named = () if change.rule in SEEN_BY_VALIDATION else uses
        found = replace(found, uses=merged_uses((*broken, *named)))
    suggestions = tuple(dict.fromkeys(name for each in invalid for name in each.suggestions))
    return replace(found, suggestions=suggestions)


def finding_of_type(change: Change, uses: Sequence[Use], types: TypeChanges) -> Finding:
    """Return the finding for a changed type: its level is the worst that it means for these operations."""
    effects = {
        # A part that nobody uses is judged as if runql did.
        use: types.sent(change.was, change.becomes)
        if change.is_input
        else types.received(change.was, change.becomes, use)
        for use in (uses or [Use("")])
    }
    worst = min(effects.values(), key=lambda each: LEVELS.index(each.level))
    hit = tuple(use for use in uses if effects[use].level == worst.level)
    message = f"{change.message.removesuffix('.')}: {worst.reason}." if worst.reason else change.message
    return Finding(change.rule, worst.level, change.coordinate, message, hit, member=change.member)


def _is_same_part(change: Change, finding: Finding) -> bool:
    if change.member or finding.member:
        return {change.coordinate, change.member} == {finding.coordinate, finding.member}
    return change.coordinate == finding.coordinate


def _impact(change: Change, usage: Usage) -> tuple[Level, tuple[Use, ...]]:
    """Return the operations that a change affects, and its level for them."""
    coordinate, owner = change.coordinate, change.coordinate.partition(".")[0]
    match change.rule:
        case "type-removed" | "type-kind-changed":
            return change.level, usage.of_type(coordinate)
        case "member-added" | "member-removed":
            return change.level, usage.receiving(coordinate)
        case "required-input-field-added":
            return change.level, usage.sending(owner)
        case "input-field-type-changed" if change.becomes == f"{change.was}!":
            # An operation that leaves the field out sends null. With a default, only an explicit null breaks.
            return ("dangerous" if change.has_default else "breaking"), usage.sending(owner)
        case "enum-value-removed":
            sent = merged_uses((*usage.of(coordinate), *usage.sending(owner)))
            # An operation breaks if it sends the value, not if the server no longer returns it.
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
    """Return level and operations for a new enum value: runql accepts unknown values, a user's code may not."""
    users = tuple(use for use in uses if use.path is not None)
    return ("dangerous", users) if users else ("safe", uses)
