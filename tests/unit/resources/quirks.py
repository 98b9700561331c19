"""Honest servers with quirks: they cap, downsample roughly, mix up the order, refuse, and count wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.unit.resources.histories_server import ListOnServer
from tests.unit.resources.history_server import RunOnServer, Variables, on_the_wire
from tests.unit.transport.stepping import sent

from runql.errors import RunqlError
from runql.resources.history.sampled import Row
from runql.transport.flow import Effect, Offload
from runql.transport.wire import Response

REFUSALS = {
    "graphql": Response(200, b'{"data": {"project": null}, "errors": [{"message": "too many samples"}]}'),
    "400": Response(400, b"too many samples"),
    "500": Response(500, b"too many samples"),
}


@dataclass(frozen=True)
class ServerQuirks:
    """How a server deals with ``samples``.

    Attributes:
        cap: the most samples that it accepts, silently; None for any number.
        share: the part of the samples that it keeps to.
        jitter: how far from that the length of a downsampled list may be, in either direction.
        mixes: whether downsampled rows come in any order.
        refuses: samples above which it refuses; None for none.
        refusal: how.
    """

    cap: int | None = None
    share: float = 1
    jitter: float = 0
    mixes: bool = False
    refuses: int | None = None
    refusal: str = "graphql"

    def kept(self, samples: int) -> int:
        """Rows that a list may have before it is downsampled."""
        most = samples if self.cap is None else min(samples, self.cap)
        return max(2, int(most * self.share))

    def refused(self, asked: Variables) -> bool:
        """Whether a request asks for too much."""
        samples = [int(asked["samples"])] if asked["whole"] else list[int]()
        samples += _samples_of_specs(asked)
        return self.refuses is not None and max(samples, default=0) > self.refuses


def _samples_of_specs(asked: Variables) -> list[int]:
    return [int(json.loads(spec)["samples"]) for spec in asked["specs"]] if asked["chosen"] else []


@dataclass
class QuirkyRun(RunOnServer):
    """A run on a server with quirks.

    Attributes:
        quirks: of the server.
        miscounted: rows that `historyKeys` counts too few of each key, below 0 for too many.
        wrong_counts: those that it reported, of rows (None) or of rows with a key.
        deceives: whether it reported a wrong count for a downsampled list of just as many rows.
    """

    quirks: ServerQuirks = field(default_factory=ServerQuirks)
    miscounted: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    wrong_counts: set[tuple[str | None, int]] = field(default_factory=set[tuple[str | None, int]])

    def answer(self, effect: Effect) -> Response:
        if self.quirks.refused(on_the_wire(sent(effect))):
            self.operations.append(sent(effect))
            assert self.requests < 2000, "the scan does not end"
            return REFUSALS[self.quirks.refusal]
        return super().answer(effect)

    deceives: bool = False
    _lengths: list[int] = field(default_factory=list[int])

    def fields(self, asked: Variables) -> dict[str, object]:
        self._lengths.clear()
        run = super().fields(asked)
        lines = run["historyLineCount"]
        if isinstance(lines, int) and lines != len(self.rows):
            self.wrong_counts.add((None, lines))
            self.deceives |= lines in self._lengths
        return run

    def _counts(self) -> dict[str, int]:
        right = {key: sum(row.get(key) is not None for row in self.rows) for key in super()._counts()}
        counts = super()._counts()
        if self.miscounted:
            counts = {key: max(1, count - self.miscounted) for key, count in right.items()}
        self.wrong_counts |= {(key, count) for key, count in counts.items() if count != right[key]}
        return counts

    def _downsampled(self, rows: list[Row], samples: int) -> list[Row]:
        kept = self.quirks.kept(samples)
        if len(rows) <= kept:
            return rows
        wanted = round(kept * self.chance.uniform(1 - self.quirks.jitter, 1 + self.quirks.jitter))
        chosen = super()._downsampled(rows, max(2, min(wanted, len(rows) - 1)))
        if self.quirks.mixes:
            chosen = [*chosen]
            self.chance.shuffle(chosen)
        self._lengths.append(len(chosen))
        return chosen


@dataclass
class QuirkyList(ListOnServer):
    """Runs on a server with quirks."""

    quirks: ServerQuirks = field(default_factory=ServerQuirks)

    def answer(self, effect: Effect) -> Response | RunqlError | None:
        if not isinstance(effect, Offload):
            asked = on_the_wire(sent(effect))
            if "samples" in asked and self.quirks.refused(asked):
                self.operations[sent(effect).name] += 1
                return REFUSALS[self.quirks.refusal]
        return super().answer(effect)


def rows_at(steps: Sequence[int], rare: int = 7) -> list[Row]:
    """Rows at some steps, of which one in ``rare`` has another key."""
    rows: list[Row] = []
    for place, step in enumerate(steps):
        row: Row = {"_step": step, "loss": step / 2}
        rows.append({**row, "acc": step} if place % rare == 0 else row)
    return rows
