"""The summary of a run: the last or best values of its metrics, as a mapping that can be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, NoReturn, Protocol

from runql.arguments import shown
from runql.postponed import postponed
from runql.resources.records.tables import described, readable
from runql.resources.records.to_json import to_json_value
from runql.transport.flow import Flow
from runql.transport.lifetime import raise_not_pickled
from runql.transport.sync import RetryingClient
from runql.values import JSONValue

if TYPE_CHECKING:
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(postponed("AsyncRetryingClient"))

Values = Callable[[], dict[str, JSONValue]]
Save = Callable[[], Flow[None]]


class Keyed(Protocol):
    """An argument of `dict` that is no list of pairs: keys, and a value for each."""

    def keys(self) -> Iterable[str]:
        """The keys."""
        ...

    def __getitem__(self, key: str, /) -> object: ...


Changes = Keyed | Iterable[tuple[str, object]]


class SummaryValues(MutableMapping[str, JSONValue]):
    """The part of `Summary` and `AsyncSummary` that both share: a run's summary in memory.

    Assigning and deleting change memory only; `update`, here or on the run, writes. Objects inside are plain dicts:
    ``summary["deep"]["x"] = 1`` changes the summary, too. Keys lose surrounding blanks. The server's own entries
    (`_step`, `_runtime`, `_timestamp`, `_wandb`) are part of the summary: keep them.

    `runql.resources.records.to_json.to_json_value` lists what can be assigned: JSON, numpy scalars, small arrays, dates,
    bytes, sets, enums. NaN and infinities stay; the official SDK turns NaN into null.
    """

    def __init__(self, values: Values) -> None:
        self._values = values

    def __getstate__(self) -> NoReturn:
        raise_not_pickled("a Summary", "pickle its run, or dict(run.summary)")

    def __getitem__(self, key: str) -> JSONValue:
        return self._values()[_wanted(key)]

    def __setitem__(self, key: str, value: object) -> None:
        self._values()[_checked(key)] = to_json_value(value, f"summary[{shown(key)}]")

    def __delitem__(self, key: str) -> None:
        del self._values()[_wanted(key)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        values = readable(self._values)
        return described("Summary", values) if isinstance(values, str) else repr(values)

    @property
    def _json_dict(self) -> dict[str, JSONValue]:
        """The dict behind the summary, under the name by which W&B's own export example reads it."""
        return self._values()

    def _put(self, changes: Changes, named: Mapping[str, object]) -> None:
        # Checks all values first, so that a refused value leaves the summary unchanged.
        given: dict[str, object] = dict(changes, **named)
        self._values().update(
            {_checked(key): to_json_value(value, f"summary[{shown(key)}]") for key, value in given.items()}
        )


class Summary(SummaryValues):
    """The summary of a run; see `SummaryValues` for what assigning does."""

    def __init__(self, client: RetryingClient, values: Values, save: Save) -> None:
        self._client = client
        super().__init__(values)
        self._save = save

    def update(self, changes: Changes = (), /, **named: object) -> None:
        """Assign these values, and write the whole summary; one request.

        An object replaces the object at its key, without merging. The server stores the summary whole: keys that others
        have written since the run was read are lost (see ``Run.update(if_unchanged=True)``).

        Raises:
            TypeError, ValueError: a value cannot be stored; raised before anything is changed or sent.
            RunNotFoundError: the run has been deleted.
        """
        self._put(changes, named)
        self._client.run(self._save())


class AsyncSummary(SummaryValues):
    """The async twin of `Summary`; ``update`` is awaited."""

    def __init__(self, client: AsyncRetryingClient, values: Values, save: Save) -> None:
        self._client = client
        super().__init__(values)
        self._save = save

    # Writing must be awaited here: code that takes any MutableMapping cannot update this one.
    async def update(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — as said above
        self, changes: Changes = (), /, **named: object
    ) -> None:
        """Assign these values, and write the whole summary; one request.

        See `Summary.update` for its requests and errors.
        """
        self._put(changes, named)
        await self._client.run(self._save())


def _wanted(key: object) -> str:
    if not isinstance(key, str):
        raise KeyError(key)
    return key.strip()


def _checked(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"summary cannot be stored: keys must be str, not {shown(key)}")
    return key.strip()
