"""The accuracy of a sample model on held-out digits, in plain Python."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from operator import mul
from pathlib import Path
from typing import Final

from pydantic import BaseModel

FORMAT: Final = "dense-layers/1"
ACTIVATIONS: Final[dict[str | None, Callable[[float], float]]] = {
    "relu": lambda value: max(value, 0.0),
    "tanh": math.tanh,
    None: lambda value: value,
}


class Layer(BaseModel):
    """One dense layer; ``weights`` has a row for each input."""

    weights: list[list[float]]
    bias: list[float] | None
    activation: str | None


class Weights(BaseModel):
    """The content of a model's `weights.json`."""

    format: str
    layers: list[Layer]


def accuracy(model: Path, data: Path) -> float:
    """Return the share of held-out digits that the model recognises.

    Args:
        model: folder of a downloaded model.
        data: folder of its training data set.

    Raises:
        ValueError: the weights have an unknown format.
    """
    weights = Weights.model_validate_json((model / "weights.json").read_bytes())
    if weights.format != FORMAT:
        raise ValueError(f"the weights have the format {weights.format!r}, not {FORMAT!r}")
    layers = [(list(zip(*layer.weights, strict=True)), layer) for layer in weights.layers]
    results = [(digit, _recognise(layers, pixels)) for digit, pixels in _held_out(data)]
    return sum(digit == recognised for digit, recognised in results) / len(results)


def _recognise(layers: Sequence[tuple[Sequence[Sequence[float]], Layer]], values: Sequence[float]) -> int:
    for columns, layer in layers:
        activation = ACTIVATIONS[layer.activation]
        biases = layer.bias or [0.0] * len(columns)
        values = [
            activation(sum(map(mul, values, column)) + bias)
            for column, bias in zip(columns, biases, strict=True)
        ]
    return max(range(len(values)), key=values.__getitem__)


def _held_out(data: Path) -> Iterator[tuple[int, list[float]]]:
    brightest = float(json.loads((data / "about.json").read_bytes())["brightest"])
    with (data / "held_out.csv").open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        next(rows)
        for digit, *pixels in rows:
            yield int(digit), [int(pixel) / brightest for pixel in pixels]
