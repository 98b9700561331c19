"""Generates the files of a package in memory, by ariadne-codegen and its plugin."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ariadne_codegen.exceptions import CodeGenException
from ariadne_codegen.main import (
    client,  # pyright: ignore[reportUnknownVariableType] - its argument has no type
)
from graphql import GraphQLScalarType, GraphQLSchema, is_specified_scalar_type, print_schema

from runql.drift.schema.sources import known_sdl, load_schema
from runql.errors import DriftInputError
from runql_codegen.fragment_modules import read_generated, split_fragments
from runql_codegen.queries import Queries, check_queries, read_queries
from runql_codegen.settings import SCALARS, CodegenError, CodegenSettings

SCHEMA_FILE: Final = "wandb.graphql"
OWN_SCHEMA: Final = "the schema of runql"


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated package.

    Attributes:
        files: content by path inside the package.
        queries: what it was generated from.
        sdl: the schema it was generated with.
    """

    files: dict[str, bytes]
    queries: Queries
    sdl: str


def generate(settings: CodegenSettings, *, is_runtime: bool = False) -> Generated:
    """Generate a package, and write nothing.

    Args:
        settings: what to generate from what.
        is_runtime: generate `runql_graphql` itself, which holds `Operation`, `UNSET` and the SDL. Every other package
            imports them from `runql`.

    Raises:
        CodegenError: the schema or a query cannot be used.
    """
    queries = read_queries(settings)
    with TemporaryDirectory(prefix="runql-codegen-") as folder:
        schema_file = Path(folder) / SCHEMA_FILE
        schema, sdl = _schema(settings, schema_file)
        check_queries(queries, schema)
        schema_file.write_text(sdl, encoding="utf-8")
        query_file = Path(folder) / "queries.graphql"
        query_file.write_text("\n".join(queries.files.values()), encoding="utf-8")
        config = _ariadne_settings(settings, schema, schema_file, query_file, Path(folder), is_runtime)
        package = Path(folder) / settings.package.name
        try:
            with redirect_stdout(io.StringIO()):
                client(config)  # type: ignore[no-untyped-call]  # ariadne-codegen's
            if is_runtime:
                split_fragments(package, queries.fragments, settings.shown(settings.queries))
        except UnicodeEncodeError as error:
            raise CodegenError(
                f"{error.object[error.start : error.end]!r} has no place in this system's encoding, in which "
                "ariadne-codegen writes: set PYTHONUTF8=1"
            ) from error
        except (CodeGenException, TypeError) as error:
            raise CodegenError(f"{settings.shown(settings.queries)}: {error}") from error
        if is_runtime:
            (package / SCHEMA_FILE).write_text(sdl, encoding="utf-8")
        else:
            (package / "operation.py").unlink()
        (package / "py.typed").touch()
        files = {
            # Read as text: the files are the same on every system, in their encoding and line ends.
            path.relative_to(package).as_posix(): read_generated(path).encode()
            for path in sorted(package.rglob("*"))
            if path.is_file()
        }
    return Generated(files, queries, sdl)


def _schema(settings: CodegenSettings, file: Path) -> tuple[GraphQLSchema, str]:
    if settings.schema is None:
        file.write_text(known_sdl(), encoding="utf-8")
        return load_schema(file), known_sdl()
    try:
        schema = load_schema(settings.schema)
        content = settings.schema.read_text(encoding="utf-8")
    except DriftInputError as error:
        raise CodegenError(f"schema: {error}") from error
    is_introspection = settings.schema.suffix == ".json" or content.lstrip().startswith("{")
    return schema, f"{print_schema(schema)}\n" if is_introspection else content


def _ariadne_settings(
    settings: CodegenSettings,
    schema: GraphQLSchema,
    schema_file: Path,
    query_file: Path,
    target: Path,
    is_runtime: bool,
) -> dict[str, object]:
    labels = {
        str(query_file): settings.shown(settings.queries),
        str(schema_file): settings.shown(settings.schema) if settings.schema else OWN_SCHEMA,
    }
    plugin = "plugin.OperationFunctions" if is_runtime else "users_plugin.UsersOperationFunctions"
    table: dict[str, object] = {
        "schema_path": str(schema_file),
        "queries_path": str(query_file),
        "target_package_path": str(target),
        "target_package_name": settings.package.name,
        "client_name": "Operations",
        "client_file_name": "operations",
        "base_client_name": "Operation",
        "base_client_file_path": str(Path(__file__).with_name("operation.py")),
        "async_client": False,
        "include_comments": "stable",
        "include_all_inputs": False,
        "include_all_enums": False,
        "default_optional_fields_to_none": True,
        "include_typename": False,
        "defer_model_build": True,
        "multipart_uploads": False,
        "plugins": [f"runql_codegen.{plugin}"],
        "scalars": _scalars(settings, schema),
    }
    return {"tool": {"ariadne-codegen": table, "runql-codegen": {"labels": labels}}}


def _scalars(settings: CodegenSettings, schema: GraphQLSchema) -> dict[str, Mapping[str, str]]:
    custom = {
        name
        for name, each in schema.type_map.items()
        if isinstance(each, GraphQLScalarType) and not is_specified_scalar_type(each)
    }
    if unknown := sorted(set(settings.scalars) - custom):
        raise CodegenError(
            f"scalars: the schema has no scalar {unknown[0]}; it has {', '.join(sorted(custom))}"
        )
    # ariadne-codegen types what it does not know as Any.
    preset: dict[str, Mapping[str, str]] = {
        name: {"type": SCALARS.get(name, "object")} for name in sorted(custom)
    }
    return {**preset, **settings.scalars}
