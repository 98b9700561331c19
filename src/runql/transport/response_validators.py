"""Validators of responses, made from our generated models without pydantic's search for plugins."""

# Pydantic looks for plugins in the metadata of every installed package before it builds a process's first model. That
# takes longer than the models do, and no plugin has anything to do with responses.

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Final, ForwardRef, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator, core_schema

from runql_graphql.base_model import BaseModel as GeneratedModel

M = TypeVar("M", bound=BaseModel)

_SCALARS: Final[Mapping[object, CoreSchema]] = {
    bool: core_schema.bool_schema(),
    float: core_schema.float_schema(),
    int: core_schema.int_schema(),
    object: core_schema.any_schema(),
    str: core_schema.str_schema(),
}


class UnknownAnnotationError(Exception):
    """Pydantic alone knows what the annotation of a field means."""


def validated(model: type[M], data: object) -> M:
    """Return data as an instance of a model.

    Raises:
        pydantic.ValidationError: it does not fit.
    """
    validator = validator_of(model)
    if validator is None:
        return model.model_validate(data)
    found: M = validator.validate_python(data)
    return found


@cache
def validator_of(model: type[BaseModel]) -> SchemaValidator | None:
    """The validator of a generated model; None for another model, whose validators and plugins are its author's."""
    try:
        return SchemaValidator(schema_of(model)) if issubclass(model, GeneratedModel) else None
    except UnknownAnnotationError:
        return None


def schema_of(model: type[BaseModel]) -> CoreSchema:
    """The schema that pydantic makes of a generated model, without what only its serializers read."""
    fields = {name: _field(model, name, each) for name, each in model.model_fields.items()}
    return core_schema.model_schema(
        model,
        core_schema.model_fields_schema(fields, model_name=model.__name__),
        config=core_schema.CoreConfig(
            title=model.__name__, coerce_numbers_to_str=True, validate_by_alias=True, validate_by_name=True
        ),
    )


def _field(model: type[BaseModel], name: str, field: FieldInfo) -> core_schema.ModelField:
    if field.metadata or field.default_factory is not None:
        raise UnknownAnnotationError
    schema = _checked(model, name, _value(model, field.annotation))
    if not field.is_required():
        schema = core_schema.with_default_schema(schema, default=field.default)
    return core_schema.model_field(schema, validation_alias=field.alias)


def _checked(model: type[BaseModel], name: str, schema: CoreSchema) -> CoreSchema:
    """Add the checks of a field that the generator wrote: those of the shape for the other types of a union."""
    for method, decorator in model.__pydantic_decorators__.field_validators.items():
        if name in decorator.info.fields:
            if decorator.info.mode != "after":
                raise UnknownAnnotationError
            schema = core_schema.no_info_after_validator_function(getattr(model, method), schema)
    return schema


def _value(model: type[BaseModel], annotation: object) -> CoreSchema:
    if isinstance(annotation, (str, ForwardRef)):
        annotation = _named(model, annotation if isinstance(annotation, str) else annotation.__forward_arg__)
    scalar = _SCALARS.get(annotation) if isinstance(annotation, type) else None
    if scalar is not None:
        return scalar
    if isinstance(annotation, type) and issubclass(annotation, GeneratedModel):
        return schema_of(annotation)
    arguments = get_args(annotation)
    if get_origin(annotation) is list:
        return core_schema.list_schema(_value(model, arguments[0]))
    if get_origin(annotation) in (Union, UnionType) and len(arguments) == 2 and arguments[1] is NoneType:
        return core_schema.nullable_schema(_value(model, arguments[0]))
    raise UnknownAnnotationError


def _named(model: type[BaseModel], name: str) -> object:
    """What a name in an annotation means: a field may come from a fragment in another module."""
    for module in (sys.modules[each.__module__] for each in model.__mro__):
        found: object = getattr(module, name, None)
        if found is not None:
            return found
    raise UnknownAnnotationError
