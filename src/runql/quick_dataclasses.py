"""Dataclasses for runql's own values, made in less than half of the usual time."""

# `dataclasses.dataclass` compiles each method of each class: six of a frozen one. That was a tenth of the time that
# `import runql` took, and two fifths of what a first scan imports. Here a class gets one compiled method, its `__init__`;
# the others are shared. To type checkers it is the usual decorator: they refuse assignments to the fields of a frozen
# class; at run time nothing does. Classes that users get from runql are made by `dataclasses.dataclass`.

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from reprlib import recursive_repr
from typing import TYPE_CHECKING, TypeVar

T = TypeVar("T")


def _quick_dataclass(
    *, frozen: bool = False, slots: bool = False, eq: bool = True
) -> Callable[[type[T]], type[T]]:
    def make(cls: type[T]) -> type[T]:
        made = dataclasses.dataclass(slots=slots, eq=False, repr=False)(cls)
        fields = dataclasses.fields(made)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] — it is one now
        methods: dict[str, object] = {"__repr__": _showing([each.name for each in fields if each.repr])}
        if eq and "__eq__" not in vars(made):
            hashed = [each.name for each in fields if (each.compare if each.hash is None else each.hash)]
            methods["__eq__"] = _comparing([each.name for each in fields if each.compare])
            methods["__hash__"] = _hashing(hashed) if frozen else None
        if frozen and slots:
            names = [each.name for each in fields]
            # For the pickles of old protocols, which take no slots by themselves.
            methods |= {"__getstate__": _saving(names), "__setstate__": _restoring(names)}
        for name, method in methods.items():
            if name not in vars(made):
                setattr(made, name, method)
        return made

    return make


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _quick_dataclass

__all__ = ["dataclass"]


def _comparing(names: Sequence[str]) -> Callable[[object, object], object]:
    def is_equal(self: object, other: object) -> object:
        if type(other) is not type(self):
            return NotImplemented
        return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]

    return is_equal


def _hashing(names: Sequence[str]) -> Callable[[object], int]:
    return lambda self: hash(tuple([getattr(self, name) for name in names]))


def _showing(names: Sequence[str]) -> Callable[[object], str]:
    @recursive_repr()
    def shown(self: object) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({values})"

    return shown


def _saving(names: Sequence[str]) -> Callable[[object], list[object]]:
    return lambda self: [getattr(self, name) for name in names]


def _restoring(names: Sequence[str]) -> Callable[[object, Sequence[object]], None]:
    def restore(self: object, state: Sequence[object]) -> None:
        for name, value in zip(names, state, strict=True):
            setattr(self, name, value)

    return restore
