"""Targets of artifacts' references: a local folder, also served over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class ReferenceFiles:
    """Files outside of artifacts.

    Attributes:
        folder: local path.
        url: URL of the same folder.
    """

    folder: Path
    url: str


@contextmanager
def serve(folder: Path) -> Generator[ReferenceFiles]:
    """Create the files, and serve them inside the block."""
    folder.mkdir()
    (folder / "a.txt").write_text("a\n")
    (folder / "b.txt").write_text("b, over HTTP\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ReferenceFiles(folder, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        """Add an ETag, as object stores do."""
        self.send_header("ETag", '"one"')
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""
