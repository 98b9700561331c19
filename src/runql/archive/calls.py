"""The calls of both clients: their arguments, checked, and the flows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from runql.arguments import checked_bool, checked_path
from runql.config import Settings
from runql.frames.extras import require
from runql.paths import RunAddress
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits

if TYPE_CHECKING:
    from runql.archive.archive import Archive
    from runql.archive.importing.report import ImportReport


class Connection(Protocol):
    """What an export needs of a client."""

    settings: Settings
    sample_limits: SampleLimits


def export_flow(
    client: Connection,
    entity: str,
    project: str,
    folder: str | os.PathLike[str],
    files: bool,
    artifacts: bool,
    report: Progress | None,
) -> Flow[Archive]:
    """The flow of `Project.export`; see there.

    Raises:
        MissingExtraError: pyarrow is not installed.
        TypeError: an argument has another type.
    """
    require("pyarrow", needed_for="Project.export")
    from runql.archive.exporting import ProjectExport  # noqa: PLC0415 - it imports pyarrow
    from runql.archive.layout import Options  # noqa: PLC0415 - as above

    options = Options(files=checked_bool("files", files), artifacts=checked_bool("artifacts", artifacts))
    home = RunAddress(entity, project, "")
    target = checked_path("folder", folder).absolute()
    server = client.settings.base_url
    return ProjectExport(server, home, target, options, client.sample_limits, report).run()


def import_flow(
    client: Connection,
    entity: str,
    project: str,
    folder: str | os.PathLike[str],
    dry_run: bool,
    report: Progress | None,
) -> Flow[ImportReport]:
    """The flow of `Api.import_project`; see there.

    Raises:
        ArchiveError: the folder holds no whole archive.
        MissingExtraError: pyarrow is not installed.
        TypeError: an argument has another type.
    """
    from runql.archive.archive import Archive  # noqa: PLC0415 - few programs import archives

    archive = Archive(folder)
    from runql.archive.importing.project import (  # noqa: PLC0415 - it imports pyarrow
        Destination,
        ProjectImport,
    )

    home, server = RunAddress(entity, project, ""), client.settings.base_url
    destination = Destination(server, home, archive.folder)
    return ProjectImport(destination, archive, dry_run=checked_bool("dry_run", dry_run), report=report).run()
