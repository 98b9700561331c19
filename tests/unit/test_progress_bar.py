"""The bar: drawn on a real terminal and in a notebook, silent elsewhere, and then without rich."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import types
from pathlib import Path

import pytest
from tests.patience import PATIENCE

from runql import MissingExtraError, progress_bar

ROOT = Path(__file__).parents[2]
NO_RICH = "import sys; sys.modules['rich'] = None; "
DRAW = """
from runql import progress_bar
with progress_bar("[files]") as bar:
    bar(0, None)
    bar(1000, 4000)
    bar(4000, 4000)
print("done")
"""


def on_terminal(code: str) -> tuple[int, str, str]:
    """Run code with its stderr on a terminal; exit code, what the terminal showed, and stdout."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while read := os.read(ours, 65536):
            shown += read
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    stdout, _ = done.communicate(timeout=PATIENCE)
    return done.returncode, shown.decode(), stdout


def test_a_terminal_shows_it() -> None:
    code, shown, stdout = on_terminal(DRAW)
    assert (code, stdout) == (0, "done\n")
    assert "[files]" in shown
    assert "4.0/4.0 kB" in shown


def test_a_terminal_without_rich_says_what_to_install() -> None:
    code, shown, _ = on_terminal(NO_RICH + DRAW)
    assert code == 1
    assert "pip install 'runql[progress]'" in shown


def test_elsewhere_it_is_silent_and_needs_no_rich() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_RICH + DRAW],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.parametrize("shell", [None, object()], ids=["no shell", "no kernel"])
def test_ipython_alone_is_no_notebook(shell: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython(shell))
    monkeypatch.setitem(sys.modules, "rich", None)
    with progress_bar() as bar:
        bar(1, 2)


def test_a_notebook_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython(types.SimpleNamespace(kernel=object())))
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(MissingExtraError, match="rich"), progress_bar():
        pass


def ipython(shell: object) -> types.ModuleType:
    module = types.ModuleType("IPython")
    vars(module)["get_ipython"] = lambda: shell
    return module
