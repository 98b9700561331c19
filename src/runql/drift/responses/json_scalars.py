"""The content of JSON scalars, which the SDL does not describe: history keys, configs, rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from runql.values import JSONValue, parse_json

MAX_ERRORS: Final = 3
UNWRAPPED_KEYS: Final = {"wandb_version"}
"""Keys of a configuration whose value is not wrapped in an object with ``value`` and ``desc``."""


class _Strict(BaseModel):
    """A model that refuses unknown fields."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


class TypeCount(_Strict):
    """The number of values of one type in a metric."""

    type: str
    count: int | float
    keys: object = None
    items: object = None
    nested_types: object = None


class KeyInfo(_Strict):
    """The description of one metric."""

    type_counts: list[TypeCount] = Field(alias="typeCounts")
    previous_value: object = Field(None, alias="previousValue")
    monotonic: bool | None = None


class HistoryKeys(_Strict):
    """The metrics of a run, by key."""

    keys: dict[str, KeyInfo]
    sets: list[object] | None = None
    last_step: int | float | None = Field(None, alias="lastStep")


class ConfigEntry(_Strict):
    """One value of a configuration."""

    value: object
    desc: str | None = None


class Row(BaseModel):
    """One row: metrics under any name, and the fields that the SDK adds."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow", strict=True)
    step: int | float | None = Field(None, alias="_step")
    runtime: int | float | None = Field(None, alias="_runtime")
    timestamp: int | float | None = Field(None, alias="_timestamp")


_OBJECT = TypeAdapter(dict[str, object])
_SHAPES: Final[Mapping[str, TypeAdapter[Any]]] = {  # Any: only validation, the values are not used
    "Run.historyKeys": TypeAdapter(HistoryKeys),
    "Run.config": TypeAdapter(dict[str, ConfigEntry]),
    "Run.summaryMetrics": _OBJECT,
    "Run.systemMetrics": _OBJECT,
    "Run.history": TypeAdapter(Row),
    "Run.events": TypeAdapter(Row),
    "Run.sampledHistory": TypeAdapter(list[Row]),
}


def shape_error(coordinate: str, value: JSONValue) -> str:
    """Return what is wrong with the content of a field; empty if it is valid, or if its shape is unknown."""
    shape = _SHAPES.get(coordinate)
    if shape is None or value is None:
        return ""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError as error:
            return str(error)
    if coordinate == "Run.config" and isinstance(value, dict):
        value = {key: entry for key, entry in value.items() if key not in UNWRAPPED_KEYS}
    try:
        shape.validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        return "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in found)
    return ""
