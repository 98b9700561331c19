"""Training on the digits: three families of models, the metrics of each, and the grid of runs."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from runql_server.training.dataset import TRAINING, Digits
from runql_server.training.model import Array, Layer, Model

Row = dict[str, Any]  # Any: rows hold all that the SDK accepts, histograms too
Ending = Literal["finished", "crashed", "running"]
Training = Generator[Row, None, Model]
"""Yields the row to log at each step, and returns the trained model."""

BATCH = 32
SWEEP: Row = {
    "name": "softmax grid",
    "method": "grid",
    "metric": {"name": "val_loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [0.01, 0.03, 0.1, 0.3]}, "l2": {"values": [0.0, 1e-3]}},
}
"""Configuration of the sweep of the softmax family."""


@dataclass(frozen=True)
class Plan:
    """One run: its model, its settings, and how it ends."""

    run_id: str
    family: Literal["softmax", "mlp", "sgd"]
    model: Row
    steps: int
    seed: int
    tags: list[str] = field(default_factory=list[str])
    notes: str | None = None
    ending: Ending = "finished"

    @property
    def name(self) -> str:
        """Display name: the settings that distinguish it from others, or how it ended."""
        settings = " ".join(
            f"{key}={value}" for key, value in self.model.items() if key != "l2" or self.family == "softmax"
        )
        return self.run_id if self.run_id.isalpha() else f"{self.family} {settings}"

    @property
    def config(self) -> Row:
        """Config of the run, nested."""
        optimizer = {"name": "sgd", "batch_size": BATCH, "schedule": {"kind": "inverse", "decay": 1e-3}}
        data = {"name": "digits", "training": TRAINING, "normalized": True}
        return {**self.model, "family": self.family, "seed": self.seed, "optimizer": optimizer, "data": data}


def grid() -> list[Plan]:
    """List every run of the sample, in the order of training."""
    plans = [
        Plan(f"softmax{i:02}", "softmax", {"lr": lr, "l2": l2}, 600, i, ["linear", f"lr-{lr}"])
        for i, (lr, l2) in enumerate(product(*(each["values"] for each in SWEEP["parameters"].values())))
    ]
    plans += [
        Plan(
            f"mlp{i:02}",
            "mlp",
            {"lr": lr, "hidden": hidden, "activation": activation, "l2": 1e-4},
            1_500,
            100 + i,
            ["neural", activation],
            "the wide ones learn longest" if hidden == 96 else None,
        )
        for i, (lr, hidden, activation) in enumerate(product([0.05, 0.2], [16, 96], ["relu", "tanh"]))
    ]
    plans += [
        Plan(f"sgd{i:02}", "sgd", {"loss": loss, "alpha": alpha}, 120, 200 + i, ["linear", "scikit-learn"])
        for i, (loss, alpha) in enumerate(
            product(["hinge", "log_loss", "modified_huber"], [1e-5, 1e-4, 1e-3])
        )
    ]
    wild: Row = {"lr": 400.0, "hidden": 32, "activation": "relu", "l2": 0.05}
    calm: Row = {"lr": 0.1, "hidden": 64, "activation": "tanh", "l2": 1e-4}
    return [
        *plans,
        Plan(
            "diverged", "mlp", wild, 400, 300, ["neural", "diverged"], "lr far too large: kept as a warning"
        ),
        Plan("crashed", "mlp", calm, 700, 301, ["neural"], "the machine went away", ending="crashed"),
        Plan("running", "mlp", calm, 900, 302, ["neural", "nightly"], ending="running"),
    ]


def train(plan: Plan, data: Digits) -> Training:
    """Train one model."""
    chance = np.random.default_rng(plan.seed)
    return {"softmax": _softmax, "mlp": _mlp, "sgd": _scikit_learn}[plan.family](plan, data, chance)


def _batches(
    data: Digits, chance: np.random.Generator, steps: int
) -> Iterator[tuple[int, Array, NDArray[np.int64]]]:
    for step in range(steps):
        chosen = chance.integers(0, TRAINING, BATCH)
        yield step, data.train_x[chosen], data.train_y[chosen]


def _softmax(plan: Plan, data: Digits, chance: np.random.Generator) -> Training:
    weights: Array = np.zeros((64, 10))
    for step, x, y in _batches(data, chance, plan.steps):
        rate = plan.model["lr"] / (1 + 1e-3 * step)
        loss, slope = _cross_entropy(x @ weights, y)
        gradient = x.T @ slope + plan.model["l2"] * weights
        weights = weights - rate * gradient
        row: Row = {"loss": loss, "lr": rate, "grad_norm": float(np.linalg.norm(gradient))}
        if step % 10 == 9:
            row |= _validated(data.held_out_x @ weights, data.held_out_y)
        if step % 100 == 99:
            row |= _recalls(data.held_out_x @ weights, data.held_out_y)
        yield row
    return Model([Layer(weights)])


def _mlp(plan: Plan, data: Digits, chance: np.random.Generator) -> Training:
    hidden, relu = int(plan.model["hidden"]), plan.model["activation"] == "relu"
    first: Array = chance.normal(0, 0.2, (64, hidden))
    second: Array = chance.normal(0, 0.2, (hidden, 10))

    def activated(x: Array) -> Array:
        return np.maximum(x @ first, 0) if relu else np.tanh(x @ first)

    # A diverging run overflows on purpose; it logs infinities and NaN.
    with np.errstate(all="ignore"):
        for step, x, y in _batches(data, chance, plan.steps):
            rate = plan.model["lr"] / (1 + 1e-3 * step)
            middle = activated(x)
            loss, slope = _cross_entropy(middle @ second, y)
            back = (slope @ second.T) * ((middle > 0) if relu else (1 - middle**2))
            gradients = [x.T @ back + plan.model["l2"] * first, middle.T @ slope + plan.model["l2"] * second]
            first, second = first - rate * gradients[0], second - rate * gradients[1]
            row: Row = {
                "train/loss": loss,
                "lr": rate,
                "grad_norm": float(np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))),
            }
            if step % 25 == 24:
                row |= _validated(activated(data.held_out_x) @ second, data.held_out_y)
                row["dead_units"] = int((activated(data.held_out_x) == 0).all(axis=0).sum())
            if step % 250 == 249 and np.isfinite(first).all():
                row["weights"] = {"histogram": first}
            yield row
    return Model([Layer(first, activation="relu" if relu else "tanh"), Layer(second)])


def _scikit_learn(plan: Plan, data: Digits, chance: np.random.Generator) -> Training:
    classifier = importlib.import_module("sklearn.linear_model").SGDClassifier(
        loss=plan.model["loss"], alpha=plan.model["alpha"], random_state=plan.seed
    )
    for epoch in range(plan.steps):
        order = chance.permutation(TRAINING)
        classifier.partial_fit(data.train_x[order], data.train_y[order], classes=np.arange(10))
        row: Row = {"epoch": epoch, "coef_norm": float(np.linalg.norm(classifier.coef_))}
        row["train_accuracy"] = float(classifier.score(data.train_x, data.train_y))
        if epoch % 5 == 4:
            row["val_accuracy"] = float(classifier.score(data.held_out_x, data.held_out_y))
            row["phase"] = "warm-up" if epoch < 20 else "steady"
        yield row
    return Model([Layer(classifier.coef_.T, classifier.intercept_)])


def _cross_entropy(scores: Array, labels: NDArray[np.int64]) -> tuple[float, Array]:
    """Return the mean loss, and its gradient at the scores."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    slope = np.exp(logs)
    slope[np.arange(len(labels)), labels] -= 1
    return float(-logs[np.arange(len(labels)), labels].mean()), slope / len(labels)


def _validated(scores: Array, labels: NDArray[np.int64]) -> Row:
    loss, _ = _cross_entropy(scores, labels)
    return {
        "val_loss": loss,
        # Overflows long before the loss does: first infinite, then NaN.
        "val_perplexity": float(np.exp(loss)),
        "val_accuracy": float((scores.argmax(axis=1) == labels).mean()),
    }


def _recalls(scores: Array, labels: NDArray[np.int64]) -> Row:
    right = scores.argmax(axis=1) == labels
    return {f"recall/{digit}": float(right[labels == digit].mean()) for digit in range(10)}
