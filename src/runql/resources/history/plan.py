"""What a scan of one run's history reads, and what is known of the run before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from runql.arguments import DefaultPageSize, positive, shown
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.history.sampled import checked_keys
from runql.transport.flow import DEFAULT_CONCURRENCY
from runql.transport.sample_limits import RowsField

Match: TypeAlias = Literal["all", "any"]


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The checked options of a scan of one run.

    Attributes:
        run: the run; without an id where the plan stands for every run of a list.
        keys: only these columns and `_step`; None for whole rows.
        match: rows that have ``all`` of the keys, or ``any`` of them.
        page_size: steps in a window, which is also the most rows of a response.
        min_step: the first step.
        max_step: the step before which the scan ends; None for no end.
        max_concurrency: windows that are requested at the same time.
        required: keys that a row must have, where ``match`` is ``any``.
        adapts_size: whether ``page_size`` is a hint; see `WindowSize`.
        every_row: whether rows that lack keys are wanted too, without values. With ``match="all"`` no row of a run may
            lack any; a run where that is not so is read `by_lists`.
    """

    run: RunAddress
    keys: tuple[str, ...] | None
    match: Match
    page_size: int
    min_step: int
    max_step: int | None
    max_concurrency: int = DEFAULT_CONCURRENCY
    required: tuple[str, ...] = ()
    adapts_size: bool = False
    every_row: bool = False

    @classmethod
    def checked(
        cls,
        run: RunAddress,
        *,
        keys: Sequence[str] | None,
        match: Match,
        page_size: int,
        min_step: int | None,
        max_step: int | None,
        max_concurrency: int = DEFAULT_CONCURRENCY,
    ) -> ScanPlan:
        """Check the arguments of a caller.

        Raises:
            ValueError: ``match`` is unknown, ``page_size`` or ``max_concurrency`` is below 1, a step is negative, or
                ``max_step`` is below ``min_step``.
            TypeError: ``keys`` is not a list of str, or a step is not an int.
        """
        if match not in ("all", "any"):
            raise ValueError(f"match must be 'all' or 'any', not {shown(match)}")
        first = 0 if min_step is None else _step("min_step", min_step)
        end = None if max_step is None else _step("max_step", max_step)
        if end is not None and end < first:
            raise ValueError(f"max_step ({end}) must not be below min_step ({first})")
        size = positive("page_size", page_size)
        workers = positive("max_concurrency", max_concurrency)
        adapts = isinstance(page_size, DefaultPageSize)
        return cls(run, checked_keys(keys), match, int(size), first, end, workers, adapts_size=adapts)

    @property
    def path(self) -> str:
        """Entity, project and run, as error messages name them."""
        return f"{self.run.entity}/{self.run.project}/{self.run.run_id}"

    @property
    def options(self) -> dict[str, object]:
        """The options that say which rows, those that were not given left out."""
        keys = None if self.keys is None else list(self.keys)
        match = self.match if self.keys and len(self.keys) > 1 else None
        bounds = {"min_step": self.min_step or None, "max_step": self.max_step}
        given = {"keys": keys, "match": match, "every_row": self.every_row or None, **bounds}
        return {name: value for name, value in given.items() if value is not None}

    def words(self, rows_of: str) -> str:
        """The same for people, behind the name of what is scanned."""
        return " ".join([rows_of, *(f"{name}={shown(value)}" for name, value in self.options.items())])

    @property
    def columns(self) -> tuple[str, ...]:
        """`_step` and the requested keys."""
        return tuple(dict.fromkeys(("_step", *(self.keys or ()))))

    @property
    def needs_full_rows(self) -> bool:
        """Whether each row of a run must have all keys."""
        return self.every_row and self.match == "all"

    @property
    def by_lists(self) -> ScanPlan:
        """The same with a list for each key, and one of all steps, where `every_row` is wanted."""
        return replace(self, match="any") if self.every_row else self

    @property
    def whole(self) -> ScanPlan:
        """The same of whole rows."""
        return replace(self, keys=None, every_row=False)

    @property
    def rows_field(self) -> RowsField:
        """The field of the API that returns the rows."""
        return "history" if self.keys is None else "sampledHistory"

    @property
    def wants_every_step(self) -> bool:
        """Whether the scan has no bounds, so that the server's counts of the whole run are counts of its rows."""
        return self.min_step == 0 and self.max_step is None


@dataclass(frozen=True, slots=True)
class HistoryHints:
    """What is known of a run before its scan; every part may be out of date or missing.

    Attributes:
        last_step: the highest step that the server has reported.
        line_count: rows in the history.
        rows: rows between the bounds of the scan; only where that is certain.
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
