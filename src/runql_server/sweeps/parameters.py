"""Kinds of sweep parameters: random draws, and the points of a grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Protocol, TypeGuard

from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue

Number = int | float


class Parameter(Protocol):
    """One parameter, or a group of them."""

    @property
    def points(self) -> int | None:
        """Return the number of values in a grid, ``None`` if they cannot be listed."""
        ...

    def point(self, index: int) -> JsonValue:
        """Return one of these values."""
        ...

    def draw(self, chance: Random) -> JsonValue:
        """Draw a random value."""
        ...


@dataclass(frozen=True)
class Choice:
    """One of several values; without weights all are equally likely."""

    values: list[JsonValue]
    weights: list[float] | None = None

    @property
    def points(self) -> int:
        """Return the number of all values, for any weights."""
        return len(self.values)

    def point(self, index: int) -> JsonValue:
        """Return a value, in the order of the configuration."""
        return self.values[index]

    def draw(self, chance: Random) -> JsonValue:
        """Draw by the weights."""
        return chance.choices(self.values, self.weights)[0]


@dataclass(frozen=True)
class Integers:
    """The integers of a range, both ends included."""

    least: int
    most: int

    @property
    def points(self) -> int:
        """Return the number of integers."""
        return self.most - self.least + 1

    def point(self, index: int) -> int:
        """Return a value, in ascending order."""
        return self.least + index

    def draw(self, chance: Random) -> int:
        """Draw uniformly."""
        return chance.randint(self.least, self.most)


@dataclass(frozen=True)
class Continuous:
    """A number from a distribution, rounded to a multiple of ``step`` if there is one.

    ``bounds`` are set if a grid can list the multiples between them.
    """

    sample: Callable[[Random], float]
    step: Number | None = None
    bounds: tuple[Number, Number] | None = None

    @property
    def points(self) -> int | None:
        """Return the number of multiples of the step within the bounds."""
        if self.step is None or self.bounds is None:
            return None
        return max(0, math.floor(self._ratio(self.bounds[1])) - self._first + 1)

    def point(self, index: int) -> Number:
        """Return a value, in ascending order."""
        return self._multiple(self._first + index)

    def draw(self, chance: Random) -> Number:
        """Draw from the distribution."""
        value = self.sample(chance)
        return value if self.step is None else self._multiple(round(value / self.step))

    @property
    def _first(self) -> int:
        return math.ceil(self._ratio(self.bounds[0])) if self.bounds is not None else 0

    def _ratio(self, value: Number) -> Decimal:
        return Decimal(repr(value)) / Decimal(repr(self.step))

    def _multiple(self, count: int) -> Number:
        # Decimal, because 3 × 0.1 must be 0.3.
        if isinstance(self.step, int):
            return self.step * count
        return float(Decimal(repr(self.step)) * count)


@dataclass(frozen=True)
class Group:
    """Parameters by name; a nested group has an object as its value."""

    parameters: dict[str, Parameter]

    @property
    def points(self) -> int | None:
        """Return the number of combinations."""
        total = 1
        for parameter in self.parameters.values():
            if parameter.points is None:
                return None
            total *= parameter.points
        return total

    def point(self, index: int) -> JsonObject:
        """Return one combination; the last parameter varies fastest."""
        values: JsonObject = {}
        for name, parameter in reversed(self.parameters.items()):
            index, digit = divmod(index, parameter.points or 1)
            values[name] = parameter.point(digit)
        return dict(reversed(values.items()))

    def draw(self, chance: Random) -> JsonObject:
        """Draw each parameter from its own distribution."""
        return {name: parameter.draw(chance) for name, parameter in self.parameters.items()}


def group(document: JsonValue, where: str = "parameters") -> Group:
    """Parse the parameters of a configuration.

    Raises:
        RequestError: a parameter is not valid; the message names it.
    """
    if not isinstance(document, dict):
        raise RequestError(f"config: {where} must be a mapping of names to parameters")
    return Group({name: _parameter(entry, f"{where}.{name}") for name, entry in document.items()})


def _parameter(entry: JsonValue, where: str) -> Parameter:
    if not isinstance(entry, dict):
        raise RequestError(f"config: {where} must be a mapping, such as {{values: [1, 2]}}")
    given = [name for name in ("value", "values", "parameters") if name in entry]
    if len(given) > 1:
        raise RequestError(f"config: {where} has both {given[0]} and {given[1]}")
    if "parameters" in entry:
        return group(entry["parameters"], f"{where}.parameters")
    if "value" in entry:
        _expect(entry, where, {"constant"})
        return Choice([entry["value"]])
    if "values" in entry:
        return _choice(entry, where)
    return _numeric(entry, where)


def _choice(entry: JsonObject, where: str) -> Choice:
    _expect(entry, where, {"categorical", "categorical_w_probabilities"})
    values, weights = entry["values"], entry.get("probabilities")
    if not isinstance(values, list) or not values:
        raise RequestError(f"config: {where}.values must be a list with one value at least")
    if weights is None:
        if entry.get("distribution") == "categorical_w_probabilities":
            raise RequestError(f"config: {where} needs probabilities")
        return Choice(values)
    numbers = weights if isinstance(weights, list) else []
    shares = [float(share) for share in numbers if _is_number(share) and share >= 0]
    if len(shares) != len(numbers) or len(shares) != len(values) or abs(sum(shares) - 1) > 1e-6:
        raise RequestError(f"config: {where}.probabilities must be one number for each value, with the sum 1")
    return Choice(values, shares)


def _expect(entry: JsonObject, where: str, distributions: set[str]) -> None:
    distribution = entry.get("distribution")
    if distribution is not None and distribution not in distributions:
        raise RequestError(f"config: {where}: the distribution {distribution!r} does not fit its values")


def _numeric(entry: JsonObject, where: str) -> Parameter:
    distribution = entry.get("distribution")
    if distribution is None:
        distribution = _implied(entry, where)
    if distribution == "int_uniform":
        least, most = _bounds(entry, where)
        if not isinstance(least, int) or not isinstance(most, int):
            raise RequestError(f"config: {where}: min and max of int_uniform must be whole numbers")
        return Integers(least, most)
    if not isinstance(distribution, str) or distribution.removeprefix("q_") not in _SAMPLES:
        known = ", ".join(
            ["constant", "categorical", "categorical_w_probabilities", "int_uniform", *_SAMPLES]
        )
        raise RequestError(
            f"config: {where}: unknown distribution {distribution!r}: known are {known}, most also with q_ in front"
        )
    rounded = distribution.startswith("q_")
    if rounded and distribution.removeprefix("q_").startswith("inv_"):
        raise RequestError(f"config: {where}: there is no distribution {distribution!r}")
    sample = _SAMPLES[distribution.removeprefix("q_")](entry, where)
    if not rounded:
        return Continuous(sample)
    step = entry.get("q", 1)
    if not _is_number(step) or step <= 0:
        raise RequestError(f"config: {where}.q must be a number above 0")
    return Continuous(sample, step, _bounds(entry, where) if distribution == "q_uniform" else None)


def _implied(entry: JsonObject, where: str) -> str:
    if "min" not in entry and "max" not in entry:
        raise RequestError(f"config: {where} needs a value, values, min and max, or a distribution")
    bounds = _bounds(entry, where)
    if all(isinstance(bound, int) for bound in bounds):
        return "int_uniform"
    if all(isinstance(bound, float) for bound in bounds):
        return "uniform"
    raise RequestError(f"config: {where} is ambiguous: write min and max both as floats or both as ints")


def _bounds(entry: JsonObject, where: str) -> tuple[Number, Number]:
    least, most = _number(entry, "min", where), _number(entry, "max", where)
    if least > most:
        raise RequestError(f"config: {where}: min {least} is above max {most}")
    return least, most


def _number(entry: JsonObject, name: str, where: str, default: Number | None = None) -> Number:
    value = entry.get(name, default)
    if not _is_number(value):
        advice = " (YAML reads 1e-5 as a string, 1.0e-5 as a number)" if isinstance(value, str) else ""
        raise RequestError(f"config: {where}.{name} must be a number{advice}")
    return value


def _positive(entry: JsonObject, name: str, where: str, default: Number | None = None) -> Number:
    value = _number(entry, name, where, default)
    if value <= 0:
        raise RequestError(f"config: {where}.{name} must be above 0")
    return value


def _is_number(value: JsonValue) -> TypeGuard[Number]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _uniform(entry: JsonObject, where: str) -> Callable[[Random], float]:
    bounds = _bounds(entry, where)
    return lambda chance: chance.uniform(*bounds)


def _log_uniform(entry: JsonObject, where: str) -> Callable[[Random], float]:
    """Make the sampler; the bounds are exponents of e."""
    bounds = _bounds(entry, where)
    _check_exponents(bounds, where)
    return lambda chance: math.exp(chance.uniform(*bounds))


def _inverse_log_uniform(entry: JsonObject, where: str) -> Callable[[Random], float]:
    bounds = _bounds(entry, where)
    _check_exponents(bounds, where)
    return lambda chance: math.exp(-chance.uniform(*bounds))


def _log_uniform_values(entry: JsonObject, where: str) -> Callable[[Random], float]:
    """Make the sampler; the bounds are values, and log(1/X) is uniform whenever log(X) is."""
    least, most = _bounds(entry, where)
    _positive(entry, "min", where)
    low, high = math.log(least), math.log(most)
    return lambda chance: min(max(math.exp(chance.uniform(low, high)), least), most)


def _normal(entry: JsonObject, where: str) -> Callable[[Random], float]:
    mean, deviation = _number(entry, "mu", where, 0), _positive(entry, "sigma", where, 1)
    return lambda chance: chance.normalvariate(mean, deviation)


def _log_normal(entry: JsonObject, where: str) -> Callable[[Random], float]:
    mean, deviation = _number(entry, "mu", where, 0), _positive(entry, "sigma", where, 1)
    return lambda chance: chance.lognormvariate(mean, deviation)


def _beta(entry: JsonObject, where: str) -> Callable[[Random], float]:
    alpha, beta = _positive(entry, "a", where), _positive(entry, "b", where)
    return lambda chance: chance.betavariate(alpha, beta)


def _check_exponents(bounds: tuple[Number, Number], where: str) -> None:
    if max(abs(bound) for bound in bounds) > 700:
        raise RequestError(
            f"config: {where}: min and max of this distribution are exponents of e; "
            "log_uniform_values takes the values themselves"
        )


_SAMPLES: dict[str, Callable[[JsonObject, str], Callable[[Random], float]]] = {
    "uniform": _uniform,
    "log_uniform": _log_uniform,
    "log_uniform_values": _log_uniform_values,
    "inv_log_uniform": _inverse_log_uniform,
    "inv_log_uniform_values": _log_uniform_values,
    "normal": _normal,
    "log_normal": _log_normal,
    "beta": _beta,
}
