"""A script for an official SDK's interpreter: print the files of a run, and download one.

`read_file.py PATH FOLDER`
"""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Read, print and download."""
    wandb = importlib.import_module("wandb")
    run = wandb.Api().run(sys.argv[1])
    print([(file.name, file.size, file.md5) for file in run.files()])
    run.file("d/x.txt").download(root=sys.argv[2]).close()


if __name__ == "__main__":
    main()
