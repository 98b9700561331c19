"""The dtypes that a caller asks for by name, and the values that fit them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from runql.arguments import shown
from runql.errors import FrameValueError
from runql.frames.dtypes import (
    EXACT_IN_FLOAT,
    INT64_MAX,
    INT64_MIN,
    UINT64_MAX,
    ScalarType,
    as_string,
    convert_values,
)
from runql.quick_dataclasses import dataclass
from runql.values import SPELLED_FLOATS, JSONValue

if TYPE_CHECKING:
    import polars as pl

Schema: TypeAlias = Mapping[str, object]
"""Column to dtype: ``bool``, ``int``, ``float``, ``str``, or such a dtype of polars, pyarrow, numpy or pandas.

The dtype is an ``object`` for type checkers: a signature that named a class of polars would be unknown in part to who
installed pandas alone. What is no dtype is refused at the call, before anything is sent.
"""

Numeric: TypeAlias = Literal[
    "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64"
]
DTypeName: TypeAlias = Literal["Boolean", "String"] | Numeric
Source: TypeAlias = Literal["python", "polars", "pyarrow", "numpy", "pandas"]

FLOAT32_MAX: Final = (2 - 2**-23) * 2.0**127

_BOUNDS: Final[Mapping[Numeric, tuple[int, int]]] = {
    "Int8": (-(2**7), 2**7 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "Int64": (INT64_MIN, INT64_MAX),
    "UInt8": (0, 2**8 - 1),
    "UInt16": (0, 2**16 - 1),
    "UInt32": (0, 2**32 - 1),
    "UInt64": (0, UINT64_MAX),
}
_NUMBERS: Final[Mapping[str, Numeric]] = {
    **{name.lower(): name for name in _BOUNDS},
    "float32": "Float32",
    "float64": "Float64",
}
_ARROW: Final[Mapping[str, DTypeName]] = {
    **_NUMBERS,
    "bool": "Boolean",
    "float": "Float32",
    "double": "Float64",
    "string": "String",
    "large_string": "String",
    "string_view": "String",
}
_NUMPY: Final[Mapping[str, DTypeName]] = {**_NUMBERS, "bool": "Boolean", "bool_": "Boolean"}
_PANDAS: Final[Mapping[str, DTypeName]] = {
    **{name: name for name in _NUMBERS.values()},
    "boolean": "Boolean",
    "string": "String",
    "str": "String",
}
_POLARS: Final[Mapping[str, DTypeName]] = {
    **{name: name for name in _NUMBERS.values()},
    "Boolean": "Boolean",
    "String": "String",
}
_PYTHON: Final[Mapping[object, DTypeName]] = {
    bool: "Boolean",
    int: "Int64",
    float: "Float64",
    str: "String",
}
_LIBRARIES: Final[Mapping[str, tuple[Source, Mapping[str, DTypeName]]]] = {
    "polars": ("polars", _POLARS),
    "pyarrow": ("pyarrow", _ARROW),
    "numpy": ("numpy", _NUMPY),
    "pandas": ("pandas", _PANDAS),
}


class UnfitValueError(ValueError):
    """A value that a dtype does not hold.

    Attributes:
        place: among the values that were converted together, from 0.
        value: as the server sent it.
    """

    def __init__(self, place: int, value: JSONValue) -> None:
        self.place: int = place
        self.value: JSONValue = value
        super().__init__(place, value)


@dataclass(frozen=True, slots=True)
class AskedType:
    """A dtype that a caller asks for.

    Attributes:
        name: what it holds, under the name that polars has for it.
        source: whose dtype was given.
        given: the dtype as it was given.
    """

    name: DTypeName
    source: Source = "python"
    given: object = field(default=None, compare=False)

    @classmethod
    def checked(cls, column: str, given: object) -> Self:
        """Read a dtype.

        Raises:
            TypeError: it is no dtype, or one of other values than booleans, numbers and strings.
        """
        found = _read_dtype(given)
        if found is None:
            raise TypeError(
                f"schema cannot make column {shown(column)} of {shown(given)}: use bool, int, float or str, or a dtype "
                "of booleans, numbers or strings of polars, pyarrow, numpy or pandas; leave out other columns, whose "
                "types follow from their values"
            )
        name, source = found
        return cls(name, source, given)

    @property
    def stored(self) -> ScalarType:
        """The type that the values have in a `runql.frames.columns.Column`."""
        if self.name in ("Float32", "Float64"):
            return ScalarType.FLOAT64
        if self.name == "Boolean":
            return ScalarType.BOOL
        if self.name == "String":
            return ScalarType.STRING
        return ScalarType.UINT64 if self.name == "UInt64" else ScalarType.INT64

    @property
    def label(self) -> str:
        """The dtype in an error message."""
        return self.given.__name__ if isinstance(self.given, type) else str(self.given or self.name)

    def convert(self, values: Sequence[JSONValue]) -> Sequence[JSONValue]:
        """The values as the type stores them; None stays None.

        ========  ===================================================================================
        bool      bool
        int       int and bool; a whole float; in the bounds of the dtype
        float     float; int and bool where a float holds them exactly; ``NaN``, ``Infinity`` as str
        str       str; the JSON of any other value
        ========  ===================================================================================

        Raises:
            UnfitValueError: a value does not fit.
        """
        kinds = {*map(type, values)} - {type(None)}
        if self.name in ("Int64", "Float64", "Boolean") and kinds <= {_OWN[self.name]}:
            if self.name != "Int64" or all(
                INT64_MIN <= value <= INT64_MAX for value in values if isinstance(value, int)
            ):
                return values
        elif self.name == "String":
            return convert_values(values, ScalarType.STRING)
        fit = self._converter()
        converted: list[JSONValue] = []
        for place, value in enumerate(values):
            if value is None:
                converted.append(None)
                continue
            new = fit(value)
            if new is None:
                raise UnfitValueError(place, value)
            converted.append(new)
        return converted

    def fits(self, cells: Sequence[JSONValue] | pl.Series) -> bool:
        """Whether `convert` and `convert_series` accept all of the cells."""
        try:
            if isinstance(cells, Sequence):
                self.convert(cells)
            else:
                self.convert_series(cells)
        except UnfitValueError:
            return False
        return True

    def convert_series(self, cells: pl.Series) -> Sequence[JSONValue] | pl.Series:
        """As `convert`, for a series; without Python code for each value where all of them fit."""
        import polars as pl  # noqa: PLC0415 - optional: the cells are a series of it, so it is installed

        found = str(cells.dtype)
        target = {
            "Int64": pl.Int64(),
            "Float64": pl.Float64(),
            "Boolean": pl.Boolean(),
            "String": pl.String(),
        }
        stored = {ScalarType.INT64: "Int64", ScalarType.FLOAT64: "Float64", ScalarType.BOOL: "Boolean"}
        wanted = stored.get(self.stored, "String" if self.name == "String" else "")
        is_known = wanted == found or {wanted, found} == {"Int64", "Float64"}
        if not is_known or not self._holds_range(cells):
            return self.convert(cells.to_list())
        return cells if wanted == found else cells.cast(target[wanted])

    def _holds_range(self, cells: pl.Series) -> bool:
        """Whether the type surely holds all numbers of a series of integers or floats; True for other series."""
        if not cells.dtype.is_numeric():
            return True
        if self.name == "Float64" and cells.dtype.is_float():
            return True
        if self.stored is ScalarType.INT64 and cells.dtype.is_float():
            known = cells.drop_nulls()
            if not (known.is_finite().all() and (known % 1 == 0).all()):
                return False
        if self.stored is ScalarType.FLOAT64 and cells.dtype.is_float():
            known = cells.drop_nulls()
            cells = known.filter(known.is_finite())
        low, high = cells.min(), cells.max()
        if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
            return True
        least, most = self._range(exact=not (self.stored is ScalarType.INT64 and cells.dtype.is_integer()))
        return least <= low and high <= most

    def _range(self, *, exact: bool) -> tuple[float, float]:
        if self.name == "Float32" and exact:
            return -FLOAT32_MAX, FLOAT32_MAX
        low, high = _bounds(self.name)
        return (max(low, -EXACT_IN_FLOAT), min(high, EXACT_IN_FLOAT)) if exact else (low, high)

    def _converter(self) -> Callable[[JSONValue], JSONValue]:
        """What returns a value as the type stores it, None where it does not fit."""
        if self.name == "Boolean":
            return lambda value: value if isinstance(value, bool) else None
        if self.name == "String":
            return as_string
        if self.name == "Float64":
            return _exact_float
        if self.name == "Float32":
            return _float32
        low, high = _bounds(self.name)

        def as_integer(value: JSONValue) -> int | None:
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            return int(value) if isinstance(value, int) and low <= value <= high else None

        return as_integer


@dataclass(frozen=True, slots=True)
class FrameSchema:
    """The checked ``schema`` of a call that makes a frame.

    Attributes:
        types: of the columns that were named; each of them is a column of the frame.
        run: entity, project and id of the run; empty where the rows are of many runs.
    """

    types: Mapping[str, AskedType] = field(default_factory=dict[str, AskedType])
    run: str = ""

    @classmethod
    def checked(cls, schema: Schema | None, columns: Collection[str] | None, run: str = "") -> Self:
        """Check what a caller gave.

        Args:
            schema: column to dtype.
            columns: all columns that the frame can have; None where it may have any.
            run: see `FrameSchema`.

        Raises:
            TypeError: no mapping, a name that is no str, a dtype that is none.
            ValueError: a column that the frame does not have.
        """
        if schema is None:
            return cls({}, run)
        if not isinstance(schema, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f'schema must be a mapping such as {{"loss": float}}, not {shown(schema)}')
        types: dict[str, AskedType] = {}
        for name, given in schema.items():
            if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] — as above
                raise TypeError(f"schema must name columns by str, not {shown(name)}")
            if columns is not None and name not in columns:
                raise ValueError(
                    f"schema names {shown(name)}, which is no column of this frame: "
                    f"it has {', '.join(map(repr, columns))}; add it to keys, or leave it out of schema"
                )
            types[name] = AskedType.checked(name, given)
        return cls(types, run)

    def error(self, column: str, asked: AskedType, value: JSONValue, run: JSONValue) -> FrameValueError:
        """The error for a value that does not fit; ``run`` is the id in its row, where it has one."""
        return FrameValueError(str(run or self.run), column, value, asked.label)


NO_SCHEMA: Final = FrameSchema()

_OWN: Final[Mapping[str, type]] = {"Int64": int, "Float64": float, "Boolean": bool}


def refuse_schema(schema: object, where: str) -> None:
    """Refuse a schema where rows come as dicts.

    Raises:
        ValueError: one was given.
    """
    if schema is not None:
        raise ValueError(
            f"schema needs a frame: {where} returns dicts, whose values are as the server sent them"
        )


def _bounds(name: DTypeName) -> tuple[int, int]:
    """The least and the most integer of a type; of floats, those that each float up to there holds exactly."""
    for integer, bounds in _BOUNDS.items():
        if integer == name:
            return bounds
    return -EXACT_IN_FLOAT, EXACT_IN_FLOAT


def _read_dtype(given: object) -> tuple[DTypeName, Source] | None:
    if isinstance(given, str):
        return _read_name(given)
    if isinstance(given, type) and given in _PYTHON:
        return _PYTHON[given], "python"
    kind: object = given if isinstance(given, type) else type(given)
    library = _LIBRARIES.get(str(getattr(kind, "__module__", "")).partition(".")[0])
    if library is None:
        return None
    source, names = library
    if source == "pandas":
        own: object = getattr(given, "name", None)
        arrow = str(own).removesuffix("[pyarrow]")
        name = names.get(str(own)) or (_ARROW.get(arrow) if arrow != own else None)
    elif isinstance(given, type):
        name = names.get(given.__name__)
    else:
        name = names.get(str(given))
    return None if name is None else (name, source)


def _read_name(given: str) -> tuple[DTypeName, Source] | None:
    """A dtype by the name that numpy or pandas has for it."""
    if given in _NUMPY:
        return _NUMPY[given], "numpy"
    return (_PANDAS[given], "pandas") if given in _PANDAS else None


def _exact_float(value: JSONValue) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        try:
            return float(value) if int(float(value)) == value else None
        except OverflowError:
            return None
    return SPELLED_FLOATS.get(value) if isinstance(value, str) else None


def _float32(value: JSONValue) -> float | None:
    number = _exact_float(value)
    if number is None or (math.isfinite(number) and abs(number) > FLOAT32_MAX):
        return None
    return number
