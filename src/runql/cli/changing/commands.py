"""`runql tag`, `untag`, `set` and `delete`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from runql.cli.changing.changes import Change, Deleting, Setting, Tagging
from runql.cli.changing.work import Target, Work
from runql.cli.console.failures import FAILED, help_end, reporting
from runql.cli.console.rows import Format, FormatOption, checked_format
from runql.cli.console.session import BaseUrlOption, session

PathArgument: TypeAlias = Annotated[
    str,
    typer.Argument(help="ENTITY/PROJECT with --filter, or one run ENTITY/PROJECT/ID", show_default=False),
]
FilterOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="""the runs to change, such as 'config.lr < 0.01 and state == "failed"'; no default""",
        show_default=False,
    ),
]
AllOption: TypeAlias = Annotated[
    bool, typer.Option("--all", help="change every run of the project, as in `--all --yes`; off by default")
]
YesOption: TypeAlias = Annotated[
    bool,
    typer.Option("--yes", help="do it, as in `--filter FILTER --yes`; by default show what would change"),
]
LogOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="note each run that is done in this file, such as tagged.jsonl, and leave out those that are; "
        "by default nothing is noted",
        show_default=False,
    ),
]

TAG_END: Final = help_end(
    "runql tag team/digits best --filter 'summary.acc > 0.95'",
    "runql tag team/digits best --filter 'summary.acc > 0.95' --yes --log tagged.jsonl",
    "runql tag team/digits/1a2b3c best reviewed --yes",
)
UNTAG_END: Final = help_end(
    """runql untag team/digits best --filter '"best" in tags and state != "finished"' --yes"""
)
SET_END: Final = help_end(
    "runql set team/digits group=baseline config.dataset=mnist --filter 'config.lr == 0.1' --yes",
    "runql set team/digits/1a2b3c notes='the one to keep' summary.checked=true --yes",
)
DELETE_END: Final = help_end(
    """runql delete team/digits --filter 'state == "crashed" and created_at < "2026-01-01"'""",
    """runql delete team/digits --filter 'state == "crashed"' --yes --log deleted.jsonl""",
)


def tag(
    path: PathArgument,
    tags: Annotated[list[str], typer.Argument(help="tags to add, such as best", show_default=False)],
    filter_text: FilterOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    log: LogOption = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    base_url: BaseUrlOption = None,
) -> None:
    """Add tags to the runs that match a filter; show which without --yes."""
    _work(
        "tag", lambda: Tagging.checked(tags, adds=True), path, filter_text, every, yes, log, format, base_url
    )


def untag(
    path: PathArgument,
    tags: Annotated[list[str], typer.Argument(help="tags to remove, such as best", show_default=False)],
    filter_text: FilterOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    log: LogOption = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    base_url: BaseUrlOption = None,
) -> None:
    """Remove tags from the runs that match a filter; show which without --yes."""
    _work(
        "untag",
        lambda: Tagging.checked(tags, adds=False),
        path,
        filter_text,
        every,
        yes,
        log,
        format,
        base_url,
    )


def set_fields(
    path: PathArgument,
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="FIELD=VALUE...",
            help="name, notes, group, job_type, config.KEY or summary.KEY, such as config.lr=0.1; "
            "a value of config and summary is JSON, else a str",
            show_default=False,
        ),
    ],
    filter_text: FilterOption = None,
    every: AllOption = False,
    yes: YesOption = False,
    log: LogOption = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    base_url: BaseUrlOption = None,
) -> None:
    """Set fields, config entries and summary values of the runs that match a filter; show which without --yes."""
    _work("set", lambda: Setting.checked(values), path, filter_text, every, yes, log, format, base_url)


def delete(
    path: PathArgument,
    filter_text: FilterOption = None,
    every: AllOption = False,
    with_artifacts: Annotated[
        bool,
        typer.Option(
            "--with-artifacts",
            help="delete the artifacts that the runs logged, too, as in `--with-artifacts --yes`; off by default",
        ),
    ] = False,
    yes: YesOption = False,
    log: LogOption = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    base_url: BaseUrlOption = None,
) -> None:
    """Delete the runs that match a filter, for good; show which without --yes."""
    _work("delete", lambda: Deleting(with_artifacts), path, filter_text, every, yes, log, format, base_url)


def _work(
    command: str,
    change: Callable[[], Change],
    path: str,
    filter_text: str | None,
    every: bool,
    yes: bool,
    log: Path | None,
    format: Format | None,  # noqa: A002 - as above
    base_url: str | None,
) -> None:
    with reporting(command):
        target = Target.checked(path, filter_text, every=every)
        work = Work(command, change(), target, yes, log, checked_format(format, None, force=False))
        work.check_log()
        with session(base_url) as api:
            found_all = work.do(api)
        if not found_all:
            raise typer.Exit(FAILED)
