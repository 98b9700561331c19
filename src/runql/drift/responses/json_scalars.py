"""What lies inside of JSON scalars, which the SDL does not tell: history keys, configs, rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from runql.values import JSONValue, parse_json

MAX_ERRORS: Final = 3
UNWRAPPED_KEYS: Final = {"wandb_version"}


class _Strict(BaseModel):
    """Nothing that is not named here."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TypeCount(_Strict):
    """How often a metric held values of one type."""

    type: str
    count: int | float
    keys: object = None
    items: object = None
    nested_types: object = None


class KeyInfo(_Strict):
    """What is told of one metric."""

    type_counts: list[TypeCount] = Field(alias="typeCounts")
    previous_value: object = Field(None, alias="previousValue")
    monotonic: bool | None = None


class HistoryKeys(_Strict):
    """The metrics of a run."""

    keys: dict[str, KeyInfo]
    sets: list[object] | None = None
    last_step: int | float | None = Field(None, alias="lastStep")


class ConfigEntry(_Strict):
    """One value of a configuration, with its description."""

    value: object
    desc: str | None = None


class Row(BaseModel):
    """One row: metrics under any name, and what the SDK adds to them."""

    model_config = ConfigDict(extra="allow", strict=True)
    step: int | float | None = Field(None, alias="_step")
    runtime: int | float | None = Field(None, alias="_runtime")
    timestamp: int | float | None = Field(None, alias="_timestamp")


_OBJECT = TypeAdapter(dict[str, object])
_SHAPES: Final[Mapping[str, TypeAdapter[Any]]] = {  # Any: only whether it fits is asked
    "Run.historyKeys": TypeAdapter(HistoryKeys),
    "Run.config": TypeAdapter(dict[str, ConfigEntry]),
    "Run.summaryMetrics": _OBJECT,
    "Run.systemMetrics": _OBJECT,
    "Run.history": TypeAdapter(Row),
    "Run.events": TypeAdapter(Row),
    "Run.sampledHistory": TypeAdapter(list[Row]),
}


def shape_error(coordinate: str, value: JSONValue) -> str:
    """What is wrong inside of a field's value; empty when nothing is, or when nothing is known of it."""
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
