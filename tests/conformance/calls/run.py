"""Calls that read one run: its fields, its state, its HTML, its sweep."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import FrameType

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import ENTITY, every_run, run, the_library
from tests.conformance.library import Library
from tests.conformance.write_project import CONSOLE, PROJECT

RUN = Calls()
RUN.attributes(
    "Run",
    (
        *("entity", "id", "json_config", "name", "path", "state", "storage_id", "url", "username"),
        *("tags", "config", "created_at", "system_metrics", "project", "notes", "read_only", "history_keys"),
        *(
            "project_internal_id",
            "display_name",
            "group",
            "job_type",
            "description",
            "commit",
            "heartbeat_at",
        ),
        *("sweep_name", "history_line_count", "rawconfig", "summary_metrics", "lastHistoryStep", "metadata"),
    ),
    on=every_run,
)


@RUN.of("Run.__init__", on=the_library)
def made_by_hand_alone(library: Library) -> object:
    """with client, entity, project and id."""
    made = library.Run(library.client(library.api()), ENTITY, PROJECT, "plain")
    made.load()
    return [made.name, made.state, made.config]


@RUN.of("Run.__init__", on=the_library)
def made_by_hand_of_nothing(library: Library) -> object:
    """with the id of no run."""
    made = library.Run(library.client(library.api()), ENTITY, PROJECT, "no-such-run")
    made.load()
    return made.state


@RUN.of("Run.load", on=run("plain", "failed"))
def load(found: Thing) -> object:
    """`load()`, and `load(force=True)`."""
    found.load()
    before = found.state
    found.load(force=True)
    return [before, found.state, found.name, found.config]


@RUN.of("Run.summary", on=every_run)
def summary(found: Thing) -> object:
    """as a dict."""
    return dict(found.summary)


@RUN.of("Run.summary", on=run("rich"))
def summary_by_key(found: Thing) -> object:
    """by key, nested, `get`, `in`, `keys`, an unknown key."""
    values = found.summary
    return [
        values["best"],
        values["deep"]["x"]["y"],
        values["deep"]["x"]["list"],
        values.get("no-such-key"),
        values.get("no-such-key", 7),
        "best" in values,
        "no-such-key" in values,
        sorted(values.keys()),
    ]


@RUN.of("Run.summary", on=run("rich"))
def summary_of_an_unknown_key(found: Thing) -> object:
    """an unknown key by index."""
    return found.summary["no-such-key"]


@RUN.of("Run.user", "User.name", on=every_run)
def user_of_a_run(found: Thing) -> object:
    """name and username."""
    return [found.user.name, found.user.username]


@RUN.of("Run.user", on=run("rich"))
def user_as_text(found: Thing) -> object:
    """as a text, as which the reference documents it."""
    return str(found.user)


@RUN.of("Run.sweep", on=every_run)
def sweep_of_a_run(found: Thing) -> object:
    """its id and configuration, or None."""
    return None if found.sweep is None else [found.sweep.id, found.sweep.config]


@RUN.of("Run.to_html", on=every_run)
def to_html(found: Thing) -> object:
    """plain, higher, hidden."""
    return [found.to_html(), found.to_html(300), found.to_html(height=200, hidden=True)]


@RUN.of("Run.wait_until_finished", on=run("rich", "failed", "crashed"))
def wait_until_finished(found: Thing) -> object:
    """runs that have ended."""
    found.wait_until_finished()
    return found.state


@RUN.of("Run.wait_until_finished", on=run("killed"))
def wait_until_finished_when_killed(found: Thing) -> object:
    """a run that was killed."""
    return _within(2, found)


@RUN.of("Run.wait_until_finished", on=run("running"))
def wait_until_finished_when_running(found: Thing) -> object:
    """a run that goes on."""
    return _within(2, found)


class _OverError(BaseException):
    """The time is over. No `Exception`: nobody on the way may catch it."""


def _within(seconds: float, found: Thing) -> object:
    signal.signal(signal.SIGALRM, _over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        found.wait_until_finished()
    except _OverError:
        return f"still waiting after {seconds} seconds"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return found.state


def _over(_signal: int, _frame: FrameType | None) -> None:
    raise _OverError


@RUN.of("Run.load_full_data", on=run("plain", "failed"))
def load_full_data(found: Thing) -> object:
    """`load_full_data()`, and with `force=True`."""
    found.load_full_data()
    before = dict(found.config)
    found.load_full_data(force=True)
    return [before, dict(found.config), found.state]


def _talking(library: Library) -> Mapping[str, Thing]:
    return {"": library.api().run(f"{ENTITY}/{CONSOLE}/talking")}


@RUN.of("Run.console_logs", on=_talking)
def console_logs(found: Thing) -> object:
    """every line, two a page."""
    lines = [[line.number, line.level, line.label, line.content] for line in found.console_logs(per_page=2)]
    return [line for line in lines if "line" in line[3] or "stream" in line[3]]


@RUN.of("Run.console_logs", on=_talking)
def console_logs_at_the_end(found: Thing) -> object:
    """the last two lines."""
    return [[line.number, line.timestamp is None, line.content] for line in found.console_logs(last=2)]


@RUN.of("Run.console_logs", on=run("empty"))
def console_logs_of_nothing(found: Thing) -> object:
    """a run that printed nothing."""
    return [line.content for line in found.console_logs()]


@RUN.of("Run.summary", on=run("rich", "plain"))
def summary_as_a_plain_dict(found: Thing) -> object:
    """`summary._json_dict`, as W&B's own example reads it."""
    return found.summary._json_dict
