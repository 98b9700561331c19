"""Calls of `Runs`: a list that is read page by page."""

from __future__ import annotations

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import ENTITY, PATH, every_run, the_api, the_library, the_runs
from tests.conformance.library import Library
from tests.conformance.write_project import PROJECT

RUNS = Calls()


@RUNS.of("Runs.__init__", on=the_library)
def made_by_hand(library: Library) -> object:
    """with filters, an order and a page size."""
    client = library.client(library.api())
    listed = library.Runs(client, ENTITY, PROJECT, {"state": "finished"}, "-created_at", 3, False)
    return [run.id for run in listed]


@RUNS.of("Runs.__init__", on=the_api)
def listed_fields(api: Thing) -> object:
    """config and summary of every run."""
    return [[run.id, run.config.get("lr"), dict(run.summary).get("loss")] for run in api.runs(PATH)]


@RUNS.of("Runs.cursor", on=the_api)
def cursor(api: Thing) -> object:
    """before the first page, and after it."""
    listed = api.runs(PATH, per_page=2)
    before = listed.cursor
    return [before, listed[0].id, listed.cursor]


@RUNS.of("Runs.more", on=the_api)
def more(api: Thing) -> object:
    """before the first page, after it, and at the end."""
    listed = api.runs(PATH, per_page=2)
    return [listed.more, listed[0].id, listed.more, len([run.id for run in listed]), listed.more]


@RUNS.of("Runs.cursor", "Runs.more", on=the_api)
def an_empty_page(api: Thing) -> object:
    """a list that no run fits: length, runs, more, cursor."""
    listed = api.runs(PATH, filters={"state": "no-such-state"})
    return [len(listed), [run.id for run in listed], listed.more, listed.cursor]


RUNS.attributes("Runs", ["length"], on=the_runs)


@RUNS.of("Runs.length", on=the_api)
def counted(api: Thing) -> object:
    """`len()`, with and without a filter."""
    return [len(api.runs(PATH)), len(api.runs(PATH, filters={"group": "gruppe"}))]


@RUNS.of("Runs.convert_objects", on=the_api)
def convert_objects(api: Thing) -> object:
    """the runs of the page that was read."""
    listed = api.runs(PATH, per_page=3)
    assert listed[0].id
    return [run.id for run in listed.convert_objects()]


@RUNS.of("Runs.convert_objects", on=the_runs)
def convert_nothing(listed: Thing) -> object:
    """before a page was read."""
    return [run.id for run in listed.convert_objects()]


@RUNS.of("Runs.__getitem__", on=the_api)
def by_index(api: Thing) -> object:
    """by index and by slice."""
    listed = api.runs(PATH, per_page=2)
    return [listed[0].id, listed[3].id, [run.id for run in listed[1:4]], [run.id for run in listed[0:5:2]]]


@RUNS.of("Runs.__getitem__", on=the_api)
def by_an_index_from_the_end(api: Thing) -> object:
    """the last of a fresh list."""
    return api.runs(PATH, per_page=2)[-1].id


@RUNS.of("Runs.__getitem__", on=the_api)
def by_an_open_slice(api: Thing) -> object:
    """a slice without an end."""
    return [run.id for run in api.runs(PATH, per_page=2)[8:]]


@RUNS.of("Runs.__getitem__", on=the_api)
def beyond_the_end(api: Thing) -> object:
    """an index that is too high."""
    return api.runs(PATH)[99].id


@RUNS.of("Runs.__iter__", on=the_api)
def twice(api: Thing) -> object:
    """iterated twice."""
    listed = api.runs(PATH, per_page=4)
    return [[run.id for run in listed], [run.id for run in listed]]


@RUNS.of("Runs.histories", on=the_runs)
def histories(listed: Thing) -> object:
    """rows of all runs, with `run_id`."""
    return listed.histories(samples=2_000)


@RUNS.of("Runs.histories", on=the_runs)
def histories_of_keys(listed: Thing) -> object:
    """`keys`, two of them, and another `x_axis`."""
    return listed.histories(samples=2_000, keys=["loss", "count"], x_axis="_timestamp")


@RUNS.of("Runs.histories", on=the_api)
def histories_in_pandas(api: Thing) -> object:
    """`format="pandas"`: columns, dtypes and values of runs that logged the same."""
    return api.runs(PATH, filters={"name": {"$regex": "swept"}}).histories(keys=["loss"], format="pandas")


@RUNS.of("Runs.histories", on=the_runs)
def histories_in_pandas_of_runs_that_differ(listed: Thing) -> object:
    """`format="pandas"`: columns and shape of all runs."""
    frame = listed.histories(samples=2_000, format="pandas")
    return [list(frame.columns), list(frame.shape)]


@RUNS.of("Runs.histories", on=the_api)
def histories_in_polars(api: Thing) -> object:
    """`format="polars"`: runs that logged the same."""
    listed = api.runs(PATH, filters={"name": {"$regex": "swept"}})
    frame = listed.histories(keys=["loss"], format="polars")
    return [frame.columns, [str(dtype) for dtype in frame.dtypes], frame.rows()]


@RUNS.of("Runs.histories", on=the_api)
def histories_in_polars_of_runs_that_differ(api: Thing) -> object:
    """`format="polars"`: runs that logged different metrics, whole numbers beside others."""
    listed = api.runs(PATH, filters={"name": {"$in": ["plain", "swept-0"]}})
    frame = listed.histories(format="polars")
    return [list(frame.shape), sorted(frame.columns)]


@RUNS.of("Runs.histories", on=the_runs)
def histories_of_machines(listed: Thing) -> object:
    """`stream="system"`."""
    return [sorted(row) for row in listed.histories(stream="system")]


@RUNS.of("Runs.histories", on=the_runs)
def histories_in_no_format(listed: Thing) -> object:
    """an unknown format."""
    return listed.histories(format="arrow")


@RUNS.of("Run.__init__", on=every_run)
def from_a_list(run: Thing) -> object:
    """from a list: path."""
    return run.path


@RUNS.of("Runs.next", on=the_api)
def step_by_step(api: Thing) -> object:
    """`next(runs)` and `runs.next()`, then a loop from the start."""
    listed = api.runs(PATH, per_page=2)
    return [next(listed).id, listed.next().id, next(listed).id, [run.id for run in listed]]


@RUNS.of("Runs.upgrade_to_full", on=the_api)
def upgrade_to_full(api: Thing) -> object:
    """a list that was read lazily: configs of all runs."""
    listed = api.runs(PATH, per_page=50, lazy=True)
    assert [run.id for run in listed]
    listed.upgrade_to_full()
    return [[run.id, dict(run.config)] for run in listed]
