"""Results that lack a part: the option that allows them, and the warning that says what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Literal, TypeAlias

from runql.callers import level_outside_runql
from runql.errors import first_few
from runql.escaping import one_line

OnPartial: TypeAlias = Literal["raise", "allow"]
"""What a read does that lacks a part of its result: raise an error, or return the rest with `PartialResultWarning`."""


class PartialResultWarning(UserWarning):
    """A read returned a result that lacks a part; only with ``partial="allow"``, see `Api.with_options`.

    Attributes:
        reasons: why runs are missing, by their ids.
        failed: ids of the runs that are missing.
        not_requested: those of them that were not requested, because the runs before them failed.
    """

    def __init__(self, reasons: Mapping[str, str], not_requested: Collection[str] = ()) -> None:
        self.reasons: dict[str, str] = dict(reasons)
        self.failed: tuple[str, ...] = tuple(self.reasons)
        self.not_requested: tuple[str, ...] = tuple(run for run in self.reasons if run in not_requested)
        super().__init__(one_line(self._message()))

    def __reduce__(self) -> tuple[type[PartialResultWarning], tuple[dict[str, str], tuple[str, ...]]]:
        return type(self), (self.reasons, self.not_requested)

    def _message(self) -> str:
        reason = explain(self.reasons, self.not_requested)
        return f"the result lacks {len(self.failed)} run(s), {first_few(self.failed)}: {reason}"


class PartialReads:
    """Collects what the reads inside the ``with`` block leave out, and warns of it once, when the block ends well."""

    def __init__(self, partial: OnPartial = "allow", redact: Callable[[str], str] = str) -> None:
        """``redact`` blanks the API key, which servers may repeat."""
        self._partial = partial
        self._redact = redact
        self._token: Token[PartialReads | None] | None = None
        self._reasons: dict[str, str] = {}
        self._not_requested: set[str] = set()

    def __enter__(self) -> None:
        self._token = _current.set(self if self._partial == "allow" else None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            # A coroutine that nobody awaited to its end is closed in another context, which has values of its own.
            with suppress(ValueError):
                _current.reset(self._token)
        if error is None and self._reasons:
            reasons = {self._redact(run): self._redact(reason) for run, reason in self._reasons.items()}
            not_requested = {self._redact(run) for run in self._not_requested}
            warnings.warn(PartialResultWarning(reasons, not_requested), stacklevel=level_outside_runql())

    def add_runs(self, reasons: Mapping[str, str], not_requested: Collection[str]) -> None:
        """Note runs that the result lacks."""
        self._reasons |= reasons
        self._not_requested.update(not_requested)


_current: Final[ContextVar[PartialReads | None]] = ContextVar("runql_partial_reads", default=None)


def allowed_partial() -> PartialReads | None:
    """Return what takes the missing parts of a result, where the caller allows them to be missing; else None."""
    return _current.get()


def explain(reasons: Mapping[str, str], not_requested: Collection[str]) -> str:
    """Return the first reason why runs are missing, and how many were not requested."""
    reason = next(iter(reasons.values()))
    if not_requested:
        tried = len(reasons) - len(not_requested)
        reason = f"{reason}. After as many as {tried} of them, {len(not_requested)} were not requested"
    return reason


def checked_partial(partial: object) -> OnPartial:
    """Return the option as it was given.

    Raises:
        ValueError: it is neither of its values.
    """
    if partial == "raise" or partial == "allow":  # noqa: PLR1714 - type checkers follow these comparisons
        return partial
    raise ValueError(f"partial must be 'raise' or 'allow', not {partial!r:.80}")
