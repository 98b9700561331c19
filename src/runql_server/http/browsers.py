"""What a browser may do with the bytes of files, which anybody may have logged: look at them, never run them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse

from runql_server.errors import ForbiddenError

FRAMES: Final = "'self' http://localhost:* http://127.0.0.1:*"
"""Who may show a page in a frame: notebooks on this machine. A frame of another site could steal clicks."""

# A document of these bytes has no origin, runs nothing and fetches nothing; a picture may have a style of its own.
_POLICY: Final = (
    f"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors {FRAMES}"
)

_LOOKED_AT: Final = ("image/", "text/", "application/json")

# Our pages run scripts of this server: a logged file must not be one of them.
_RUN: Final = frozenset(
    {
        *("script", "style", "worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet"),
        *("xslt", "json", "manifest", "object", "embed", "fencedframe"),
    }
)


def send_file(request: Request, path: Path, *, name: str, media_type: str, etag: str) -> FileResponse:
    """Send the bytes of a file; a browser saves scripts, and what is neither an image nor text.

    Raises:
        ForbiddenError: a browser wants to run the file.
    """
    if request.headers.get("sec-fetch-dest", "").lower() in _RUN:
        raise ForbiddenError("a browser may show or save this file, not run it")
    is_shown = media_type.startswith(_LOOKED_AT) and "script" not in media_type
    disposition = "inline" if is_shown else "attachment"
    filename = name.rpartition("/")[2]
    unnamed = {} if filename else {"Content-Disposition": disposition}
    return FileResponse(
        path,
        media_type=media_type,
        filename=filename or None,
        content_disposition_type=disposition,
        headers={
            **unnamed,
            "ETag": f'"{etag}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "private, no-cache",
        },
    )
