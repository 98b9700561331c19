"""Edits of an SDL as functions: each returns a function that makes the edit with an `SdlEditor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tests.drift.sdl_editor import SdlEditor

Edit: TypeAlias = Callable[[SdlEditor], None]


def remove(coordinate: str) -> Edit:
    """See `SdlEditor.remove`."""
    return lambda sdl: sdl.remove(coordinate)


def retype(coordinate: str, written: str) -> Edit:
    """See `SdlEditor.retype`."""
    return lambda sdl: sdl.retype(coordinate, written)


def require_with_default(coordinate: str, written: str, value: str) -> Edit:
    """Change the type, and set a default."""

    def edit(sdl: SdlEditor) -> None:
        sdl.retype(coordinate, written)
        sdl.set_default(coordinate, value)

    return edit


def set_default(coordinate: str, value: str) -> Edit:
    """See `SdlEditor.set_default`."""
    return lambda sdl: sdl.set_default(coordinate, value)


def deprecate(coordinate: str) -> Edit:
    """See `SdlEditor.deprecate`."""
    return lambda sdl: sdl.deprecate(coordinate)


def add_field(owner: str, source: str) -> Edit:
    """See `SdlEditor.add_field`."""
    return lambda sdl: sdl.add_field(owner, source)


def add_argument(coordinate: str, source: str) -> Edit:
    """See `SdlEditor.add_argument`."""
    return lambda sdl: sdl.add_argument(coordinate, source)


def add_type(source: str) -> Edit:
    """See `SdlEditor.add_type`."""
    return lambda sdl: sdl.add_type(source)


def remove_type(name: str) -> Edit:
    """See `SdlEditor.remove_type`."""
    return lambda sdl: sdl.remove_type(name)


def rename_type(name: str, other: str) -> Edit:
    """See `SdlEditor.rename_type`."""
    return lambda sdl: sdl.rename_type(name, other)


def replace_type(name: str, source: str) -> Edit:
    """See `SdlEditor.replace_type`."""
    return lambda sdl: sdl.replace_type(name, source)


def remove_member(member: str, abstract: str) -> Edit:
    """See `SdlEditor.remove_member`."""
    return lambda sdl: sdl.remove_member(member, abstract)


def add_new_member(union: str) -> Edit:
    """Add a new type to a union."""

    def edit(sdl: SdlEditor) -> None:
        sdl.add_type("type Robot { name: String }")
        sdl.add_member("Robot", union)

    return edit


def add_value(enum: str, value: str) -> Edit:
    """See `SdlEditor.add_value`."""
    return lambda sdl: sdl.add_value(enum, value)


def replace_value(enum: str, value: str, other: str) -> Edit:
    """Replace a value of an enum by another."""

    def edit(sdl: SdlEditor) -> None:
        sdl.add_value(enum, other)
        sdl.remove(f"{enum}.{value}")

    return edit


def no_edit(_sdl: SdlEditor) -> None:
    """Change nothing."""
