"""What is known of a run: the two shapes, late decoding, one request for a whole page."""

from __future__ import annotations

import json

import pytest
from tests.unit.resources.answers import in_project, page_of, run_body
from tests.unit.transport.stepping import answered, ended, played, returned

from runql.errors import NotLoadedError, ProjectNotFoundError, RunNotFoundError
from runql.paths import RunAddress
from runql.resources.history.plan import HistoryHints
from runql.resources.records.run_fields import read_run
from runql.resources.runs.editing import EditableRun
from runql.resources.runs.query import RunQuery
from runql.resources.runs.record import ListedPage, fields_of, read_last_step
from runql.resources.runs.summary import SummaryValues
from runql.transport.flow import Flow, Send
from runql.values import parse_summary
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import get_history_keys, get_run, list_full_runs

RUN = RunAddress("e", "p", "r")
QUERY = RunQuery("e", "p", "{}", "-created_at", 3)


class HandRun(EditableRun):
    """A run whose loading is stepped by hand."""

    def _light(self) -> RunFields | FullRunFields:
        if self._fields is None:
            raise NotLoadedError("not loaded")
        return self._fields

    def _full(self) -> FullRunFields:
        if not isinstance(self._fields, FullRunFields):
            raise NotLoadedError("not loaded in full")
        return self._fields

    def load(self, *, force: bool = False) -> Flow[None]:
        return self._load(force=force)

    @property
    def read_tags(self) -> list[str] | None:
        return self._light().tags

    def wait(self) -> Flow[None]:
        return self._wait(None)

    @property
    def known(self) -> HistoryHints:
        return self._known()

    @property
    def is_full(self) -> bool:
        return isinstance(self._fields, FullRunFields)


def hand_run(
    run_id: str = "r", *, page: ListedPage | None = None, full: bool = False, **given: object
) -> HandRun:
    fields = fields_of(run_body(run_id, full=full, **given))
    run = HandRun(RunAddress("e", "p", run_id), "https://app", fields, page)
    if page is not None:
        page.runs.append(run)
    return run


def test_a_run_is_read_in_full_by_one_request() -> None:
    flow = read_run(RUN)
    assert next(flow) == Send(get_run(entity="e", project="p", run="r"))
    fields = ended(flow, in_project(run=run_body("r", full=True, config='{"lr": {"value": 1}}')))
    assert (fields.id, fields.name, fields.config) == ("storage:r", "r", '{"lr": {"value": 1}}')


@pytest.mark.parametrize(
    ("data", "error"),
    [({"project": None}, ProjectNotFoundError), ({"project": {"run": None}}, RunNotFoundError)],
)
def test_what_is_absent_is_told_apart(data: object, error: type[Exception]) -> None:
    for flow in (read_run(RUN), read_last_step(RUN)):
        next(flow)
        with pytest.raises(error, match="e/p"):
            flow.send(answered(data))


@pytest.mark.parametrize(
    ("keys", "step"),
    [({"lastStep": 41}, 41), ({"lastStep": 0}, 0), ({"lastStep": -1}, -1), ({}, -1), (None, -1)],
)
def test_the_last_step_is_asked_for_each_time(keys: object, step: int) -> None:
    flow = read_last_step(RUN)
    assert next(flow) == Send(get_history_keys(entity="e", project="p", run="r"))
    assert ended(flow, in_project(run={"historyKeys": keys})) == step


def test_a_light_run_shows_the_light_fields_without_a_request() -> None:
    run = hand_run(
        tags=["a", "b"],
        group="g",
        jobType="train",
        sweepName="s",
        heartbeatAt="2026-07-01T13:00:00",
        notes="n",
    )
    assert (run.id, run.storage_id, run.name, run.display_name) == ("r", "storage:r", "run r", "run r")
    assert (run.entity, run.project, run.path) == ("e", "p", ["e", "p", "r"])
    assert run.url == "https://app/e/p/runs/r"
    assert (run.state, run.tags, run.group, run.job_type) == ("finished", ["a", "b"], "g", "train")
    assert (run.sweep_name, run.notes, run.description, run.commit) == ("s", "n", None, None)
    assert (run.created_at, run.heartbeat_at) == ("2026-07-01T12:00:00", "2026-07-01T13:00:00")
    assert (run.read_only, run.history_line_count, run.project_internal_id) == (False, 0, 77)
    assert str(run.user) == "Ada"
    assert repr(run) == "<Run e/p/r (finished)>"


