"""The options of `runql drift` and `runql drift responses`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import typer

from runql.cli.console.failures import help_end
from runql.cli.exit_codes import COULD_NOT_CHECK, EXIT_CODES, CheckExit
from runql.errors import MissingExtraError

# As `runql.drift` names them; what is there is loaded when a check runs.
ReportFormat: TypeAlias = Literal["text", "json", "github", "sarif", "junit", "markdown"]
APPROVALS_FILE: Final = "drift-approvals.toml"

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="base URL of the server to check, such as https://wandb.example.com; WANDB_API_KEY holds the key; "
        "by default no server is asked",
        show_default=False,
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--allow-insecure",
        help="send the key to another machine over plain HTTP, as in `--url http://wandb.lan --allow-insecure`; off by default",
    ),
]
FormatOption = Annotated[
    ReportFormat, typer.Option("--format", help="format of the report, such as junit for CI")
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="fail also on changes that no checked operation uses, as in `--url URL --strict`; off by default",
    ),
]
ApprovalsOption = Annotated[
    Path | None,
    typer.Option(
        "--approvals",
        help=f"TOML file of approved changes, such as ci/approved.toml; by default {APPROVALS_FILE}, if it exists",
        show_default=False,
    ),
]

UnprovedOption = Annotated[
    bool,
    typer.Option(
        "--allow-unproved",
        help="pass where the server accepts an operation but does not reveal every type, as in "
        "`--url URL --allow-unproved`; by default the check ends with 2",
    ),
]

AlsoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--also",
        metavar="FORMAT=FILE",
        help="write the report to a file, too, such as sarif=drift.sarif; may be repeated; by default to none",
        show_default=False,
    ),
]

drift: typer.Typer = typer.Typer(
    add_completion=False,
    help="Check whether your GraphQL operations still work on a server.",
    epilog=help_end(
        "runql drift --url https://api.wandb.ai",
        "runql drift --schema new.graphql --strict --format markdown",
        "runql drift --queries queries --only-mine --known old.graphql --schema new.graphql",
        exit_codes=EXIT_CODES,
    ),
)


@drift.callback(invoke_without_command=True)
def check(
    context: typer.Context,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            help="schema to check instead of a server's: an SDL file, or the JSON of an introspection, such as "
            "new.graphql; by default that of --url, and with --queries alone the one that runql was built with",
            show_default=False,
        ),
    ] = None,
    url: UrlOption = None,
    bearer: Annotated[
        str | None,
        typer.Option(
            "--bearer",
            metavar="VARIABLE",
            help="environment variable with the token of another API, such as GITHUB_TOKEN; by default requests carry "
            "the key of W&B",
            show_default=False,
        ),
    ] = None,
    allow_insecure: InsecureOption = False,
    no_introspection: Annotated[
        bool,
        typer.Option(
            "--no-introspection",
            help="find the schema by test queries instead of introspection, as in `--url URL --no-introspection`; "
            "by default only where the server refuses introspection",
        ),
    ] = False,
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries",
            help="your own operations, a .graphql file or a folder of them, such as ./queries; by default the check "
            "covers runql's operations alone",
            show_default=False,
        ),
    ] = None,
    only_mine: Annotated[
        bool,
        typer.Option(
            "--only-mine",
            help="leave runql's own operations out, for a server of any kind, as in `--queries queries --only-mine`; "
            "off by default",
        ),
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            help="schema that your operations were written against, such as old.graphql, with --only-mine; by default "
            "the schema that runql was built with",
            show_default=False,
        ),
    ] = None,
    strict: StrictOption = False,
    allow_unproved: UnprovedOption = False,
    max_seconds: Annotated[
        float,
        typer.Option(
            "--max-seconds",
            min=0,
            help="begin no further test query after this time, as in `--url URL --max-seconds 300`; what is left could not be checked",
        ),
    ] = 60.0,
    report_format: FormatOption = "text",
    approvals: ApprovalsOption = None,
    also: AlsoOption = None,
    update: Annotated[
        Path | None,
        typer.Option(
            "--update",
            help="write the new schema and a changelog line to this SDL file, such as schema/wandb.graphql; "
            "by default nothing is written",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check a server's schema, or a schema file, against the operations of runql and yours."""
    if context.invoked_subcommand is not None:
        return
    _require_graphql()
    from runql.cli.checking import checks  # noqa: PLC0415 - `--help` needs none of it

    checks.check_schema(
        checks.Output(report_format, strict, url or str(schema), approvals=approvals),
        also or (),
        checks.SchemaCheck(
            schema=schema,
            url=url,
            queries=queries,
            only_mine=only_mine,
            known=known,
            introspection=not no_introspection,
            update=update,
            bearer=bearer,
            allow_insecure=allow_insecure,
            allow_unproved=allow_unproved,
            most_seconds=max_seconds,
        ),
    )


@drift.command(
    epilog=help_end(
        "runql drift responses tests/cassettes",
        "runql drift responses --url https://api.wandb.ai --project team/digits",
        exit_codes=EXIT_CODES,
    )
)
def responses(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="recordings of vcrpy, or folders of them, such as tests/cassettes; by default none, see --url",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            help="schema that the responses must fit: an SDL file, or the JSON of an introspection, such as "
            "new.graphql; by default the schema that runql was built with",
            show_default=False,
        ),
    ] = None,
    url: UrlOption = None,
    allow_insecure: InsecureOption = False,
    project: Annotated[
        str | None,
        typer.Option(
            "--project",
            help="project to read from with --url, such as my-team/vision; no default",
            show_default=False,
        ),
    ] = None,
    strict: StrictOption = False,
    report_format: FormatOption = "text",
    approvals: ApprovalsOption = None,
    also: AlsoOption = None,
) -> None:
    """Check recorded or live responses strictly: unknown fields, nulls, new enum values, changed JSON inside."""
    _require_graphql()
    from runql.cli.checking import checks  # noqa: PLC0415 - as above

    checks.check_responses(
        checks.Output(
            report_format, strict, url or ", ".join(str(path) for path in paths or ()), approvals=approvals
        ),
        also or (),
        paths or (),
        schema,
        url,
        project,
        allow_insecure=allow_insecure,
    )


def _require_graphql() -> None:
    if find_spec("graphql") is None:
        typer.echo(MissingExtraError("graphql-core", extra="drift", needed_for="runql drift"), err=True)
        raise CheckExit(COULD_NOT_CHECK)
