"""The calls of both clients: their arguments, checked, and the flows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from runql.arguments import checked_bool, checked_path
from runql.config import Settings
from runql.frames.extras import require
from runql.paths import RunAddress
from runql.transport.bodies import Progress
from runql.transport.flow import Flow
from runql.transport.sample_limits import SampleLimits

if TYPE_CHECKING:
    from runql.archive.archive import Archive


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
