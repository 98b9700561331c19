"""Calls that read metrics of one run: sampled, and every row."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import every_run, run

METRICS = Calls()
TWO_KEYS = ["loss", "val/accuracy"]
APART = ["val/accuracy", "elsewhere"]


@METRICS.of("Run.history", on=every_run)
def history(found: Thing) -> object:
    """all rows, `pandas=False`."""
    return found.history(samples=2_000, pandas=False)


@METRICS.of("Run.history", on=run("rich", "sparse"))
def history_sampled(found: Thing) -> object:
    """fewer than there are."""
    return found.history(samples=50, pandas=False)


@METRICS.of("Run.history", on=run("plain", "rich"))
def history_of_keys(found: Thing) -> object:
    """`keys`, and another `x_axis`."""
    return [
        found.history(samples=2_000, keys=["loss"], pandas=False),
        found.history(samples=2_000, keys=["loss"], x_axis="_timestamp", pandas=False),
    ]


@METRICS.of("Run.history", on=run("rich"))
def history_of_keys_apart(found: Thing) -> object:
    """two keys that are never logged together."""
    return found.history(keys=APART, pandas=False)


@METRICS.of("Run.history", on=run("rich"))
def history_of_numbers_that_are_none(found: Thing) -> object:
    """NaN and infinities, by key."""
    return found.history(keys=["unstable"], pandas=False)


@METRICS.of("Run.history", on=run("rich"))
def history_of_big_numbers(found: Thing) -> object:
    """an integer beyond 2^53, by key."""
    return found.history(keys=["late"], pandas=False)


@METRICS.of("Run.history", on=run("plain", "sparse", "failed"))
def history_in_pandas(found: Thing) -> object:
    """as a frame: columns, dtypes and values."""
    return found.history()


@METRICS.of("Run.history", on=run("rich"))
def history_of_keys_in_pandas(found: Thing) -> object:
    """`keys` as a frame."""
    return found.history(keys=TWO_KEYS)


@METRICS.of("Run.history", on=run("empty"))
def history_of_nothing_in_pandas(found: Thing) -> object:
    """no rows, as a frame."""
    return list(found.history().shape)


@METRICS.of("Run.history", on=every_run)
def history_of_machines(found: Thing) -> object:
    """`stream="system"`."""
    return found.history(stream="system", pandas=False)


@METRICS.of("Run.history", on=run("rich"))
def history_of_keys_of_machines(found: Thing) -> object:
    """`stream="system"` with `keys`: what the rows hold."""
    rows = found.history(stream="system", keys=["system.cpu"], pandas=False)
    return sorted({" ".join(sorted(row)) for row in rows})


@METRICS.of("Run.history", on=run("rich"))
def history_of_a_text(found: Thing) -> object:
    """`keys` that is no list."""
    return found.history(keys="loss", pandas=False)


@METRICS.of("Run.scan_history", on=every_run)
def scan_history(found: Thing) -> object:
    """every row."""
    return list(found.scan_history())


@METRICS.of("Run.scan_history", on=run("rich", "sparse"))
def scan_history_in_windows(found: Thing) -> object:
    """every row, `page_size=500`."""
    return list(found.scan_history(page_size=500))


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_between_steps(found: Thing) -> object:
    """`min_step` and `max_step`."""
    ranges = [(100, 150), (1_150, 5_000), (0, 1), (1_199, None), (None, 10), (2_000, 3_000)]
    return [
        [row["_step"] for row in found.scan_history(page_size=100, **_bounds(first, end))]
        for first, end in ranges
    ]


def _bounds(first: int | None, end: int | None) -> dict[str, int]:
    return {name: value for name, value in (("min_step", first), ("max_step", end)) if value is not None}


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_keys_and_step(found: Thing) -> object:
    """`keys` with `_step` among them, one page."""
    return list(found.scan_history(keys=["_step", *TWO_KEYS], page_size=2_000))


@METRICS.of("Run.scan_history", on=run("plain"))
def scan_history_of_keys(found: Thing) -> object:
    """`keys` without `_step`: what the rows hold."""
    return [sorted(row) for row in found.scan_history(keys=["loss"])]


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_keys_in_windows(found: Thing) -> object:
    """`keys`, twelve windows of 100 steps: rows, and different steps among them."""
    steps = [row["_step"] for row in found.scan_history(keys=["_step", "loss"], page_size=100)]
    return [len(steps), len(set(steps))]


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_keys_apart(found: Thing) -> object:
    """two keys that are never logged together."""
    return list(found.scan_history(keys=APART))


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_a_histogram(found: Thing) -> object:
    """the key of a histogram."""
    return list(found.scan_history(keys=["_step", "hist"]))


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_numbers_that_are_none(found: Thing) -> object:
    """NaN and infinities, by key."""
    return [row["unstable"] for row in found.scan_history(keys=["_step", "unstable"])]


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_big_numbers(found: Thing) -> object:
    """an integer beyond 2^53, by key."""
    return [row["late"] for row in found.scan_history(keys=["_step", "late"])]


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_twice(found: Thing) -> object:
    """iterated twice: rows each time."""
    scan = found.scan_history(keys=["_step", "val/accuracy"], page_size=2_000)
    return [len(list(scan)), len(list(scan))]


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_a_text(found: Thing) -> object:
    """`keys` that is no list."""
    return list(found.scan_history(keys="loss"))


@METRICS.of("Run.scan_history", on=run("rich"))
def scan_history_of_an_unknown_key(found: Thing) -> object:
    """a key that was never logged."""
    return list(found.scan_history(keys=["no-such-key"]))


@METRICS.of("Run.history", on=run("rich", "failed"))
def history_of_events(found: Thing) -> object:
    """`stream="events"`, as public scripts write it."""
    return found.history(stream="events", pandas=False)


@METRICS.of("Run.scan_history", on=run("rich", "plain"))
def scan_history_step_by_step(found: Thing) -> object:
    """`next()` twice, then a loop from the start."""
    scan = found.scan_history(page_size=500)
    return [next(scan)["_step"], next(scan)["_step"], len([row for row in scan])]  # noqa: C416 - a loop is meant


@METRICS.of("Run.scan_history", on=run("empty"))
def scan_history_of_nothing_step_by_step(found: Thing) -> object:
    """`next()` of a run without rows."""
    return next(found.scan_history(), "the end")


@METRICS.of("Run.beta_scan_history", on=run("plain"))
def beta_scan_history(found: Thing) -> object:
    """every row."""
    return list(found.beta_scan_history())


@METRICS.of("Run.download_history_exports", on=run("plain", "empty"), steady=False)
def download_history_exports(found: Thing) -> object:
    """how many files, and whether rows are in none of them."""
    with TemporaryDirectory() as folder:
        saved = found.download_history_exports(folder, require_complete_history=False)
        return [len(saved.paths), saved.contains_live_data]
