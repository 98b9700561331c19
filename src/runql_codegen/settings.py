"""The table `[tool.runql.codegen]` of a pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path
from typing import Final, TypeGuard

TABLE: Final = "[tool.runql.codegen]"
EXAMPLE: Final = f'{TABLE} with queries = "queries" and package = "app/wandb"'
KEYS: Final = ("queries", "package", "schema", "scalars")
SCALARS: Final[Mapping[str, str]] = {
    "JSON": "object",
    "JSONString": "str",
    "DateTime": "str",
    "Int64": "int",
    "Duration": "float",
}
"""The Python types of the scalars in runql's own schema."""
SCALAR_KEYS: Final = ("type", "serialize", "parse", "import")


class CodegenError(ValueError):
    """A setting, a query or a folder that the generator cannot use; the message says what to do."""


@dataclass(frozen=True, slots=True)
class CodegenSettings:
    """What to generate from what.

    Attributes:
        root: the project's folder; every path below is in it unless the settings say otherwise.
        queries: a folder of `.graphql` and `.gql` files, or one file.
        package: the folder of the package to write; always below ``root``.
        schema: an SDL file or the JSON of an introspection; None for the SDL that runql was built with.
        scalars: Python types by scalar, as ariadne-codegen takes them.
    """

    root: Path
    queries: Path
    package: Path
    schema: Path | None = None
    scalars: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    def shown(self, path: Path) -> str:
        """Return a path relative to the project, with forward slashes: the same on each machine."""
        return Path(os.path.relpath(path, self.root)).as_posix()


def read_settings(config: Path) -> CodegenSettings:
    """Read and check the table of a pyproject.toml.

    Raises:
        CodegenError: the file or the table is missing, or a setting cannot be used.
    """
    table = _table(config)
    if unknown := sorted(set(table) - set(KEYS)):
        raise CodegenError(f"{config}: {TABLE} has no setting {unknown[0]!r}; it has {', '.join(KEYS)}")
    root = config.resolve().parent
    queries, package = (_path(config, table, key, root) for key in ("queries", "package"))
    schema = _path(config, table, "schema", root) if "schema" in table else None
    _check_package(config, root, package)
    for name, source in (("queries", queries), ("schema", schema)):
        if source is not None and (source == package or package in source.parents):
            raise CodegenError(f"{config}: {name} lies in the package: runql-codegen replaces that folder")
    return CodegenSettings(root, queries, package, schema, _scalars(config, table.get("scalars", {})))


def _table(config: Path) -> Mapping[str, object]:
    try:
        document: object = tomllib.loads(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CodegenError(f"{config} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise CodegenError(f"{config} is not TOML: {error}") from error
    for key in ("tool", "runql", "codegen"):
        document = document.get(key) if is_table(document) else None
    if not is_table(document):
        raise CodegenError(f"{config} has no table {TABLE}: add {EXAMPLE}")
    return document


def _path(config: Path, table: Mapping[str, object], key: str, root: Path) -> Path:
    value = table.get(key)
    if not isinstance(value, str) or not value or "\0" in value:
        raise CodegenError(f"{config}: {key} in {TABLE} must be a path, not {value!r}: write {EXAMPLE}")
    return (root / value).resolve()


def _check_package(config: Path, root: Path, package: Path) -> None:
    if package == root or not package.is_relative_to(root):
        raise CodegenError(
            f"{config}: package leaves the project: name a folder below {root}, such as app/wandb"
        )
    if not package.name.isidentifier() or iskeyword(package.name):
        raise CodegenError(
            f"{config}: {package.name!r} is no name of a package: write a path that ends in one, such as app/wandb"
        )


def _scalars(config: Path, given: object) -> dict[str, Mapping[str, str]]:
    if not is_table(given):
        raise CodegenError(f'{config}: scalars must be a table, such as DateTime = "datetime.datetime"')
    found: dict[str, Mapping[str, str]] = {}
    for name, value in given.items():
        parts = {"type": value} if isinstance(value, str) else value
        if not _is_scalar(parts):
            raise CodegenError(
                f'{config}: scalar {name} must be a type such as "datetime.datetime", or a table of '
                f"{', '.join(SCALAR_KEYS)} with a type"
            )
        found[name] = parts
    return found


def is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a value that was read from TOML or JSON is an object with named members."""
    return isinstance(value, dict)


def _is_scalar(value: object) -> TypeGuard[Mapping[str, str]]:
    return (
        is_table(value)
        and "type" in value
        and set(value) <= set(SCALAR_KEYS)
        and all(isinstance(part, str) and part for part in value.values())
    )
