"""What a check says: findings, what could not be checked, and the verdict over both."""

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
    """An operation that a finding hits.

    Attributes:
        operation: its name.
        methods: members of runql's classes that send it, such as ``Run.load``; empty for a user's operation.
        path: the user's file, None for runql's own operations.
        line: of the file, counted from 1.
    """

    operation: str
    methods: tuple[str, ...] = ()
    path: Path | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what is known of the server and what it is.

    Attributes:
        rule: what kind of difference, such as ``field-removed``.
        level: how bad it is for whoever uses it.
        coordinate: the part of the schema, such as ``Run.summaryMetrics(keys:)``.
        message: what is different, one sentence.
        uses: the operations that it hits; empty when none of those that were checked.
        suggestions: what the server believes was meant.
        member: of a union or interface, the type that left it.
        approved: the reason for which it was approved, None when it was not.
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
        """Whether it fails a check: it breaks something, that something is used (or all counts), nobody approved it."""
        return self.level == "breaking" and self.approved is None and (strict or bool(self.uses))

    @property
    def methods(self) -> tuple[str, ...]:
        """The members of runql's classes that it hits, each once."""
        return tuple(sorted({method for use in self.uses for method in use.methods}))

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells it from every other finding of a check."""
        return self.rule, self.coordinate, self.member


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something of which nothing could be proved.

    Attributes:
        subject: an operation's name, or what else was to be checked.
        reason: why not, one sentence.
    """

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        source: what was looked at and how, such as ``https://api.wandb.ai (probed)``.
        findings: worst first.
        unchecked: what nothing could be proved of.
        operations: how many operations, or answers, were checked.
        requests: how many requests were sent for it.
        notes: what else the reader should know.
        counted: what ``operations`` counts.
    """

    source: str
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    operations: int = 0
    requests: int = 0
    notes: tuple[str, ...] = ()
    counted: str = "operations"

    def verdict(self, *, strict: bool = False) -> Verdict:
        """Breaking where something that counts was found, else unchecked where something could not be checked."""
        if self.counting(strict=strict):
            return "breaking"
        return "unchecked" if self.unchecked else "ok"

    def exit_code(self, *, strict: bool = False) -> int:
        """0: nothing that matters, 1: breaking, 2: could not check."""
        return EXIT_CODES[self.verdict(strict=strict)]

    def counting(self, *, strict: bool = False) -> tuple[Finding, ...]:
        """The findings that fail the check."""
        return tuple(finding for finding in self.findings if finding.counts(strict=strict))

    def of_level(self, level: Level) -> tuple[Finding, ...]:
        """The findings of one level."""
        return tuple(finding for finding in self.findings if finding.level == level)

    def merged(self) -> Report:
        """The same, with one finding for each place and the operations of all."""
        found: dict[tuple[str, str, str], Finding] = {}
        for finding in self.findings:
            before = found.get(finding.place)
            uses = merged_uses((*(before.uses if before else ()), *finding.uses))
            found[finding.place] = replace(before or finding, uses=uses)
        return replace(self, findings=tuple(found.values()))

    def sorted(self) -> Report:
        """The same, worst first: what is used before what is not, then by coordinate."""
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
    """Each operation once, by the first place."""
    first: dict[str, Use] = {}
    for use in uses:
        first.setdefault(use.operation, use)
    return tuple(first[name] for name in sorted(first))
