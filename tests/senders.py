"""Records which public member sends each operation, and which input fields it fills, while tests run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

import pytest
from pydantic import BaseModel
from tests.architecture.surface import members_of, public_classes

from runql import AsyncRetryingClient, RetryingClient
from runql.drift.operations.senders import known_senders
from runql.transport.endpoint import Endpoint
from runql.transport.flow import Download, Send, Upload
from runql.transport.wire import Request

TABLE = Path(__file__).parents[1] / "src" / "runql" / "drift" / "operations" / "senders.toml"
MADE_FROM = {"GetSweeps": "GetSweep"}
"""Operations built at run time from a generated one, with its fields."""

WATCHED = Path(__file__).parent / "contract"
HEAD = """\
# Which public members send each operation, and which fields of input types are filled. `make senders` writes it, by
# watching the behaviour tests; a test that sends something which does not stand here fails.
"""


PLAIN = {"__aiter__": "__iter__", "__anext__": "__next__"}
"""Members of async classes, and their names in the sync ones."""


@dataclass
class SentOperations:
    """Sent operations: members by operation, fields by input type."""

    methods: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    inputs: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def note(self, effect: Send) -> None:
        """Record one request; ignore requests that no public member caused."""
        member = asking_member(inspect.currentframe())
        if member is not None:
            name = effect.operation.name
            self.methods.setdefault(MADE_FROM.get(name, name), set()).add(member)
            for value in effect.operation.variables.values():
                self._note_input(value)

    def _note_input(self, value: object) -> None:
        if isinstance(value, BaseModel):
            names = type(value).model_fields
            fields = {names[name].alias or name for name in value.model_fields_set}
            self.inputs.setdefault(type(value).__name__, set()).update(fields)
            for name in value.model_fields_set:
                self._note_input(getattr(value, name))
        if isinstance(value, list):
            for each in value:  # pyright: ignore[reportUnknownVariableType] - of inputs, or of plain values
                self._note_input(each)  # pyright: ignore[reportUnknownArgumentType] - as above

    def add(self, other: SentOperations) -> None:
        """Merge another record into this one."""
        for mine, theirs in ((self.methods, other.methods), (self.inputs, other.inputs)):
            for name, more in theirs.items():
                mine.setdefault(name, set()).update(more)

    def unrecorded(self) -> list[str]:
        """Return the entries that the table lacks."""
        table = known_senders()
        return [
            *_missing("is sent by", self.methods, table.methods),
            *_missing("is filled in", self.inputs, table.inputs),
        ]

    def written(self) -> str:
        """Format the table."""
        sections = (("methods", self.methods), ("inputs", self.inputs))
        return HEAD + "".join(
            f"\n[{name}]\n" + "".join(_line(key, values) for key, values in sorted(section.items()))
            for name, section in sections
        )


def _line(key: str, values: set[str]) -> str:
    inside = "".join(f'  "{value}",\n' for value in sorted(values))
    return f"{key} = [\n{inside}]\n"


def _missing(
    how: str, seen: Mapping[str, set[str]], table: Mapping[str, tuple[str, ...] | frozenset[str]]
) -> list[str]:
    return [
        f"{name} {how} {each}" for name, found in seen.items() for each in found - set(table.get(name, ()))
    ]


@cache
def public_code() -> Mapping[CodeType, str]:
    """Return the code objects of all public members, and their names."""
    found: dict[CodeType, str] = {}
    for owner in public_classes():
        if owner not in {RetryingClient, AsyncRetryingClient}:
            for name, member in members_of(owner, special=True).items():
                code = getattr(inspect.unwrap(member.function), "__code__", None)
                if isinstance(code, CodeType):
                    found[code] = name
    return found


def asking_member(frame: FrameType | None) -> str | None:
    """Find the outermost public member on the stack, and return its name in the sync class."""
    found: str | None = None
    while frame is not None:
        name = public_code().get(frame.f_code)
        owner: object = frame.f_locals.get("self", frame.f_locals.get("cls"))
        if name is not None and owner is not None:
            kind = owner if isinstance(owner, type) else type(owner)
            plain = re.sub("^Async", "", kind.__name__)
            found = plain if name == "__init__" else f"{plain}.{PLAIN.get(name, name)}"
        frame = frame.f_back
    return found


_everything = SentOperations()


@pytest.fixture(autouse=True)
def watched_senders(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a behaviour test in which a member sends an operation or field that the table lacks."""
    if not request.node.path.is_relative_to(WATCHED):
        yield
        return
    seen, usual = SentOperations(), Endpoint.request

    def noted(endpoint: Endpoint, effect: Send | Download | Upload) -> Request:
        if isinstance(effect, Send):
            seen.note(effect)
        return usual(endpoint, effect)

    monkeypatch.setattr(Endpoint, "request", noted)
    yield
    _everything.add(seen)
    if not request.config.getoption("--write-senders"):
        unrecorded = seen.unrecorded()
        assert unrecorded == [], f"run `make senders`, and look at the diff: {unrecorded}"


def write_table() -> None:
    """Rewrite the table."""
    TABLE.write_text(_everything.written(), encoding="utf-8")
