"""Results that lack a part: the option that allows them, and the warning that says what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final, Literal, TypeAlias

from runql.arguments import shown
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
        parts: why parts of a response are null, by their paths, such as ``project.run.systemMetrics``.
    """

    def __init__(
        self,
        reasons: Mapping[str, str],
        not_requested: Collection[str] = (),
        parts: Mapping[str, str] | None = None,
    ) -> None:
        self.reasons: dict[str, str] = dict(reasons)
        self.failed: tuple[str, ...] = tuple(self.reasons)
        self.not_requested: tuple[str, ...] = tuple(run for run in self.reasons if run in not_requested)
        self.parts: dict[str, str] = dict(parts or {})
        super().__init__(one_line(self._message()))

    def __reduce__(
        self,
    ) -> tuple[type[PartialResultWarning], tuple[dict[str, str], tuple[str, ...], dict[str, str]]]:
        return type(self), (self.reasons, self.not_requested, self.parts)

    def _message(self) -> str:
        said: list[str] = []
        if self.failed:
            reason = explain(self.reasons, self.not_requested)
            said.append(f"{len(self.failed)} run(s), {first_few(self.failed)}: {reason}")
        if self.parts:
            reason = next(iter(self.parts.values()))
            said.append(f"{len(self.parts)} part(s), {first_few([*self.parts])}: {reason}")
        return f"the result lacks {'; and '.join(said)}"


class PartialReads:
    """Collects what the reads inside the ``with`` block leave out, and warns of it once, when the block ends well."""

    def __init__(self, partial: OnPartial = "allow", redact: Callable[[str], str] = str) -> None:
        """``redact`` blanks the API key, which servers may repeat."""
        self._partial = partial
        self._redact = redact
        self._token: Token[PartialReads | None] | None = None
        self._reasons: dict[str, str] = {}
        self._not_requested: set[str] = set()
        self._parts: dict[str, str] = {}

    def __enter__(self) -> None:
        self._token = _current.set(self if self._partial == "allow" else None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            # A coroutine that nobody awaited to its end is closed in another context, which has values of its own.
            with suppress(ValueError):
                _current.reset(self._token)
        if error is None and (self._reasons or self._parts):
            not_requested = {self._redact(run) for run in self._not_requested}
            warning = PartialResultWarning(
                self._redacted(self._reasons), not_requested, self._redacted(self._parts)
            )
            warnings.warn(warning, stacklevel=level_outside_runql())

    def _redacted(self, reasons: Mapping[str, str]) -> dict[str, str]:
        return {self._redact(name): self._redact(reason) for name, reason in reasons.items()}

    def add_runs(self, reasons: Mapping[str, str], not_requested: Collection[str]) -> None:
        """Note runs that the result lacks."""
        self._reasons |= reasons
        self._not_requested.update(not_requested)

    def add_parts(self, parts: Mapping[str, str]) -> None:
        """Note parts of a response that are null because of an error, by their paths."""
        self._parts |= parts


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
    # One by one: type checkers then know the value.
    if partial == "raise":
        return "raise"
    if partial == "allow":
        return "allow"
    raise ValueError(f"partial must be 'raise' or 'allow', not {shown(partial)}")
