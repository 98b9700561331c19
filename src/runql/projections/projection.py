"""A type compiled into a projection: which keys it reads, and how values become instances of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from types import GenericAlias
from typing import (
    Any,
    Final,
    Generic,
    NotRequired,
    Required,
    TypeGuard,
    TypeVar,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from pydantic import (
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError, SchemaError, to_json

from runql.arguments import shown
from runql.projections.misfits import Misfit, misfits, type_name
from runql.projections.shapes import NoProjectionError, Schema, SchemaReader, Shape, as_schema
from runql.projections.values import pick
from runql.values import JSONValue

T = TypeVar("T")

_MARKS: Final[tuple[Any, Any]] = (
    Required,
    NotRequired,
)  # Any: a special form has no type that can be indexed

# Of a str with half of a surrogate pair, a value nested too deeply, or an object that a caller put into a config.
NO_JSON = (PydanticSerializationError, ValueError, RecursionError)
ERROR_HEAD: Final = "Error serializing to JSON: "
REFUSALS = (
    NoProjectionError,
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    SchemaError,
    NameError,
)


class MisfitError(Exception):
    """Values do not fit the type.

    Attributes:
        misfits: at least one.
    """

    def __init__(self, found: Sequence[Misfit]) -> None:
        self.misfits: tuple[Misfit, ...] = tuple(found)
        super().__init__(self.misfits)


class Projection(Generic[T]):
    """A type whose fields name keys of a config, a summary or a row.

    Values are checked as JSON, strictly: an int is a float, a bool is no int, a str is no number. NaN and infinities
    are floats, and keys that the type does not name are ignored.

    Attributes:
        kind: the type.
        shape: its fields.
    """

    def __init__(self, kind: type[T]) -> None:
        if not _is_type(kind):
            raise NoProjectionError("it is no type")
        accepted = _accepted(kind)
        self.kind = kind
        self._one: TypeAdapter[T] = TypeAdapter(accepted)
        self._one.rebuild()
        many: object = GenericAlias(list, (accepted,))
        self._many: TypeAdapter[list[T]] | None = TypeAdapter(many) if _is_list_of(many, kind) else None
        self._schema: Schema = as_schema(self._one.core_schema)
        self._reader = SchemaReader()
        self.shape: Shape = self._reader.shape(self._schema)
        self._is_flat = self.shape.is_flat
        self._is_of_numbers = self._is_flat and self._reader.holds_numbers(self._schema)

    def __reduce__(self) -> tuple[object, ...]:
        return projection_of, ("row", self.kind)

    def read(self, values: Mapping[str, JSONValue]) -> T:
        """Return an instance with the values that the type names.

        Raises:
            MisfitError: one does not fit.
        """
        picked = pick(self.shape, values)
        try:
            encoded = to_json(picked)
        except NO_JSON:
            raise MisfitError([*self._without_json(picked)]) from None
        try:
            return self._one.validate_json(encoded, strict=True)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            raise MisfitError(misfits(self._reader, self._schema, details)) from None

    def _without_json(self, picked: Mapping[str, JSONValue]) -> Iterator[Misfit]:
        for each in self.shape.fields:
            for path in each.paths:
                value = picked.get(path[0])
                try:
                    to_json(value)
                except NO_JSON as error:
                    reason = f"it has no JSON form ({str(error).removeprefix(ERROR_HEAD)})"
                    expected = type_name(self._reader, each.schema)
                    yield Misfit(path[0], value, expected, is_missing=False, reason=reason)

    def read_rows(self, rows: Sequence[dict[str, JSONValue]]) -> list[T] | None:
        """Return an instance for each row; None where one does not fit, which `read` then names."""
        if self._many is None:
            return None
        try:
            if self._is_of_numbers:
                # Twice as fast as JSON; what differs between both, such as an int beyond all floats, fails here.
                return self._many.validate_python(rows, strict=True)
            encoded = to_json(rows if self._is_flat else [pick(self.shape, row) for row in rows])
            return self._many.validate_json(encoded, strict=True)
        except (*NO_JSON, ValidationError):
            return None


@lru_cache(maxsize=256)
def _compiled(kind: Hashable) -> object:
    return Projection(kind) if _is_type(kind) else None


def projection_of(name: str, kind: type[T]) -> Projection[T]:
    """Compile the type that a caller gave as the argument ``name``.

    Raises:
        TypeError: it has no fields that name keys, or pydantic cannot check values against it.
    """
    try:
        known = _known(kind)
        return known if _compiles(known, kind) else Projection(kind)
    except REFUSALS as error:
        reason = str(error).partition("\n")[0]
        raise TypeError(
            f"{name} must be a type with fields, such as a pydantic model, a dataclass, a TypedDict or a NamedTuple, "
            f"not {shown(kind)}: {reason}"
        ) from error


def _known(kind: object) -> object:
    return _compiled(kind) if _is_hashable(kind) else None


def _compiles(found: object, kind: type[T]) -> TypeGuard[Projection[T]]:
    return isinstance(found, Projection) and found.kind == kind  # pyright: ignore[reportUnknownMemberType] — of any type


def _is_type(kind: object) -> TypeGuard[type[object]]:
    """Whether an object is a class, a generic alias, a union or an alias of one of these."""
    return isinstance(kind, type) or get_origin(kind) is not None or hasattr(kind, "__value__")


def _is_list_of(alias: object, _kind: type[T]) -> TypeGuard[type[list[T]]]:
    return get_origin(alias) is list


def _is_hashable(kind: object) -> TypeGuard[Hashable]:
    try:
        hash(kind)
    except TypeError:
        return False
    return True


def _accepted(kind: type[T]) -> type[T]:
    """The type; of a `typing.TypedDict` before Python 3.12, the equal one that pydantic accepts."""
    if sys.version_info >= (3, 12) or not is_typeddict(kind) or type(kind).__module__ != "typing":
        return kind
    hints: dict[str, object] = get_type_hints(kind, include_extras=True)
    needed: frozenset[str] = getattr(kind, "__required_keys__", frozenset())
    fields = {
        key: hint if get_origin(hint) in _MARKS else _MARKS[key not in needed][hint]
        for key, hint in hints.items()
    }
    # pydantic needs the module too.
    make: Callable[[str, Mapping[str, object]], type[T]] = vars(import_module("typing_extensions"))[
        "TypedDict"
    ]
    return make(kind.__name__, fields)
