"""The error of a folder that cannot be used as an archive, and of a project that cannot take one."""

from __future__ import annotations

from runql.errors import RunqlError


class ArchiveError(RunqlError):
    """A folder is no whole archive, or a project cannot take it; nothing was written to the server."""
