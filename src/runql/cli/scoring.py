"""Scoring a model of the sample on its held-out digits, in plain Python: dense layers, the largest output is the digit."""

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
    """What a model's `weights.json` holds."""

    format: str
    layers: list[Layer]


def accuracy(model: Path, data: Path) -> float:
    """The share of held-out digits that the model recognises.

    Args:
        model: folder of a downloaded model.
        data: folder of the data set it was trained on.

    Raises:
        ValueError: the weights have a form that is not known here.
    """
    weights = Weights.model_validate_json((model / "weights.json").read_bytes())
    if weights.format != FORMAT:
        raise ValueError(f"weights of the form {weights.format!r}, not {FORMAT!r}")
    layers = [(list(zip(*layer.weights, strict=True)), layer) for layer in weights.layers]
    answers = [(digit, _recognised(layers, pixels)) for digit, pixels in _held_out(data)]
    return sum(shown == taken for shown, taken in answers) / len(answers)


def _recognised(layers: Sequence[tuple[Sequence[Sequence[float]], Layer]], values: Sequence[float]) -> int:
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
    with (data / "held_out.csv").open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for digit, *pixels in rows:
            yield int(digit), [int(pixel) / brightest for pixel in pixels]
