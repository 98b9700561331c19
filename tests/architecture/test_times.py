"""Every time that a record holds as a str has an aware twin: ``created_at`` and ``created_time``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import get_type_hints

import pytest
from tests.architecture.surface import hints_of, members_of, public_classes

STR_TIME = re.compile(r"\w+(_at|At|_on|_date|_datetime|_timestamp)|time|date|timestamp")
TWIN = re.compile(r"\w+_time")
STR = (str, str | None)
AWARE = (datetime, datetime | None)

CLASSES = pytest.mark.parametrize("owner", public_classes(), ids=lambda each: each.__name__)


def attributes_of(owner: type) -> dict[str, object]:
    """The public properties and fields of a class, each with its annotation."""
    found: dict[str, object] = {}
    hints = get_type_hints(owner)
    names: dict[str, object] = getattr(owner, "__dataclass_fields__", {})
    found.update({name: hints[name] for name in names if name[0] != "_"})
    for name, member in members_of(owner).items():
        if member.kind == "property":
            found[name] = hints_of(member.function)["return"]
    return found


@CLASSES
def test_every_str_time_has_its_aware_twin_and_no_other_name(owner: type) -> None:
    found = attributes_of(owner)
    for name, hint in found.items():
        if STR_TIME.fullmatch(name) and hint in STR:
            assert name.endswith("_at"), f"{owner.__name__}.{name}: a str time is named <verb>_at"
            twin = name.removesuffix("_at") + "_time"
            wanted = datetime if hint is str else datetime | None
            assert found.get(twin) == wanted, f"{owner.__name__}.{name} has no {twin}"


@CLASSES
def test_every_twin_belongs_to_a_str_time(owner: type) -> None:
    found = attributes_of(owner)
    for name, hint in found.items():
        if TWIN.fullmatch(name) and hint in AWARE:
            assert name.removesuffix("_time") + "_at" in found, name


def test_each_twin_is_written_once_for_both_clients() -> None:
    twins = {
        (member.owner.__name__, name)
        for owner in public_classes()
        for name, member in members_of(owner).items()
        if TWIN.fullmatch(name)
    }
    assert twins == {
        ("ArtifactFileRecord", "updated_time"),
        ("ArtifactRecord", "created_time"),
        ("ArtifactRecord", "updated_time"),
        ("CollectionRecord", "created_time"),
        ("CollectionRecord", "updated_time"),
        ("FileRecord", "updated_time"),
        ("ProjectRecord", "created_time"),
        ("ProjectRecord", "updated_time"),
        ("RunRecord", "created_time"),
        ("RunRecord", "heartbeat_time"),
        ("SweepRecord", "created_time"),
        ("SweepRecord", "updated_time"),
        ("TypeRecord", "created_time"),
    }


def test_the_rule_would_find_a_time_without_twin() -> None:
    class Forgetful:
        @property
        def archived_at(self) -> str | None:
            """When."""
            return None

    Forgetful.__module__ = "runql.forgetful"
    with pytest.raises(AssertionError, match=r"Forgetful\.archived_at has no archived_time"):
        test_every_str_time_has_its_aware_twin_and_no_other_name(Forgetful)
