"""`runql show`: one run, artifact or sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from runql.cli.console.failures import AskedWronglyError, help_end, reporting
from runql.cli.console.rows import ForceOption, FormatOption, OutputOption, checked_format, write_object
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.reading.columns import ARTIFACTS, RUNS, SWEEPS
from runql.cli.reading.places import Place, parse_place
from runql.values import JSONValue

if TYPE_CHECKING:
    from runql.resources.api import Api

HELP_END: Final = help_end(
    "runql show team/digits/1a2b3c",
    "runql show team/digits/mlp:v3 --format json",
    "runql show team/digits/sweeps/9x8y7z",
)


def show(
    path: Annotated[
        str,
        typer.Argument(
            help="a run ENTITY/PROJECT/ID, an artifact ENTITY/PROJECT/NAME:VERSION, a sweep ENTITY/PROJECT/sweeps/ID, "
            "or the URL of one",
            show_default=False,
        ),
    ],
    format: FormatOption = None,  # noqa: A002 - the option's name
    output: OutputOption = None,
    force: ForceOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Show every field of a run, an artifact or a sweep, with config and summary; one request."""
    with reporting("show"):
        place = parse_place(path)
        chosen = checked_format(format, output, force=force)
        if place.kind in {"entity", "project"}:
            raise AskedWronglyError(
                f"{path} is no run, artifact or sweep: give ENTITY/PROJECT/ID, or use `runql ls {path}`"
            )
        with session(base_url) as api:
            write_object(_fields(api, place), chosen, output, force=force)


def _fields(api: Api, place: Place) -> dict[str, JSONValue]:
    match place.kind:
        case "artifact":
            return ARTIFACTS.select([*ARTIFACTS.fields]).row(api.artifact(place.path))
        case "sweep":
            return SWEEPS.select([*SWEEPS.fields]).row(api.sweep(place.path))
        case _:
            return RUNS.select([*RUNS.fields]).row(api.run(place.path))
