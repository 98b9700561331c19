"""A wish for every row of a run's history, checked, and what is known of the run before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runql.arguments import positive, shown
from runql.resources.history.sampled import checked_keys
from runql.transport.flow import DEFAULT_CONCURRENCY

Match: TypeAlias = Literal["all", "any"]


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """A checked wish for all rows of one run.

    Attributes:
        entity: owner of the project.
        project: its name.
        run: the run's id.
        keys: only these columns (and `_step`); None for whole rows.
        match: rows that have ``all`` of the keys, or ``any``.
        page_size: steps a window, which is also the most rows a request brings.
        min_step: the first step.
        max_step: the step before which the scan ends; None for no end.
        max_concurrency: windows that are asked for at the same time.
    """

    entity: str
    project: str
    run: str
    keys: tuple[str, ...] | None
    match: Match
    page_size: int
    min_step: int
    max_step: int | None
    max_concurrency: int = DEFAULT_CONCURRENCY

    @classmethod
    def checked(
        cls,
        entity: str,
        project: str,
        run: str,
        *,
        keys: Sequence[str] | None,
        match: Match,
        page_size: int,
        min_step: int | None,
        max_step: int | None,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> ScanPlan:
        """Check what a caller gave.

        Raises:
            ValueError: unknown match, ``page_size`` or ``max_concurrency`` below 1, a negative step, or bounds the wrong way round.
            TypeError: ``keys`` is not a list of texts, or a step is not an int.
        """
        if match not in ("all", "any"):
            raise ValueError(f"match must be 'all' or 'any', not {shown(match)}")
        first = 0 if min_step is None else _step("min_step", min_step)
        end = None if max_step is None else _step("max_step", max_step)
        if end is not None and end < first:
            raise ValueError(f"max_step ({end}) must not be below min_step ({first})")
        size = positive("page_size", page_size)
        return cls(
            entity,
            project,
            run,
            checked_keys(keys),
            match,
            size,
            first,
            end,
            positive("max_concurrency", max_concurrency),
        )

    @property
    def path(self) -> str:
        """Entity, project and run."""
        return f"{self.entity}/{self.project}/{self.run}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The asked keys and the step."""
        return tuple(dict.fromkeys(("_step", *(self.keys or ()))))

    @property
    def wants_every_step(self) -> bool:
        """Whether what the server counts of the whole run counts the rows of this scan, too."""
        return self.min_step == 0 and self.max_step is None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a run before its scan; every part may be old or missing.

    Attributes:
        last_step: the highest step that the server has told.
        line_count: rows in its history.
        rows: rows between the bounds of the scan, where that is certain.
    """

    last_step: int | None = None
    line_count: int | None = None
    rows: int | None = None


def _step(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, not {value}")
    return value
