"""JupyterLab on loopback, from an environment of its own: `make .venv-jupyter/.ready` makes it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tests.patience import PATIENCE, until

_QUIET = {
    "IdentityProvider.token": "",
    "LabApp.news_url": "None",
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
    "ServerApp.allow_root": "True",
    "ServerApp.ip": "127.0.0.1",
    "ServerApp.open_browser": "False",
    "ServerApp.port": "0",
}


def write_notebook(path: Path, html: str) -> None:
    """Write a notebook with one executed cell, whose output is this HTML."""
    output: dict[str, object] = {
        "output_type": "execute_result",
        "execution_count": 1,
        "metadata": {},
        "data": {"text/html": html, "text/plain": "<Run>"},
    }
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "a",
        "execution_count": 1,
        "metadata": {},
        "source": "run",
        "outputs": [output],
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook: dict[str, object] = {
        "cells": [cell],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), "utf-8")


@contextmanager
def jupyter_lab(python: Path, folder: Path) -> Generator[int]:
    """Serve a folder's notebooks, trusted as if they were executed here; yield the port."""
    home = folder / "home"
    environment = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    notebooks = [str(path) for path in sorted(folder.glob("*.ipynb"))]
    subprocess.run(
        [python, "-m", "nbformat.sign", *notebooks], env=environment, check=True, capture_output=True
    )
    command = [str(python), "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += [f"--{name}={value}" for name, value in _QUIET.items()]
    runtime = home / "runtime"
    with (folder / "jupyter.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: process.poll() is not None or any(runtime.glob("jpserver-*.json")))
            assert process.poll() is None, (folder / "jupyter.log").read_text("utf-8")
            # The file is written before the server listens, or its content: the port comes with both.
            until(lambda: _port(runtime) is not None)
            yield _port(runtime) or 0
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _port(runtime: Path) -> int | None:
    try:
        port = int(json.loads(next(runtime.glob("jpserver-*.json")).read_text("utf-8"))["port"])
        return port if httpx.get(f"http://127.0.0.1:{port}/api", trust_env=False).is_success else None
    except (ValueError, httpx.TransportError):
        return None
