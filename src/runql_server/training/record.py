"""`python -m runql_server.training.record`: train the grid under both official SDKs on a fresh server, and pack it."""

# ruff: noqa: T201 - the command's output

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from runql_server.running import RunningServer
from runql_server.sample import ARCHIVE
from runql_server.training.digits import Plan, grid
from runql_server.training.log_runs import PROJECT
from runql_server.training.scrub import scrub

SCRIPT = "runql_server.training.log_runs"
SWEPT = "softmax"
SOURCE = Path(__file__).parents[2]
MACHINE = re.compile(r"\.venv|site-packages|/home/|/root|/work|/tmp/|https?://")


def main() -> None:
    """Record and pack the sample, and print its size.

    Needs RUNQL_WANDB_OLD and RUNQL_WANDB_NEW: interpreters with the SDK, scikit-learn and pillow.
    """
    old, new = os.environ["RUNQL_WANDB_OLD"], os.environ["RUNQL_WANDB_NEW"]
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        with RunningServer(data_dir) as server:
            for interpreter, plans in _split_grid(old, new):
                _log(server, interpreter, plans, Path(folder))
            _run(server, new, Path(folder), "-m", "runql_server.training.champion")
        scrub(data_dir)
        _pack(data_dir)
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size / 1e6:.2f} MB")


def _split_grid(old: str, new: str) -> list[tuple[str, list[Plan]]]:
    """Split the grid: the older SDK logs the scikit-learn family, the newer one the others."""
    return [
        (old, [plan for plan in grid() if plan.family == "sgd"]),
        (new, [plan for plan in grid() if plan.family != "sgd"]),
    ]


def _log(server: RunningServer, interpreter: str, plans: list[Plan], folder: Path) -> None:
    for family in dict.fromkeys(plan.family for plan in plans):
        in_sweep = family == SWEPT
        made = _run(server, interpreter, folder, "-m", "runql_server.training.sweep") if in_sweep else ""
        sweep = made.split()[-1] if made else ""
        for plan in plans:
            if plan.family == family:
                print(plan.run_id, flush=True)
                status = 0 if plan.ending == "finished" else 1
                # In a sweep the SDK reads run id and project only from these variables.
                joined = {"WANDB_SWEEP_ID": sweep, "WANDB_PROJECT": PROJECT, "WANDB_RUN_ID": plan.run_id}
                more = joined if sweep else {}
                _run(server, interpreter, folder, "-m", SCRIPT, plan.run_id, status=status, **more)
        if sweep:
            path = f"{server.entity}/{PROJECT}/{sweep}"
            _run(server, interpreter, folder, "-m", "wandb", "sweep", "--stop", path)


def _run(
    server: RunningServer, interpreter: str, folder: Path, *arguments: str, status: int = 0, **more: str
) -> str:
    """Run a module in the SDK's interpreter, in a new working directory, and return its output."""
    environment = {
        **os.environ,
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_HOST": "trainer",
        "WANDB_DIR": str(folder),
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_DATA_DIR": str(folder / "staging"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")])),
        **more,
    }
    with tempfile.TemporaryDirectory(dir=folder) as working:
        done = subprocess.run(
            [interpreter, *arguments],
            env=environment,
            cwd=working,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode != status:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def _pack(data_dir: Path) -> None:
    for path in (data_dir / "runql.sqlite3", *(data_dir / "blobs").glob("*/*")):
        found = MACHINE.search(path.read_bytes().decode("utf-8", "replace"))
        if found:
            sys.exit(f"{path.name} still names the machine: {found.group()!r}")
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        archive.add(data_dir / "runql.sqlite3", "runql.sqlite3", filter=_without_owner)
        archive.add(data_dir / "blobs", "blobs", filter=_without_owner)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


if __name__ == "__main__":
    main()
