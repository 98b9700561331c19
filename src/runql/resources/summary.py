"""A run's summary: the last or best values of its metrics, as a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runql.values import JSONValue


class Summary(Mapping[str, JSONValue]):
    """The summary as it was when the run was read; keys lose surrounding blanks.

    The server's bookkeeping (`_step`, `_runtime`, `_timestamp`, `_wandb`) is part of it.
    """

    def __init__(self, values: Mapping[str, JSONValue]) -> None:
        self._values = {key.strip(): value for key, value in values.items()}

    def __getitem__(self, key: str) -> JSONValue:
        return self._values[key.strip()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)
