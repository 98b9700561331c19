"""A call: its members, its subjects, and how to read its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tests.conformance.library import Library

Thing: TypeAlias = Any  # Any: an object of either library; the comparison tests that both work alike
Subjects: TypeAlias = Callable[[Library], Mapping[str, Thing]]
Action: TypeAlias = Callable[[Thing], object]
READ = "read"
"""The title of a call that reads an attribute."""
State: TypeAlias = Literal["run", "created", "files", "artifact"]


@dataclass(frozen=True)
class Call:
    """One way of using a member.

    Attributes:
        name: unique; the target of a writing call has the same name.
        members: covered members, such as ``Run.update``.
        title: description for the report.
        subjects: loads the objects of the call, by label; their requests are not part of the call.
        action: the call itself; its result must be plain data.
        changes: state to read after the call by plain GraphQL; None for a call that only reads.
        steady: whether the official SDK sends the same number of requests each time.
    """

    name: str
    members: tuple[str, ...]
    title: str
    subjects: Subjects
    action: Action
    changes: State | None = None
    steady: bool = True

    @property
    def owner(self) -> str:
        """Class of its first member."""
        return self.members[0].partition(".")[0]


class Calls(dict[str, Call]):
    """Calls by name, in their order."""

    def of(
        self, *members: str, on: Subjects, changes: State | None = None, steady: bool = True
    ) -> Callable[[Action], Action]:
        """Register the decorated function as a call with its name; the docstring is the title."""

        def taken(action: Action) -> Action:
            title = (action.__doc__ or "").strip().rstrip(".")
            self.add(Call(action.__name__, members, title, on, action, changes, steady))
            return action

        return taken

    def attributes(self, owner: str, names: Sequence[str], *, on: Subjects) -> None:
        """Register a reading call for each attribute."""
        for name in names:
            self.add(Call(f"{owner}.{name}", (f"{owner}.{name}",), READ, on, _reader(name)))

    def add(self, call: Call) -> None:
        """Register a call."""
        if call.name in self or not call.title:
            raise ValueError(f"{call.name} is there already, or has no title")
        self[call.name] = call


def _reader(name: str) -> Action:
    def read(thing: Thing) -> object:
        value: object = getattr(thing, name)
        return value

    return read
