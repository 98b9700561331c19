"""The command `runql-codegen`, which writes a package of typed operations, or checks that it is current."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from runql.version import __version__
from runql_codegen.generate import generate
from runql_codegen.package_folder import differences, refuse_foreign, replace_folder, stamped
from runql_codegen.settings import CodegenError, read_settings

STALE: Final = 1
NOT_USABLE: Final = 2
EXIT_CODES: Final = """Exit codes:

0 the package is current, or was written

1 with --check: the package is stale

2 a setting, a query, the schema or the folder of the package cannot be used
"""

app = typer.Typer(add_completion=False)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"runql-codegen {__version__}")
        raise typer.Exit


@app.command(epilog=EXIT_CODES)
def run(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="write nothing, and fail if the package is stale, as CI does; off by default"
        ),
    ] = False,
    config: Annotated[
        Path,
        typer.Option("--config", help="file with the table [tool.runql.codegen], such as app/pyproject.toml"),
    ] = Path("pyproject.toml"),
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="print runql's version and exit"
        ),
    ] = False,
) -> None:
    """Generate a typed function for each GraphQL query of your project."""
    del version
    try:
        settings = read_settings(config)
        shown = settings.shown(settings.package)
        generated = generate(settings)
        files = stamped(settings, generated)
        reasons = differences(settings.package, shown, files)
        if reasons and not check:
            refuse_foreign(settings.package, shown)
            replace_folder(settings.package, files)
    except CodegenError as error:
        for line in str(error).splitlines():
            typer.echo(f"runql-codegen: {line}", err=True)
        raise typer.Exit(NOT_USABLE) from error
    count = len(generated.queries.operations)
    amount = f"{count} operation{'s' if count != 1 else ''}"
    if not reasons:
        typer.echo(f"{shown} is current: {amount}")
    elif check:
        for reason in reasons:
            typer.echo(f"runql-codegen: {reason}", err=True)
        typer.echo(f"runql-codegen: {shown} is stale: run runql-codegen and commit what it writes", err=True)
        raise typer.Exit(STALE)
    else:
        typer.echo(f"wrote {shown}: {amount}, {len(files)} files")
