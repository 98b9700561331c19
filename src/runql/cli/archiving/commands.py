"""`runql export`, `import`, `copy` and `verify`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from runql.arguments import checked_path
from runql.cli.console.failures import FAILED, AskedWronglyError, help_end, reporting
from runql.cli.console.plain import say
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.reading.places import parse_place
from runql.errors import ConfigurationError

if TYPE_CHECKING:
    from runql.archive.archive import Archive
    from runql.archive.importing.report import ImportReport
    from runql.resources.api import Api

TO_API_KEY: Final = "RUNQL_TO_API_KEY"

ProjectArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="ENTITY/PROJECT", help="the project to read", show_default=False)
]
TargetArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="TO_ENTITY/TO_PROJECT", help="the project to write; created if missing", show_default=False
    ),
]
FilesOption: TypeAlias = Annotated[
    bool, typer.Option("--files", help="take the files of runs along; off by default")
]
ArtifactsOption: TypeAlias = Annotated[
    bool, typer.Option("--artifacts", help="take artifacts along, with their files; off by default")
]
ToOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="URL",
        help="the server to write to, such as http://localhost:8080",
        show_default=False,
    ),
]
DryRunOption: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="check everything and write nothing; off by default")
]

EXPORT_END: Final = help_end(
    "runql export team/digits ./digits",
    "runql export team/digits ./digits --files --artifacts",
)
IMPORT_END: Final = help_end(
    "runql import ./digits team/digits --to http://localhost:8080 --dry-run",
    "runql import ./digits team/digits --to http://localhost:8080",
)
COPY_END: Final = help_end(
    "runql copy team/digits me/digits --to http://localhost:8080 --files --artifacts",
    "runql copy team/digits me/digits --to http://localhost:8080 --dir ./digits",
)
VERIFY_END: Final = help_end("runql verify ./digits")


def export(
    path: ProjectArgument,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="a folder for this archive alone; created if missing", show_default=False
        ),
    ],
    files: FilesOption = False,
    artifacts: ArtifactsOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Write a project into a folder: runs, histories, system metrics, console lines and sweeps.

    The same command goes on where an interrupted one stopped. What cannot be read is named, and ends with code 1.
    """
    with reporting("export"):
        _checked(path, folder)
        with session(base_url) as api:
            archive = _export(api, path, folder, files=files, artifacts=artifacts)
        say(f"runql export: {_counted(archive.counts)} in {folder}")
        if archive.problems:
            raise typer.Exit(FAILED)


def import_archive(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="an archive of `runql export`", show_default=False)
    ],
    path: TargetArgument,
    to: ToOption,
    dry_run: DryRunOption = False,
) -> None:
    """Write an archive into a project of another server; the key is that of the server (WANDB_API_KEY or netrc).

    The same command goes on where an interrupted one stopped. A project that has one of the runs is refused.
    """
    with reporting("import"):
        _checked(path, folder)
        with session(to) as api:
            report = _import(api, folder, path, dry_run=dry_run)
        _say_report("import", report)


def copy(
    path: ProjectArgument,
    target: TargetArgument,
    to: ToOption,
    files: FilesOption = False,
    artifacts: ArtifactsOption = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="keep the archive here, such as ./digits, so that the same command can go on after an interruption; "
            "by default a temporary folder",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRunOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Copy a project to another server: export it, then import it.

    The key of the server to write to comes from RUNQL_TO_API_KEY or netrc; WANDB_API_KEY is that of the server to read.
    """
    with reporting("copy"):
        _checked(path, folder)
        _checked(target, None)
        with session(base_url) as source, session_of_target(to, source) as other, _folder(folder) as kept:
            archive = _export(source, path, kept, files=files, artifacts=artifacts)
            report = _import(other, kept, target, dry_run=dry_run)
        _say_report("copy", report, has_problems=bool(archive.problems))


def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="an archive of `runql export`", show_default=False)
    ],
) -> None:
    """Compare every file of an archive with the digest that its manifest notes."""
    with reporting("verify"):
        from runql.archive.archive import Archive  # noqa: PLC0415 - only this command needs it

        archive = Archive(checked_path("DIR", folder))
        archive.verify()
        say(f"runql verify: {folder} is whole: {_counted(archive.counts)} of {archive.source}")
        for problem in archive.problems:
            say(f"runql verify: it lacks: {problem}")


def session_of_target(to: str, source: Api) -> Api:
    """Open the API of the server to write to, with a key that is not by chance that of the other server.

    Raises:
        ConfigurationError: there is no such key.
    """
    from runql.config_files import find_netrc, read_netrc  # noqa: PLC0415 - only this command needs it
    from runql.hosts import netrc_machines  # noqa: PLC0415 - as above
    from runql.resources.api import Api  # noqa: PLC0415 - as above

    key = os.environ.get(TO_API_KEY)
    if key is None and to.rstrip("/") == source.settings.base_url.rstrip("/"):
        return source.with_options()
    if key is None:
        netrc = find_netrc(os.environ, Path.home())
        passwords: Mapping[str, str] = {} if netrc is None else read_netrc(netrc)
        key = next((passwords[name] for name in netrc_machines(to) if passwords.get(name)), None)
    if key is None:
        raise ConfigurationError(
            f"there is no API key of {to}: set {TO_API_KEY}, or add its machine to netrc. "
            "WANDB_API_KEY is the key of the server that is read, and goes there alone"
        )
    return Api(base_url=to, api_key=key)


def _checked(path: str, folder: Path | None) -> None:
    if parse_place(path).kind != "project":
        raise AskedWronglyError(f"{path} is no project: give ENTITY/PROJECT")
    if folder is not None:
        checked_path("DIR", folder)


def _folder(folder: Path | None) -> AbstractContextManager[Path]:
    if folder is not None:
        return nullcontext(folder)
    return _TemporaryFolder()


class _TemporaryFolder(AbstractContextManager[Path]):
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="runql-copy-")

    def __enter__(self) -> Path:
        return Path(self._folder.name)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _export(api: Api, path: str, folder: Path, *, files: bool, artifacts: bool) -> Archive:
    archive = api.project(path).export(folder, files=files, artifacts=artifacts)
    for problem in archive.problems:
        say(f"runql export: not read: {problem}")
    return archive


def _import(api: Api, folder: Path, path: str, *, dry_run: bool) -> ImportReport:
    return api.import_project(folder, path, dry_run=dry_run)


def _say_report(command: str, report: ImportReport, *, has_problems: bool = False) -> None:
    for note in report.notes:
        say(f"runql {command}: {note}")
    for missing in report.left_out:
        say(f"runql {command}: left out: {missing}")
    done = "would write" if report.is_dry_run else "wrote"
    say(f"runql {command}: {done} {_counted(report.counts)} to {report.project}")
    if report.left_out or has_problems:
        raise typer.Exit(FAILED)


def _counted(counts: Mapping[str, int]) -> str:
    known: Iterable[tuple[str, int]] = sorted(counts.items())
    return ", ".join(f"{count} {name}" for name, count in known if count) or "nothing"
