"""The result of a check: findings, what could not be checked, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

Level: TypeAlias = Literal["breaking", "dangerous", "deprecated", "safe"]
Verdict: TypeAlias = Literal["ok", "breaking", "unchecked"]

LEVELS: Final[tuple[Level, ...]] = ("breaking", "dangerous", "deprecated", "safe")
EXIT_CODES: Final[dict[Verdict, int]] = {"ok": 0, "breaking": 1, "unchecked": 2}


@dataclass(frozen=True, slots=True)
class Use:
    """An operation that a finding affects.

    Attributes:
        operation: its name.
        methods: members of runql's classes that send it, such as ``Run.load``; empty for a user's operation.
        path: the user's file, None for runql's own operations.
        line: line in the file, counted from 1.
    """

    operation: str
    methods: tuple[str, ...] = ()
    path: Path | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between the known schema and the server.

    Attributes:
        rule: kind of difference, such as ``field-removed``.
        level: severity for an operation that uses the part.
        coordinate: schema coordinate, such as ``Run.summaryMetrics(keys:)``.
        message: what is different, one sentence.
        uses: the checked operations that it affects.
        suggestions: names that the server suggests instead.
        member: the type that left a union or interface.
        approved: reason of the approval, None without one.
    """

    rule: str
    level: Level
    coordinate: str
    message: str
    uses: tuple[Use, ...] = ()
    suggestions: tuple[str, ...] = ()
    member: str = ""
    approved: str | None = None

    def counts(self, *, strict: bool) -> bool:
        """Return whether it fails the check: it is breaking, not approved, and used (or ``strict``)."""
        return self.level == "breaking" and self.approved is None and (strict or bool(self.uses))

    @property
    def methods(self) -> tuple[str, ...]:
        """The members of runql's classes that it affects, sorted."""
        return tuple(sorted({method for use in self.uses for method in use.methods}))

    def joined(self, other: Finding) -> Finding:
        """Return both as one: the worse of the two, with the operations of both."""
        worse = min((self, other), key=lambda each: LEVELS.index(each.level))
        return replace(worse, uses=merged_uses((*self.uses, *other.uses)))

    @property
    def place(self) -> tuple[str, str, str]:
        """The key that identifies it among the findings of a check: rule, coordinate, member."""
        return self.rule, self.coordinate, self.member


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that could not be checked.

    Attributes:
        subject: an operation's name, or another part of the check.
        reason: why it could not be checked, one sentence.
        is_valid: whether the server accepts the operation, and only types in its response or variables are not proved.
    """

    subject: str
    reason: str
    is_valid: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    Attributes:
        source: the server or file, and the method: ``https://api.wandb.ai (probed)``.
        findings: worst first.
        unchecked: what could not be checked.
        operations: number of operations, or responses, that were checked.
        requests: number of requests that the check sent.
        notes: further remarks for the reader.
        counted: the noun for ``operations`` in the summary.
        covered: the coordinates that the check compared; None where it compared the whole schema.
    """

    source: str
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    operations: int = 0
    requests: int = 0
    notes: tuple[str, ...] = ()
    counted: str = "operations"
    covered: frozenset[str] | None = None

    def verdict(self, *, strict: bool = False) -> Verdict:
        """Return "breaking" if a finding fails the check, else "unchecked" if anything could not be checked, else "ok"."""
        if self.counting(strict=strict):
            return "breaking"
        return "unchecked" if self.undecided else "ok"

    def exit_code(self, *, strict: bool = False) -> int:
        """Return the exit code of the command: 0 ok, 1 breaking, 2 could not check."""
        return EXIT_CODES[self.verdict(strict=strict)]

    def counting(self, *, strict: bool = False) -> tuple[Finding, ...]:
        """Return the findings that fail the check."""
        return tuple(finding for finding in self.findings if finding.counts(strict=strict))

    @property
    def undecided(self) -> tuple[Unchecked, ...]:
        """Those of ``unchecked`` that matter: an operation that fails the check needs no proof of its types."""
        failing = {use.operation for finding in self.counting() for use in finding.uses}
        return tuple(each for each in self.unchecked if not (each.is_valid and each.subject in failing))

    def of_level(self, level: Level) -> tuple[Finding, ...]:
        """Return the findings of one level."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def accepting_unproved(self) -> Report:
        """Return a report that mentions operations with unproved types as notes, so that they do not fail the check."""
        accepted: dict[str, list[str]] = {}
        for each in self.undecided:
            if each.is_valid:
                accepted.setdefault(each.reason, []).append(each.subject)
        notes = (f"accepted, {', '.join(names)}: {reason}" for reason, names in accepted.items())
        unchecked = tuple(each for each in self.unchecked if not each.is_valid)
        return replace(self, unchecked=unchecked, notes=(*self.notes, *notes))

    def merged(self) -> Report:
        """Return a report in which findings with the same `Finding.place` are one, with the operations of all."""
        found: dict[tuple[str, str, str], Finding] = {}
        for finding in self.findings:
            before = found.get(finding.place)
            found[finding.place] = before.joined(finding) if before else finding
        return replace(self, findings=tuple(found.values()))

    def sorted(self) -> Report:
        """Return a report with the worst findings first; used before unused, then by coordinate."""
        ordered = sorted(
            self.findings,
            key=lambda each: (
                each.approved is not None,
                not each.counts(strict=False),
                LEVELS.index(each.level),
                not each.uses,
                each.place,
            ),
        )
        return replace(self, findings=tuple(ordered))


def merged_uses(uses: Iterable[Use]) -> tuple[Use, ...]:
    """Return each operation once, with its first location, sorted by name."""
    first: dict[str, Use] = {}
    for use in uses:
        first.setdefault(use.operation, use)
    return tuple(first[name] for name in sorted(first))
