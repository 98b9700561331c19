"""Calls that change runs; what counts is what the server holds afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import numpy as np
from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import ENTITY, target
from tests.conformance.library import Library

WRITING = Calls()


def _creating(library: Library) -> Mapping[str, Thing]:
    return {"": (library.Run, library.api())}


@WRITING.of("Run.create", on=_creating, changes="created")
def create(made_by: tuple[Thing, Thing]) -> object:
    """with an id."""
    run_class, api = made_by
    made = run_class.create(api, "create", "changes", ENTITY)
    return [made.path, made.state, made.config, dict(made.summary), made.tags]


@WRITING.of("Run.create", on=_creating)
def create_without_an_id(made_by: tuple[Thing, Thing]) -> object:
    """without an id: its form."""
    run_class, api = made_by
    made = run_class.create(api, project="changes")
    return [len(made.id), made.id == made.id.lower(), made.id.isalnum(), made.entity]


@WRITING.of("Run.create", on=_creating, changes="run")
def create_again(made_by: tuple[Thing, Thing]) -> object:
    """with the id of a run that is there: its config as it is shown."""
    run_class, api = made_by
    return run_class.create(api, "create_again", "changes", ENTITY).config


@WRITING.of("Run.update", on=target("update_fields"), changes="run")
def update_fields(found: Thing) -> object:
    """name, tags and notes, which were assigned."""
    found.name = "another name ✓"
    found.tags = ["b", "a", "grün"]
    found.notes = "other\nnotes"
    found.update()
    return [found.name, found.tags, found.notes]


@WRITING.of("Run.update", on=target("update_display_name"), changes="run")
def update_display_name(found: Thing) -> object:
    """`display_name`, which was assigned."""
    found.display_name = "another name"
    found.update()
    return found.display_name


@WRITING.of("Run.update", on=target("update_group"), changes="run")
def update_group(found: Thing) -> object:
    """`group` and `job_type`, which were assigned."""
    found.group, found.job_type = "other", "eval"
    found.update()
    return [found.group, found.job_type]


@WRITING.of("Run.update", on=target("update_config"), changes="run")
def update_config(found: Thing) -> object:
    """config, changed in place: nested, added, deleted."""
    found.config["lr"] = 0.5
    found.config["optimizer"]["name"] = "adam"
    found.config["new"] = {"a": [1, None, 2.5]}
    del found.config["layers"]
    found.update()
    return found.config


@WRITING.of("Run.update", on=target("update_tags"), changes="run")
def update_tags(found: Thing) -> object:
    """tags, changed in place."""
    found.tags.append("appended")
    found.update()
    return found.tags


@WRITING.of("Run.update", on=target("update_nothing"), changes="run")
def update_nothing(found: Thing) -> object:
    """nothing was changed."""
    return found.update()


@WRITING.of("Run.save", on=target("save"), changes="run")
def save(found: Thing) -> object:
    """a note, which was assigned."""
    found.notes = "saved"
    return found.save()


@WRITING.of("Run.summary", "Run.update", on=target("summary_then_update"), changes="run")
def summary_then_update(found: Thing) -> object:
    """keys assigned and deleted, then `Run.update()`."""
    found.summary["added"] = 1 / 3
    found.summary["  blanks "] = "stripped"
    del found.summary["best"]
    found.update()
    return dict(found.summary)


@WRITING.of("Run.summary", on=target("summary_assigned"), changes="run")
def summary_assigned(found: Thing) -> object:
    """a number assigned, and nothing more."""
    found.summary["added"] = 1
    return found.summary["added"]


@WRITING.of("Run.summary", on=target("summary_object_assigned"), changes="run")
def summary_object_assigned(found: Thing) -> object:
    """an object assigned, and nothing more."""
    found.summary["added"] = {"a": 1}
    return dict(found.summary["added"])


@WRITING.of("Run.summary", on=target("summary_update"), changes="run")
def summary_update(found: Thing) -> object:
    """`summary.update()`: values of all kinds, and an object in place of another."""
    found.summary.update(
        {
            "deep": {"other": 1},
            "text": "ü ✓",
            "none": None,
            "list": [1, [2.5, "x"]],
            "scalar": np.float64(0.1),
            "whole": np.int32(7),
            "array": np.array([1, 2, 3]),
            "one": np.array([4.5]),
            "infinite": math.inf,
            "bytes": b"abc",
            "when": datetime(2024, 1, 2, 3, 4, 5),  # noqa: DTZ001 - as people write it
        }
    )
    return found.summary["text"]


@WRITING.of("Run.summary", on=target("summary_nested"), changes="run")
def summary_nested(found: Thing) -> object:
    """a value inside an object, then `summary.update()`."""
    found.summary["deep"]["x"]["y"] = 7
    found.summary.update()
    return found.summary["deep"]["x"]["y"]


@WRITING.of("Run.summary", on=target("summary_nan"), changes="run")
def summary_nan(found: Thing) -> object:
    """NaN, by `summary.update()`."""
    return found.summary.update({"undefined": math.nan})


@WRITING.of("Run.summary", on=target("summary_large_array"), changes="run")
def summary_large_array(found: Thing) -> object:
    """an array of 33 numbers."""
    return found.summary.update({"large": np.arange(33)})


@WRITING.of("Run.delete", on=target("delete"), changes="run")
def delete(found: Thing) -> object:
    """a run."""
    return found.delete()


@WRITING.of("Run.delete", on=target("delete_with_artifacts"), changes="artifact")
def delete_with_artifacts(found: Thing) -> object:
    """`delete_artifacts=True`."""
    return found.delete(delete_artifacts=True)


@WRITING.of("Run.delete", on=target("delete_twice"), changes="run")
def delete_twice(found: Thing) -> object:
    """a run that is gone."""
    found.delete()
    return found.delete()


@WRITING.of("Run.update", on=target("update_deleted"), changes="run")
def update_deleted(found: Thing) -> object:
    """a run that is gone."""
    found.delete()
    found.notes = "too late"
    return found.update()


@WRITING.of("Run.stop", on=target("stop"), changes="run")
def stop(found: Thing) -> object:
    """a run that has ended, twice."""
    return [found.stop(), found.stop()]


@WRITING.of("Run.create", "Run.update_state", on=_creating, changes="created")
def pending(made_by: tuple[Thing, Thing]) -> object:
    """a pending run, which then has failed."""
    run_class, api = made_by
    made = run_class.create(api, "pending", "changes", ENTITY, state="pending")
    return [made.state, made.update_state("failed"), made.state]


@WRITING.of("Run.update_state", on=_creating, changes="created")
def update_state_to_nothing(made_by: tuple[Thing, Thing]) -> object:
    """a state that no run can be put in."""
    run_class, api = made_by
    return run_class.create(api, "update_state_to_nothing", "changes", ENTITY).update_state("finished")


@WRITING.of("Api.create_run", on=_creating, changes="created")
def create_run(made_by: tuple[Thing, Thing]) -> object:
    """with an id."""
    _, api = made_by
    made = api.create_run(run_id="create_run", project="changes", entity=ENTITY)
    return [made.path, made.state]


@WRITING.of("Api.create_project", on=_creating, changes="created")
def create_project(made_by: tuple[Thing, Thing]) -> object:
    """a new one, then the same again: how it is listed."""
    _, api = made_by
    api.create_project("made", ENTITY)
    api.create_project("made", ENTITY)
    return [project.path for project in api.projects(ENTITY) if project.name == "made"]