def test_missing_values_have_a_plain_form() -> None:
    run = hand_run(tags=None, state=None, user=None)
    assert (run.tags, run.state, run.user) == ([], "not found", None)
    assert repr(run) == "<Run e/p/r (not found)>"
    assert repr(HandRun(RUN, "https://app", None)) == "<Run e/p/r (not found)>"


def test_changing_the_tags_leaves_what_was_read() -> None:
    run = hand_run(tags=["a"])
    run.tags.append("b")
    assert (run.tags, run.read_tags) == (["a", "b"], ["a"])


def test_quoting_keeps_paths_apart() -> None:
    run = HandRun(RunAddress("e", "a b", "r/1"), "https://app", None)
    assert run.path == ["e", "a%20b", "r%2F1"]
    assert run.url == "https://app/e/a%20b/runs/r%2F1"


def test_the_username_is_deprecated() -> None:
    with pytest.deprecated_call(match="Run.entity"):
        assert hand_run().username == "e"


def test_json_texts_are_decoded_when_looked_at() -> None:
    broken = hand_run(full=True, config="{broken", summaryMetrics='{"loss": NaN}', systemMetrics='{"cpu": 1}')
    assert repr(broken.summary_metrics) == "{'loss': nan}"
    assert broken.system_metrics == {"cpu": 1}
    with pytest.raises(ValueError, match="not JSON"):
        _ = broken.config


def test_json_texts_are_decoded_once() -> None:
    run = hand_run(full=True, summaryMetrics='{"loss": 1}')
    assert run.summary_metrics == {"loss": 1}
    assert run.system_metrics is run.system_metrics


def test_the_config_is_unwrapped_and_the_sdks_entries_are_apart() -> None:
    stored = {
        "_wandb": {"value": {"cli_version": "0.21.4"}, "desc": None},
        "wandb_version": 1,
        "lr": {"value": 0.1, "desc": "rate"},
        "model": {"value": {"layers": 2}},
    }
    run = hand_run(full=True, config=json.dumps(stored))
    assert run.config == {"lr": 0.1, "model": {"layers": 2}}
    assert run.rawconfig == {"_wandb": {"cli_version": "0.21.4"}, "wandb_version": 1, **run.config}
    assert json.loads(run.json_config) == {
        "_wandb": {"value": {"cli_version": "0.21.4"}, "desc": None},
        "lr": {"value": 0.1, "desc": None},
        "model": {"value": {"layers": 2}, "desc": None},
    }


@pytest.mark.parametrize("text", [None, "", "null", "{}"])
def test_a_run_without_texts_is_empty(text: str | None) -> None:
    run = hand_run(full=True, config=text, summaryMetrics=text, systemMetrics=text)
    assert (run.config, run.rawconfig, run.summary_metrics, run.system_metrics) == ({}, {}, {}, {})
    assert run.json_config == "{}"


@pytest.mark.parametrize("keys", [None, [], "text", {"lastStep": 5, "keys": {}}])
def test_history_keys_are_an_object_or_nothing(keys: object) -> None:
    assert hand_run(full=True, historyKeys=keys).history_keys == (keys if isinstance(keys, dict) else None)


def test_a_scan_starts_with_what_the_run_knows() -> None:
    assert HandRun(RUN, "https://app", None).known == HistoryHints(None, None)
    assert hand_run(historyLineCount=9).known == HistoryHints(None, 9)
    assert hand_run(full=True, historyLineCount=9, historyKeys={"lastStep": 8}).known == HistoryHints(8, 9)
    assert hand_run(full=True, historyLineCount=None, historyKeys={"lastStep": -1}).known == HistoryHints(
        None, None
    )


def test_loading_asks_once_and_refreshing_again() -> None:
    run = hand_run()
    _, effects = played(run.load(), [in_project(run=run_body("r", full=True, state="running"))])
    assert effects == [Send(get_run(entity="e", project="p", run="r"))]
    assert run.is_full
    returned(run.load())
    _, effects = played(run.load(force=True), [in_project(run=run_body("r", full=True, state="crashed"))])
    assert len(effects) == 1
    assert run.state == "crashed"


