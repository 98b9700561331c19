"""`runql download`: the files of a run or of an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from runql.arguments import checked_path
from runql.cli.console.failures import AskedWronglyError, help_end, reporting
from runql.cli.console.plain import plain, say
from runql.cli.console.progress import bar
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.reading.places import parse_place
from runql.errors import NotFoundError

if TYPE_CHECKING:
    from runql.resources.api import Api
    from runql.transport.files.bodies import Progress

HELP_END: Final = help_end(
    "runql download team/digits/1a2b3c -d ./run",
    "runql download team/digits/1a2b3c -d ./run --glob 'media/*.png' --glob '*.json'",
    "runql download team/digits/mlp:v3 -d ./model",
)


def download(
    path: Annotated[
        str,
        typer.Argument(
            help="a run ENTITY/PROJECT/ID, or an artifact ENTITY/PROJECT/NAME:VERSION", show_default=False
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "-d", "--directory", metavar="DIR", help="where to save, such as ./model; created if missing"
        ),
    ] = Path(),
    glob: Annotated[
        list[str] | None,
        typer.Option(
            "--glob",
            metavar="PATTERN",
            help="only files whose whole path matches, such as 'media/*.png'; * matches / too; may be repeated; "
            "by default all",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="replace files that exist with other bytes; off by default")
    ] = False,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing", help="keep the files of a run that exist, whatever is in them; off by default"
        ),
    ] = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Save the files of a run or of an artifact; print their paths, one a line.

    Each file appears when it is complete and its digest is right. Files of an artifact that are there are kept.
    """
    with reporting("download"):
        place = parse_place(path)
        if place.kind not in {"run", "artifact"}:
            raise AskedWronglyError(
                f"{path} is no run and no artifact: give ENTITY/PROJECT/ID or NAME:VERSION"
            )
        if force and skip_existing:
            raise AskedWronglyError("give one of --force and --skip-existing, not both")
        checked_path("the folder", folder)
        if folder.exists() and not folder.is_dir():
            raise AskedWronglyError(f"{folder} is no folder: give another one with -d")
        with session(base_url) as api, bar("files", "bytes") as report:
            if place.kind == "run":
                saved = _save_run(
                    api, path, folder, glob or (), report, force=force, skip_existing=skip_existing
                )
            else:
                saved = _save_artifact(api, path, folder, glob or (), report, force=force)
        for each in saved:
            print(plain(str(each)))
        say(f"runql download: {len(saved)} file{'' if len(saved) == 1 else 's'} below {folder}")


def _save_run(
    api: Api,
    path: str,
    folder: Path,
    patterns: Sequence[str],
    report: Progress | None,
    *,
    force: bool,
    skip_existing: bool,
) -> list[Path]:
    from runql.paths import RunAddress  # noqa: PLC0415 - only where files are saved, here and below
    from runql.resources.files.listing import save_all  # noqa: PLC0415
    from runql.resources.files.names import place_files  # noqa: PLC0415
    from runql.transport.flow import MOST_TRANSFERS  # noqa: PLC0415

    run = api.run(path)
    files = run.files()[:]
    names = set(_matching([file.name for file in files], patterns, path))
    wanted = [file for file in files if file.name in names]
    address = RunAddress(run.entity, run.project, run.id)
    if not force and not skip_existing:
        _refuse_existing([*place_files(folder, [file.name for file in wanted]).targets.values()])
    return api.client.run(
        save_all(
            address,
            wanted,
            folder,
            replace=force,
            exist_ok=skip_existing,
            max_concurrency=MOST_TRANSFERS,
            progress=report,
            on_unsafe="raise",
        )
    )


def _save_artifact(
    api: Api, path: str, folder: Path, patterns: Sequence[str], report: Progress | None, *, force: bool
) -> list[Path]:
    from runql.paths import parse_artifact_path  # noqa: PLC0415
    from runql.resources.artifacts.download.entries import DownloadOptions, download_entries  # noqa: PLC0415
    from runql.resources.artifacts.download.resolve import ArtifactSource  # noqa: PLC0415
    from runql.resources.artifacts.download.verify import is_intact  # noqa: PLC0415
    from runql.resources.files.names import place_files  # noqa: PLC0415
    from runql.transport.flow import MOST_TRANSFERS  # noqa: PLC0415

    parse_artifact_path(path)
    artifact = api.artifact(path)
    manifest = artifact.manifest
    entries = [manifest.entries[name] for name in _matching([*manifest.entries], patterns, path)]
    if not force:
        targets = place_files(folder, [entry.path for entry in entries]).targets
        found = [(entry, targets[entry.path]) for entry in entries if entry.path in targets]
        _refuse_existing([target for entry, target in found if not is_intact(target, entry)])
    source = ArtifactSource(artifact.id, artifact.qualified_name, manifest)
    saved = api.client.run(download_entries(source, entries, folder, DownloadOptions(MOST_TRANSFERS, report)))
    return [saved[entry.path] for entry in entries]


def _matching(names: Sequence[str], patterns: Sequence[str], path: str) -> list[str]:
    if not patterns:
        return list(names)
    found = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not found:
        raise NotFoundError(
            f"--glob: none of the {len(names)} files of {path} matches; see `runql ls {path} --files`"
        )
    return found


def _refuse_existing(targets: Sequence[Path]) -> None:
    existing = [target for target in targets if target.exists()]
    if existing:
        more = f" and {len(existing) - 1} more" if existing[1:] else ""
        raise AskedWronglyError(f"{existing[0]}{more} exist already: give --force to replace them")
