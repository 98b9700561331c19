"""Instances of a projection's type, made of the values of a run; errors name the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, TypeVar

from runql.arguments import shown
from runql.errors import UnexpectedValueError
from runql.projections.misfits import Misfit
from runql.projections.projection import MisfitError, Projection
from runql.values import JSONValue

T = TypeVar("T")

Place: TypeAlias = Literal["config", "summary", "row"]
OnInvalid: TypeAlias = Literal["raise", "skip"]
"""What to do with values that do not fit a type: raise `UnexpectedValueError`, or leave them out and count them."""

ON_INVALID: Final = ("raise", "skip")


def read_values(
    projection: Projection[T],
    values: Mapping[str, JSONValue],
    run: str,
    place: Place,
    step: int | None = None,
) -> T:
    """Return an instance with the values of a run.

    Raises:
        UnexpectedValueError: one does not fit.
    """
    try:
        return projection.read(values)
    except MisfitError as error:
        first = error.misfits[0]
        problems = [_described(each) for each in error.misfits]
        raise UnexpectedValueError(
            run, place, first.key, first.value, first.expected, problems, step
        ) from None


def checked_on_invalid(given: OnInvalid) -> OnInvalid:
    """Check the argument of a caller.

    Raises:
        ValueError: it is none of the two.
    """
    if given not in ON_INVALID:
        raise ValueError(f"on_invalid must be 'raise' or 'skip', not {shown(given)}")
    return given


def _described(misfit: Misfit) -> str:
    name = misfit.key or "it"
    if misfit.is_missing:
        return f"{name} is missing, expected {misfit.expected}"
    reason = f": {misfit.reason}" if misfit.reason else ""
    return f"{name} is {shown(misfit.value)}, expected {misfit.expected}{reason}"