def test_a_refresh_drops_what_was_decoded() -> None:
    run = hand_run(full=True, config='{"a": 1}', summaryMetrics='{"a": 1}', systemMetrics='{"a": 1}')
    assert (run.config, run.summary_metrics, run.system_metrics) == ({"a": 1}, {"a": 1}, {"a": 1})
    fresh = run_body("r", full=True, config='{"b": 2}', summaryMetrics='{"b": 2}', systemMetrics='{"b": 2}')
    played(run.load(force=True), [in_project(run=fresh)])
    assert (run.config, run.summary_metrics, run.system_metrics) == ({"b": 2}, {"b": 2}, {"b": 2})


def test_a_refresh_that_fails_changes_nothing() -> None:
    run = hand_run(full=True, config='{"a": 1}')
    with pytest.raises(RunNotFoundError):
        played(run.load(force=True), [in_project(run=None)])
    assert run.config == {"a": 1}


def test_the_first_look_loads_the_whole_page_by_one_request() -> None:
    page = ListedPage(QUERY, "cursor")
    runs = [hand_run(run_id, page=page) for run_id in ("a", "b", "c")]
    _, effects = played(runs[1].load(), [page_of("a", "b", "c")])
    asked = list_full_runs(
        entity="e", project="p", filters="{}", order="-created_at", first=3, after="cursor"
    )
    assert effects == [Send(asked)]
    assert [run.is_full for run in runs] == [True, True, True]
    for run in runs:
        returned(run.load())


def test_a_run_that_has_left_its_page_is_read_alone() -> None:
    page = ListedPage(QUERY, None)
    runs = [hand_run(run_id, page=page) for run_id in ("a", "b")]
    alone = in_project(run=run_body("a", full=True, state="failed"))
    _, effects = played(runs[0].load(), [page_of("b", "new"), alone])
    assert effects[1] == Send(get_run(entity="e", project="p", run="a"))
    assert runs[0].state == "failed"
    assert [run.is_full for run in runs] == [True, True]


def test_a_run_that_stayed_on_its_page_is_not_read_alone_because_another_left() -> None:
    page = ListedPage(QUERY, None)
    runs = [hand_run(run_id, page=page) for run_id in ("a", "b", "gone")]
    played(runs[0].load(), [page_of("a", "b")])
    assert [run.is_full for run in runs] == [True, True, False]


def test_a_refresh_of_a_listed_run_reads_that_run_alone() -> None:
    page = ListedPage(QUERY, None)
    runs = [hand_run(run_id, page=page) for run_id in ("a", "b")]
    _, effects = played(runs[0].load(force=True), [in_project(run=run_body("a", full=True))])
    assert effects == [Send(get_run(entity="e", project="p", run="a"))]
    assert [run.is_full for run in runs] == [True, False]


def test_a_page_that_is_read_later_does_not_undo_a_newer_refresh() -> None:
    page = ListedPage(QUERY, None)
    runs = [hand_run(run_id, page=page) for run_id in ("a", "b")]
    played(runs[0].load(force=True), [in_project(run=run_body("a", full=True, config='{"fresh": 1}'))])
    config = runs[0].config
    played(runs[1].load(), [page_of("a", "b")])
    assert (runs[0].config, config) == ({}, {"fresh": 1})  # the page is the newer reading


def test_waiting_updates_the_state_and_nothing_else() -> None:
    run = hand_run(full=True, state="running", config='{"a": 1}')
    played(run.wait(), [in_project(run={"state": "killed"})])
    assert (run.state, run.config, run.is_full) == ("killed", {"a": 1}, True)


@pytest.mark.parametrize(("full", "kind"), [(False, RunFields), (True, FullRunFields)])
def test_given_attributes_make_the_shape_they_hold(full: bool, kind: type[object]) -> None:
    assert type(fields_of(run_body("r", full=full))) is kind


def test_attributes_that_are_no_run_are_a_value_error_without_their_values() -> None:
    with pytest.raises(ValueError, match="createdAt: Field required") as caught:
        fields_of({"id": ["hidden"], "name": "r", "projectId": "1"})
    assert "hidden" not in str(caught.value)


def test_a_summary_is_a_mapping_that_strips_its_keys() -> None:
    stored = parse_summary('{" loss ": 1, "acc": {"max": 2}}')
    summary = SummaryValues(lambda: stored)
    assert dict(summary) == {"loss": 1, "acc": {"max": 2}}
    assert (summary["loss"], summary[" loss"], summary.get("none"), len(summary)) == (1, 1, None, 2)
    assert repr(summary) == "{'loss': 1, 'acc': {'max': 2}}"
    assert "loss" in summary
    with pytest.raises(KeyError):
        _ = summary["none"]
