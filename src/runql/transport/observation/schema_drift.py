"""What a client reports of responses that depart from the schema: ``Api(strict=…)``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runql.escaping import one_line


@dataclass(frozen=True, slots=True)
class SchemaDrift:
    """One departure of a response from the schema that runql was built with; it holds no values of runs.

    Attributes:
        operation: name of the GraphQL operation.
        coordinate: the part of the schema, such as ``Run.state``.
        rule: kind of departure, such as ``response-null``.
        level: ``breaking``, or ``dangerous`` where decoders read the response all the same.
        message: what the server sent instead, one sentence.
    """

    operation: str
    coordinate: str
    rule: str
    level: Literal["breaking", "dangerous"]
    message: str


class SchemaDriftWarning(UserWarning):
    """A response departs from the schema; only with ``strict="warn"`` of `Api`, once for each kind of departure.

    Attributes:
        drift: the departure.
    """

    def __init__(self, drift: SchemaDrift) -> None:
        self.drift: SchemaDrift = drift
        super().__init__(one_line(f"{drift.message} ({drift.level}, in the response to {drift.operation})"))

    def __reduce__(self) -> tuple[type[SchemaDriftWarning], tuple[SchemaDrift]]:
        return type(self), (self.drift,)


OnSchemaDrift: TypeAlias = Literal["warn", "raise"] | Callable[[SchemaDrift], object]
"""What to do about a departure: warn, raise `SchemaDriftError`, or call a function."""

ResponseReader: TypeAlias = Callable[[bytes, bytes], None]
"""Takes the body of a GraphQL request and that of its response."""
