"""Validators of responses: the same as pydantic's own, for every generated model, and only for those."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, TypeGuard

import pytest
from pydantic import BaseModel, ValidationError, field_validator

import runql_graphql
from runql.transport.response_validators import UnknownAnnotationError, schema_of, validated, validator_of
from runql_graphql.base_model import BaseModel as GeneratedModel
from runql_graphql.list_artifact_versions import ListArtifactVersions
from runql_graphql.list_full_runs import ListFullRuns

# What only serializers and JSON schemas read, and defaults of pydantic's own.
OF_OTHERS = {"computed_fields", "custom_init", "metadata", "ref", "root_model", "serialization_alias"}


def generated_models() -> list[type[BaseModel]]:
    """Every model of the generated package."""
    for module in pkgutil.walk_packages(runql_graphql.__path__, "runql_graphql."):
        importlib.import_module(module.name)
    return sorted({*below(GeneratedModel)}, key=lambda model: f"{model.__module__}.{model.__name__}")


def below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The subclasses of a model, and theirs."""
    for each in model.__subclasses__():
        if each.__module__.startswith("runql_graphql."):
            yield each
            yield from below(each)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Whether it is a list."""
    return isinstance(value, list)


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:  # Any: schemas of pydantic are open dicts
    """Whether it is a dict."""
    return isinstance(value, dict)


def compared(schema: object, shared: dict[str, Any]) -> object:  # Any: schemas of pydantic are open dicts
    """A schema without what is not compared, and with what it refers to in place of the reference."""
    if is_list(schema):
        return [compared(value, shared) for value in schema]
    if not is_dict(schema):
        return schema
    parts = schema
    if parts.get("type") == "definitions":
        return compared(parts["schema"], shared | {each["ref"]: each for each in parts["definitions"]})
    if parts.get("type") == "definition-ref":
        return compared(shared[parts["schema_ref"]], shared)
    return {name: compared(value, shared) for name, value in parts.items() if name not in OF_OTHERS}


def test_each_schema_is_the_one_that_pydantic_makes() -> None:
    checked = 0
    for model in generated_models():
        try:
            own = schema_of(model)
        except UnknownAnnotationError:
            continue
        model.model_rebuild()
        assert compared(own, {}) == compared(model.__pydantic_core_schema__, {}), model
        checked += 1
    assert checked > 200


def test_a_list_of_runs_is_among_them() -> None:
    assert validator_of(ListFullRuns) is not None


def test_pydantic_reads_what_it_alone_understands() -> None:
    assert validator_of(ListArtifactVersions) is None
    assert validated(ListArtifactVersions, {"project": None}) == ListArtifactVersions(project=None)
    with pytest.raises(ValidationError, match="project"):
        validated(ListArtifactVersions, {})


def test_models_of_others_keep_their_own_validators() -> None:
    class Doubling(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def double(cls, number: int) -> int:
            return 2 * number

    assert validated(Doubling, {"number": 2}).number == 4
