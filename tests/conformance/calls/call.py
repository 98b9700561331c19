"""A call: which members it is about, what it is made on, and how what it changed is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tests.conformance.library import Library

Thing: TypeAlias = Any  # Any: an object of either library; that both can be used alike is what is tested
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
        members: what it covers, such as ``Run.update``.
        title: what is done, for the report.
        subjects: what it is made on, by label; getting there is not part of the call, nor are the requests that takes.
        action: the call itself; its result must be plain data.
        changes: what is looked at afterwards, by plain GraphQL; None for a call that only reads.
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
        """The class of its first member."""
        return self.members[0].partition(".")[0]


class Calls(dict[str, Call]):
    """Calls by name, in the order in which they are made."""

    def of(
        self, *members: str, on: Subjects, changes: State | None = None, steady: bool = True
    ) -> Callable[[Action], Action]:
        """Take the decorated function in as a call, named after it; its docstring is the title."""

        def taken(action: Action) -> Action:
            title = (action.__doc__ or "").strip().rstrip(".")
            self.add(Call(action.__name__, members, title, on, action, changes, steady))
            return action

        return taken

    def attributes(self, owner: str, names: Sequence[str], *, on: Subjects) -> None:
        """A call that reads it, for each attribute."""
        for name in names:
            self.add(Call(f"{owner}.{name}", (f"{owner}.{name}",), READ, on, _reader(name)))

    def add(self, call: Call) -> None:
        """Take a call in."""
        if call.name in self or not call.title:
            raise ValueError(f"{call.name} is there already, or has no title")
        self[call.name] = call


def _reader(name: str) -> Action:
    def read(thing: Thing) -> object:
        value: object = getattr(thing, name)
        return value

    return read
