"""A simulated Windows: the flows of `on_windows.py` in a process of their own, Ctrl-C, and the sources themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.patience import PATIENCE

pytestmark = pytest.mark.nightly

ROOT: Final = Path(__file__).parents[2]
FLOWS: Final = Path(__file__).with_name("on_windows.py")
NAMES: Final = re.findall(r"^def (test_\w+)", FLOWS.read_text("utf-8"), re.MULTILINE)
TEXT_CALLS: Final = {"open", "read_text", "write_text"}
NO_TEXT: Final = {"os.open", "tarfile.open"}

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Windows is simulated on Linux")

INTERRUPTED: Final = """
import os, signal, sys, threading, time
from tests.platforms import simulated_windows
simulated_windows.install()
simulated_windows.install_interrupts()
from tests.unit.transport.driving import settings
from runql.transport.flow import gather, offload
from runql.transport.sync import RetryingClient

begun, main_thread = [], threading.main_thread().ident

def main_is_in(name, file):
    frame = sys._current_frames()[main_thread]
    while frame is not None and not (frame.f_code.co_name == name and frame.f_code.co_filename.endswith(file)):
        frame = frame.f_back
    return frame is not None

def work():
    begun.append(threading.get_ident())
    if len(begun) == 1:
        while not main_is_in("wait", "futures/_base.py"):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
    gives_up = time.monotonic() + GIVES_UP
    while not main_is_in("shutdown", "futures/thread.py") and time.monotonic() < gives_up:
        time.sleep(0.01)

try:
    RetryingClient(settings()).run(gather([offload(work) for _ in range(6)], limit=2))
except KeyboardInterrupt:
    print("interrupted after", len(begun))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What went wrong in each test of `on_windows.py`, by its name."""
    folder = tmp_path_factory.mktemp("windows")
    report = folder / "report.xml"
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "tests.platforms.as_windows",
                "-p",
                "no:cacheprovider",
                "-q",
            ),
            *("-n0", f"--junitxml={report}", f"--basetemp={folder / 'inside'}", str(FLOWS)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, list[str]] = {}
    for case in ET.parse(report).iter("testcase"):
        name = case.get("name", "")
        wrong = found.setdefault(name.partition("[")[0], [])
        wrong += [
            f"{name}: {each.get('message', '')}\n{each.text}" for each in case if each.tag != "properties"
        ]
    return found


@on_linux
@pytest.mark.parametrize("name", NAMES)
def test_it_works_as_on_windows(name: str, outcomes: dict[str, list[str]]) -> None:
    assert outcomes[name] == []


@on_linux
def test_ctrl_c_ends_a_wait_for_many_flows() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.replace("GIVES_UP", "60")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"interrupted after [12]\n", done.stdout), done.stdout


def text_calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The calls that read or write text, by their place."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        strings = [
            each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        modes = [each for each in strings if re.fullmatch(r"[rwxab+t]{1,3}", each)]
        takes_nothing = name == "open" and not node.args and not node.keywords
        reads_bytes = ast.unparse(node.func) in NO_TEXT or any("b" in mode for mode in modes)
        if name in TEXT_CALLS and not takes_nothing and not reads_bytes:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_no_source_takes_the_encoding_of_the_system() -> None:
    """Windows' own is seldom UTF-8."""
    bare: list[str] = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for place, call in text_calls(path):
            named = {each.arg for each in call.keywords}
            first = [each.value for each in call.args if isinstance(each, ast.Constant)]
            if "encoding" not in named and "utf-8" not in first:
                bare.append(place)
    assert bare == []


def test_types_are_checked_for_each_system() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    check = makefile[makefile.index("check: ") : makefile.index("\n.venv-docs")]
    for system in ("win32", "darwin"):
        assert f"$(BIN)/mypy --platform {system} src generated" in check
