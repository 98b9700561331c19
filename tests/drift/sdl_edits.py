"""Edits of an SDL as values: each gives what changes a schema, to be done later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tests.drift.sdl_editor import Sdl

Edit: TypeAlias = Callable[[Sdl], None]


def remove(coordinate: str) -> Edit:
    """See `Sdl.remove`."""
    return lambda sdl: sdl.remove(coordinate)


def retype(coordinate: str, written: str) -> Edit:
    """See `Sdl.retype`."""
    return lambda sdl: sdl.retype(coordinate, written)


def require_with_default(coordinate: str, written: str, value: str) -> Edit:
    """Another type, and a default."""

    def edit(sdl: Sdl) -> None:
        sdl.retype(coordinate, written)
        sdl.set_default(coordinate, value)

    return edit


def set_default(coordinate: str, value: str) -> Edit:
    """See `Sdl.set_default`."""
    return lambda sdl: sdl.set_default(coordinate, value)


def deprecate(coordinate: str) -> Edit:
    """See `Sdl.deprecate`."""
    return lambda sdl: sdl.deprecate(coordinate)


def add_field(owner: str, text: str) -> Edit:
    """See `Sdl.add_field`."""
    return lambda sdl: sdl.add_field(owner, text)


def add_argument(coordinate: str, text: str) -> Edit:
    """See `Sdl.add_argument`."""
    return lambda sdl: sdl.add_argument(coordinate, text)


def add_type(text: str) -> Edit:
    """See `Sdl.add_type`."""
    return lambda sdl: sdl.add_type(text)


def remove_type(name: str) -> Edit:
    """See `Sdl.remove_type`."""
    return lambda sdl: sdl.remove_type(name)


def rename_type(name: str, other: str) -> Edit:
    """See `Sdl.rename_type`."""
    return lambda sdl: sdl.rename_type(name, other)


def replace_type(name: str, text: str) -> Edit:
    """See `Sdl.replace_type`."""
    return lambda sdl: sdl.replace_type(name, text)


def leave(member: str, abstract: str) -> Edit:
    """See `Sdl.leave`."""
    return lambda sdl: sdl.leave(member, abstract)


def join_new(union: str) -> Edit:
    """A type that was not there joins a union."""

    def edit(sdl: Sdl) -> None:
        sdl.add_type("type Robot { name: String }")
        sdl.join("Robot", union)

    return edit


def add_value(enum: str, value: str) -> Edit:
    """See `Sdl.add_value`."""
    return lambda sdl: sdl.add_value(enum, value)


def replace_value(enum: str, value: str, other: str) -> Edit:
    """One value goes, another comes: an enum is never empty."""

    def edit(sdl: Sdl) -> None:
        sdl.add_value(enum, other)
        sdl.remove(f"{enum}.{value}")

    return edit


def nothing(_sdl: Sdl) -> None:
    """Leave it as it is."""
