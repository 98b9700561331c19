"""The dataset of the sample: scikit-learn's digits, split once, as CSV files."""

from __future__ import annotations

import csv
import importlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TRAINING = 1_347
BRIGHTEST = 16
"""Maximum of a pixel; models receive pixels divided by it."""

PIXELS = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]


@dataclass(frozen=True)
class Digits:
    """Pixels between 0 and 1, 64 per digit, and the labels."""

    train_x: NDArray[np.float64]
    train_y: NDArray[np.int64]
    held_out_x: NDArray[np.float64]
    held_out_y: NDArray[np.int64]


def write(folder: Path) -> dict[str, object]:
    """Write the files from scikit-learn's bundled digits, and return metadata about them."""
    bunch = importlib.import_module("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    pixels, labels = bunch.data[order].astype(int), bunch.target[order].astype(int)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", slice(None, TRAINING)), ("held_out", slice(TRAINING, None))):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["digit", *PIXELS])
            writer.writerows([label, *row] for label, row in zip(labels[part], pixels[part], strict=True))
    about: dict[str, object] = {
        "source": "scikit-learn load_digits",
        "split": "permutation of numpy default_rng(0)",
        "train": TRAINING,
        "held_out": len(labels) - TRAINING,
        "classes": 10,
        "brightest": BRIGHTEST,
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return about


def read(folder: Path) -> Digits:
    """Load the files of ``write``."""
    return Digits(*_part(folder / "train.csv"), *_part(folder / "held_out.csv"))


def _part(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    table = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.int64)
    return table[:, 1:] / BRIGHTEST, table[:, 0]
