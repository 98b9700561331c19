"""A trained model as plain layers: predictions, confusion, and a JSON file that needs no library to read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Activation = Literal["relu", "tanh"]

FORMAT = "dense-layers/1"
"""Each layer: x @ weights + bias, then the activation; the argmax of the last layer's ten numbers is the digit."""


@dataclass(frozen=True)
class Layer:
    """One dense layer."""

    weights: Array
    bias: Array | None = None
    activation: Activation | None = None

    def __call__(self, x: Array) -> Array:
        """Compute the outputs for rows of inputs."""
        out = x @ self.weights + (0 if self.bias is None else self.bias)
        match self.activation:
            case "relu":
                return np.maximum(out, 0)
            case "tanh":
                return np.tanh(out)
            case None:
                return out


@dataclass(frozen=True)
class Model:
    """Layers in order."""

    layers: list[Layer]

    @property
    def is_finite(self) -> bool:
        """Check that training did not diverge."""
        return all(bool(np.isfinite(layer.weights).all()) for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Count the learned parameters."""
        return sum(
            layer.weights.size + (0 if layer.bias is None else layer.bias.size) for layer in self.layers
        )

    def rounded(self) -> Model:
        """Return the model with seven significant digits, as in its file."""
        return Model(
            [
                Layer(
                    _rounded(layer.weights),
                    None if layer.bias is None else _rounded(layer.bias),
                    layer.activation,
                )
                for layer in self.layers
            ]
        )

    def predict(self, x: Array) -> NDArray[np.int64]:
        """Predict the digit of each row of pixels."""
        for layer in self.layers:
            x = layer(x)
        chosen: NDArray[np.int64] = x.argmax(axis=1).astype(np.int64)
        return chosen

    def confusion(self, x: Array, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count how often a digit (row) was predicted as another (column)."""
        counts = np.zeros((10, 10), dtype=np.int64)
        np.add.at(counts, (y, self.predict(x)), 1)
        return counts

    def save(self, path: Path) -> None:
        """Write the layers as JSON."""
        layers = [
            {
                "weights": layer.weights.tolist(),
                "bias": None if layer.bias is None else layer.bias.tolist(),
                "activation": layer.activation,
            }
            for layer in self.layers
        ]
        path.write_text(
            json.dumps({"format": FORMAT, "layers": layers}, separators=(",", ":")), encoding="utf-8"
        )


def _rounded(numbers: Array) -> Array:
    return np.array([float(f"{number:.7g}") for number in numbers.ravel()]).reshape(numbers.shape)
