"""Evaluation of a model on the held-out digits: accuracy, confusion and mistakes, as files and as an image."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runql_server.training.dataset import Digits
from runql_server.training.model import Model

_PIXELS_PER_CELL = 6


@dataclass(frozen=True)
class Evaluation:
    """Confusion counts: how often a digit (row) was predicted as another (column)."""

    confusion: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Return the share of correct predictions."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    def recalls(self) -> dict[str, float]:
        """Return the share of correct predictions for each digit."""
        return {
            str(digit): float(self.confusion[digit, digit] / self.confusion[digit].sum())
            for digit in range(10)
        }

    def mistakes(self) -> list[list[int]]:
        """List true digit, predicted digit and count of each mistake, the most frequent first."""
        pairs = [
            [shown, taken, int(self.confusion[shown, taken])]
            for shown in range(10)
            for taken in range(10)
            if shown != taken and self.confusion[shown, taken]
        ]
        return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))

    def picture(self) -> NDArray[np.uint8]:
        """Return the confusion as grey levels, dark for high counts; small counts stay visible."""
        shares = self.confusion / self.confusion.sum(axis=1, keepdims=True)
        levels: NDArray[np.uint8] = (255 * (1 - np.sqrt(shares))).astype(np.uint8)
        return levels.repeat(_PIXELS_PER_CELL, axis=0).repeat(_PIXELS_PER_CELL, axis=1)

    def write(self, folder: Path) -> None:
        """Write ``recalls.json`` and ``confusion.csv``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "recalls.json", self.recalls())
        with (folder / "confusion.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["shown", *(f"taken_for_{digit}" for digit in range(10))])
            writer.writerows([digit, *counts] for digit, counts in enumerate(self.confusion.tolist()))


def evaluate(model: Model, data: Digits) -> Evaluation:
    """Evaluate the model on the held-out digits."""
    return Evaluation(model.confusion(data.held_out_x, data.held_out_y))


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as JSON, one member per line."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
