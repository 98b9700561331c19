"""Dataclasses of runql's own values are as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Iterable
from dataclasses import dataclass as usual_dataclass
from dataclasses import field
from typing import Generic, TypeVar

import pytest

import runql
import runql.drift
from runql.quick_dataclasses import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Quick(Generic[T]):
    """A value."""

    name: str
    value: T
    hidden: int = field(default=0, repr=False, compare=False)
    inner: list[object] = field(default_factory=list[object], hash=False)

    @property
    def shown(self) -> str:
        return f"{self.name}: {self.value}"


@usual_dataclass(frozen=True, slots=True)
class Usual(Generic[T]):
    """A value."""

    name: str
    value: T
    hidden: int = field(default=0, repr=False, compare=False)
    inner: list[object] = field(default_factory=list[object], hash=False)


@dataclass(slots=True)
class Changing:
    """A value that changes."""

    number: int


@dataclass(frozen=True)
class Spelled:
    """A value with methods of its own."""

    number: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spelled)

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "spelled"


@dataclass(eq=False)
class Identical:
    """A value that equals itself alone."""

    number: int


def test_fields_defaults_and_replacements_are_those_of_dataclasses() -> None:
    one = Quick("a", 1)
    assert [each.name for each in dataclasses.fields(one)] == ["name", "value", "hidden", "inner"]
    assert dataclasses.replace(one, value=2).value == 2
    assert dataclasses.asdict(one) == dataclasses.asdict(Usual("a", 1))
    assert one.inner is not Quick("a", 1).inner
    assert one.shown == "a: 1"


def test_equality_and_hash_take_the_compared_fields() -> None:
    assert Quick("a", 1, hidden=1) == Quick("a", 1, hidden=2)
    assert Quick("a", 1) != Quick("a", 2)
    others: list[object] = [Usual("a", 1), ("a", 1), None]
    assert Quick("a", 1) not in others
    assert hash(Quick("a", 1, hidden=1)) == hash(Quick("a", 1, hidden=2, inner=[1]))
    assert {Quick("a", 1): 1}[Quick("a", 1)] == 1


def test_a_value_that_changes_has_no_hash() -> None:
    value = Changing(1)
    value.number = 2
    assert value == Changing(2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)


def test_methods_of_the_class_stay() -> None:
    assert Spelled(1) == Spelled(2)
    assert hash(Spelled(1)) == 7
    assert repr(Spelled(1)) == "spelled"


def test_without_equality_a_value_equals_itself_alone() -> None:
    value = Identical(1)
    assert value != Identical(1)
    assert len({value, value, Identical(1)}) == 2


def test_the_repr_is_the_usual_one_also_of_a_value_within_itself() -> None:
    quick, usual = Quick("a", 1.5), Usual("a", 1.5)
    assert repr(quick) == repr(usual).replace("Usual", "Quick")
    quick.inner.append(quick)
    usual.inner.append(usual)
    assert repr(quick) == repr(usual).replace("Usual", "Quick")


def test_slots_copies_and_pickles() -> None:
    value = Quick("a", [1])
    assert not hasattr(value, "__dict__")
    pickled = [pickle.dumps(value, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in (copy.copy(value), copy.deepcopy(value), *map(pickle.loads, pickled)):
        assert other == value
    match value:
        case Quick(name, number):
            assert (name, number) == ("a", [1])


def public_dataclasses() -> Iterable[type]:
    for module in (runql, runql.drift):
        for name in module.__all__:
            found: object = getattr(module, name)
            if isinstance(found, type) and dataclasses.is_dataclass(found):
                yield found


def test_what_users_get_refuses_assignments() -> None:
    found = list(public_dataclasses())
    assert len(found) > 20
    changing = [each for each in found if "__setattr__" not in vars(each)]
    assert changing == [runql.Traffic]
