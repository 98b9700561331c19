"""The columns of a frame of runs: fields, config and summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, Self, TypeAlias

from runql.arguments import shown
from runql.frames.asked_types import FrameSchema, Schema
from runql.frames.columns import Column, Piece, requested_type
from runql.frames.dtypes import DType, ListType, ScalarType
from runql.frames.parquet.exported_values import lookup
from runql.frames.table import Table, asked_column
from runql.quick_dataclasses import dataclass
from runql.resources.runs.editing import EditableRun
from runql.values import JSONValue

Part: TypeAlias = Literal["config", "summary"]

PARTS: Final[Mapping[str, Part]] = {"config.": "config", "summary.": "summary"}

FIELDS: Final[Mapping[str, tuple[DType, Callable[[EditableRun], JSONValue]]]] = {
    "id": (ScalarType.STRING, lambda run: run.id),
    "name": (ScalarType.STRING, lambda run: run.name),
    "state": (ScalarType.STRING, lambda run: run.state),
    "created_at": (ScalarType.STRING, lambda run: run.created_at),
    "heartbeat_at": (ScalarType.STRING, lambda run: run.heartbeat_at),
    "user": (ScalarType.STRING, lambda run: run.user.username if run.user else None),
    "group": (ScalarType.STRING, lambda run: run.group),
    "job_type": (ScalarType.STRING, lambda run: run.job_type),
    "tags": (ListType(ScalarType.STRING), lambda run: [*run.tags]),
    "notes": (ScalarType.STRING, lambda run: run.notes),
    "sweep_name": (ScalarType.STRING, lambda run: run.sweep_name),
    "commit": (ScalarType.STRING, lambda run: run.commit),
    "history_line_count": (ScalarType.INT64, lambda run: run.history_line_count),
    "url": (ScalarType.STRING, lambda run: run.url),
}
"""The columns that every frame of runs can have, their types, and how a run has them."""

EVERYTHING: Final = (*FIELDS, "config.*", "summary.*")


@dataclass(frozen=True, slots=True)
class RunColumns:
    """The checked columns of a frame of runs.

    Attributes:
        names: columns, or ``config.*`` and ``summary.*`` for all keys that have no column of their own, by name.
        schema: the dtypes that the caller asked for.
    """

    names: Sequence[str]
    schema: FrameSchema

    @classmethod
    def checked(cls, columns: Sequence[str] | None, schema: Schema | None) -> Self:
        """Check what a caller gave.

        Raises:
            TypeError: ``columns`` is no list of str, ``schema`` no mapping of names to dtypes.
            ValueError: no column, an unknown one, or one twice; a column in ``schema`` that the frame does not have.
        """
        names = EVERYTHING if columns is None else _checked_names(columns)
        checked = FrameSchema.checked(schema, None)
        for name in checked.types:
            part = _part(name)
            if name.endswith(".*") or (name not in names and (part is None or f"{part}.*" not in names)):
                raise ValueError(
                    f"schema names {shown(name)}, which is no column of this frame: "
                    "add it to columns, or leave it out of schema"
                )
        return cls(names, checked)

    @property
    def needs_full(self) -> bool:
        """Whether a column needs the config or the summary."""
        return any(_part(name) is not None for name in self.names)

    @property
    def is_known(self) -> bool:
        """Whether all columns and their types are known before any run is read."""
        return all(name in FIELDS or name in self.schema.types for name in self.names)

    def table(self, runs: Sequence[EditableRun]) -> Table:
        """One row for each run, in their order.

        Raises:
            FrameValueError: a value does not fit the schema.
            UnreadableValueError: a config or a summary cannot be decoded.
        """
        values: dict[str, list[dict[str, JSONValue]]] = {
            "config": [run.config for run in runs] if self._has("config") else [],
            "summary": [run.summary_metrics for run in runs] if self._has("summary") else [],
        }
        return Table.from_columns(self._column(name, runs, values) for name in self._expanded(values))

    def _has(self, part: Part) -> bool:
        return any(_part(name) == part for name in self.names)

    def _expanded(self, values: Mapping[str, Sequence[Mapping[str, JSONValue]]]) -> Iterator[str]:
        """The names of all columns: those of all keys for ``config.*`` and ``summary.*``."""
        explicit = {*self.names}
        for name in self.names:
            if not name.endswith(".*"):
                yield name
                continue
            part = name.removesuffix("*")
            found = {part + key for row in values[part[:-1]] for key in row}
            asked = {each for each in self.schema.types if each.startswith(part)}
            yield from sorted((found | asked) - explicit)

    def _column(
        self,
        name: str,
        runs: Sequence[EditableRun],
        values: Mapping[str, Sequence[Mapping[str, JSONValue]]],
    ) -> Column:
        part = _part(name)
        if part is None:
            dtype, value_of = FIELDS[name]
            cells = [value_of(run) for run in runs]
        else:
            key = name.removeprefix(f"{part}.")
            cells, dtype = [lookup(row, key) for row in values[part]], None
        asked = self.schema.types.get(name)
        if asked is not None:
            labels: list[JSONValue] = [run.id for run in runs]
            return asked_column(name, asked, [Piece(0, cells)], len(runs), self.schema, [Piece(0, labels)])
        if dtype is not None:
            return Column.typed(name, dtype, cells)
        column = Column.inferred(name, cells)
        if name not in self.names:
            return column
        return Column(column.name, requested_type(name, column.dtype), column.cells)


def _part(name: str) -> Part | None:
    return next((part for prefix, part in PARTS.items() if name.startswith(prefix)), None)


def _checked_names(columns: Iterable[object]) -> tuple[str, ...]:
    if isinstance(columns, str) or not isinstance(columns, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(
            f"columns must be a list of names such as ['id', 'summary.loss'], not {shown(columns)}"
        )
    names: list[str] = []
    for name in columns:
        if not isinstance(name, str):
            raise TypeError(
                f"columns must be a list of names such as ['id', 'summary.loss'], not {shown(name)}"
            )
        if name not in FIELDS and (_part(name) is None or name in PARTS):
            raise ValueError(
                f"{shown(name)} is no column of runs: use {', '.join(FIELDS)}, config.<key>, summary.<key>, "
                "config.* or summary.*"
            )
        if name in names:
            raise ValueError(f"columns has {shown(name)} twice")
        names.append(name)
    if not names:
        raise ValueError("columns is empty: name a column such as 'id', or leave it out for all columns")
    return tuple(names)
