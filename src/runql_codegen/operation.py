"""One GraphQL operation as a value: what to send, and the model its answer is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Operation(Generic[ResultT]):
    """A named operation, its variables and the type of its answer.

    Attributes:
        name: the operation's name in ``document``.
        kind: queries may be repeated freely, mutations may not.
        document: the GraphQL text, with every fragment it spreads.
        variables: by GraphQL name; a value of ``UNSET`` is left out when sent.
        result: the pydantic model of the answer's ``data``.
    """

    name: str
    kind: Literal["query", "mutation"]
    document: str
    variables: Mapping[str, object]
    result: type[ResultT]
