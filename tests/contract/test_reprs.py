"""What consoles, notebooks and rich show of every public object: bounded, printable, from memory."""

from __future__ import annotations

import copy
import dataclasses
import io
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final, TypedDict

import pytest
from pydantic import BaseModel
from rich.console import Console
from tests.architecture.surface import public_classes
from tests.contract.both_clients import Face
from tests.contract.every_call import furnish
from tests.contract.untyped import Untyped, listed, taken
from tests.unit import test_escaping

import runql
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

HOSTILE: Final = {
    **{name: string[:20_000] for name, string in test_escaping.HOSTILE.items()},
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>'\"><a href='javascript:alert(1)'>",
    "markup": "[red]red[/red] [/] [link=https://evil]here[/link] [",
    "right to left": "שלום עולם",
}
TAGS: Final = {"div", "b", "table", "thead", "tbody", "tr", "th", "td", "a"}
ATTRIBUTES: Final = {"style", "dir", "href", "target", "rel"}
MOST_IN_REPR: Final = 400
MOST_IN_HTML: Final = 200_000

WITHOUT_OBJECTS: Final = {
    *("GraphQLProblem", "Limits", "Operation", "RetryPolicy", "Settings", "Traffic"),
    *("SupportsConnection", "SupportsOperation", "UnsetType"),
    *("Archive", "ImportReport", "OpenedRuns", "SchemaDrift"),
}
"""Public classes that are no record, list, scan or client."""

BY_DATACLASS: Final = {
    *("AsyncTypedRun", "Capabilities", "ConsoleLogLine", "HistoryFiles", "ManifestEntry", "TypedRun", "User"),
}
"""Classes with the repr of a dataclass, which is as long as its values."""

AS_TABLE: Final = {
    *(
        "Artifact",
        "ArtifactCollection",
        "ArtifactCollections",
        "ArtifactEntry",
        "ArtifactFile",
        "ArtifactFiles",
    ),
    *("ArtifactType", "ArtifactTypes", "Artifacts", "ConsoleLogs", "File", "Files", "HistoriesScan"),
    *("HistoryScan", "Project", "ProjectArtifactCollections", "Projects", "Run", "RunArtifacts", "Runs"),
    *("Sweep", "Sweeps"),
}
"""Sync classes that notebooks and rich show as a table; so are their async twins."""


class Config(TypedDict):
    """The config of the runs."""

    name: str


def unread(listed_later: Untyped) -> Untyped:
    """A copy of a list, which stays as it is when the list is read."""
    kind: Untyped = listed_later.__class__
    other: Untyped = kind.__new__(kind)
    state: dict[str, object] = listed_later.__dict__
    for name, value in state.items():
        setattr(other, name, value)
    return other


def objects_of(api: Untyped, face: Face, home: str, sweep_id: str, folder: Path) -> Iterator[Untyped]:
    """One object of each public class of a client, and more of the lists: before their first page and after."""
    run = taken(face, api.run(f"{home}/one"))
    artifact = taken(face, api.artifact(f"{home}/rows:v1"))
    kind = taken(face, api.artifact_type("dataset", home))
    runs = taken(face, api.runs(home))
    project = taken(face, api.project(home))
    typed = runs.typed(config=Config)
    lists = [
        *(runs, taken(face, api.runs(home, lazy=True)), taken(face, api.projects()), project.sweeps()),
        *(run.files(), run.console_logs(), run.logged_artifacts(), run.used_artifacts()),
        *(artifact.files(), kind.collections(), project.collections()),
        *(taken(face, api.artifact_types(home)), taken(face, api.artifacts("dataset", f"{home}/rows"))),
    ]
    yield from (unread(each) for each in lists)
    for each in lists:
        listed(face, each)
        yield each
    taken(face, run.upload_file(folder / "up.txt", root=folder))
    yield from (run, artifact, kind, project, typed, *listed(face, typed))
    yield from listed(face, lists[1])
    yield from (run.summary, run.scan_history(["loss", "acc"]), runs.scan_histories(["loss"]))
    yield from (taken(face, run.file("up.txt")), listed(face, artifact.files())[0])
    yield from (taken(face, artifact.get_entry("a.csv")), taken(face, artifact.manifest))
    yield from taken(face, artifact.manifest).entries.values()
    yield from (taken(face, api.sweep(f"{home}/{sweep_id}")), taken(face, api.viewer))
    yield taken(face, api.artifact_collection("dataset", f"{home}/rows"))
    yield from (taken(face, api.capabilities()), api, api.client)
    yield taken(face, run.download_history(folder, require_complete=False))
    yield runql.ConsoleLogLine(0, None, "", "", "line")
    yield runql.LoggedTable(("a", "b"), [[1, None], ["x", {"deep": [1]}]], {})


@pytest.fixture
def objects(server: RunningServer, face: Face, project: str, tmp_path: Path) -> list[Untyped]:
    sweep = furnish(server, project)
    (tmp_path / "up.txt").write_text("up")
    api = face.api(server.url, server.api_key)
    found = [*objects_of(api, face, f"{server.entity}/{project}", sweep, tmp_path)]
    server.clear()
    return found


def test_every_public_class_is_among_them(objects: list[Untyped], face: Face) -> None:
    found = {type(each).__name__ for each in objects}
    awaited = {name for name in runql.__all__ if name.startswith("Async")}
    plain = {name.removeprefix("Async") for name in awaited}
    wanted = {each.__name__ for each in public_classes() if not issubclass(each, Exception)} - WITHOUT_OBJECTS
    assert found == wanted - (awaited if face.name == "sync" else plain)
    tables = {name.removeprefix("Async") for name in found if hasattr(getattr(runql, name), "_repr_html_")}
    assert tables == AS_TABLE | {"LoggedTable"}


def test_showing_sends_nothing_and_holds_no_key(objects: list[Untyped], server: RunningServer) -> None:
    for each in objects:
        for shown in shown_of(each):
            assert server.api_key not in shown
    assert server.requests == []


def test_hostile_names_are_shown_as_one_printable_line(objects: list[Untyped], server: RunningServer) -> None:
    originals = [(each, {**attributes(each)}) for each in all_with_items(objects)]
    for hostile in HOSTILE.values():
        for each in all_with_items(objects):
            spoil_object(each, hostile)
        for each in objects:
            check(each)
        for each, original in originals:
            attributes(each).clear()
            attributes(each).update(original)
    assert server.requests == []


def test_what_is_not_escaped_would_be_seen() -> None:
    with pytest.raises(AssertionError, match="script"):
        Checked().feed("<script>1</script>")
    with pytest.raises(AssertionError, match="javascript"):
        Checked().feed("<a href='javascript:1'>")


def test_hostile_configs_and_summaries(server: RunningServer, face: Face, project: str) -> None:
    hostile = {
        f"{name}{string[:5000]}": string[:5000] for name, string in HOSTILE.items() if name != "surrogates"
    }
    server.seed(
        project,
        [
            SeedRun(
                name=f"r{number}",
                display_name=[*hostile][number],
                config={**hostile, "n": number, "deep": {"list": [hostile] * 50}},
                summary={**hostile, "n": number, **{f"metric-{index}": index for index in range(200)}},
                tags=tuple(name[:60] for name in hostile),
            )
            for number in range(len(hostile))
        ],
    )
    runs = taken(face, face.api(server.url, server.api_key).runs(f"{server.entity}/{project}"))
    found = listed(face, runs)
    server.clear()
    for each in (runs, *found):
        check(each)
        assert "config." in each._repr_html_()
    assert "more entries of summary" in found[0]._repr_html_()
    assert server.requests == []


def test_a_list_shows_the_first_page_with_config_and_summary(
    server: RunningServer, face: Face, project: str
) -> None:
    server.seed(
        project,
        [
            SeedRun(
                name=f"r{number}",
                display_name=f"name-{number}",
                config={"lr": number / 8, "same": 1, **{f"c{index}": 0 for index in range(9)}},
                summary={"loss": 0.125, "_runtime": 3},
            )
            for number in range(9)
        ],
    )
    runs = taken(face, face.api(server.url, server.api_key).runs(f"{server.entity}/{project}", per_page=4))
    server.clear()
    assert "not read yet" in runs._repr_html_()
    assert server.requests == []
    run = taken(face, runs[0])
    page = runs._repr_html_()
    assert all(f">name-{number}</a>" in page for number in range(4))
    assert f"<a href='{run.url}'" in page
    assert "4 of 9" in page
    # What differs between the runs comes first; the server's own entries are left out.
    assert "config.lr" in page
    assert "config.c8" not in page
    assert ("summary.loss" in page, "_runtime" in page) == (True, False)
    assert "name-3" in rich_text(runs, 200)
    assert len(server.requests) == 1
    listed(face, runs)
    assert runs._repr_html_() == page
    assert len(server.requests) == 3


def test_a_run_is_a_table_of_its_fields_with_a_link(server: RunningServer, face: Face, project: str) -> None:
    server.seed(project, [SeedRun(name="one", config={"lr": 0.5, "none": None}, summary={"loss": 1e-7})])
    api: Untyped = face.api(server.url, server.api_key)
    run = taken(face, api.run(f"{server.entity}/{project}/one"))
    server.clear()
    shown = run._repr_html_()
    assert "<iframe" not in shown
    assert f"<a href='{run.url}'" in shown
    for name, value in (("config.lr", "0.5"), ("config.none", "None"), ("summary.loss", "1e-07")):
        assert f">{name}</td>" in shown
        assert f">{value}</td>" in shown
    run.config["lr"] = 0.25
    assert ">0.25</td>" in run._repr_html_()
    assert "0.25" in rich_text(run, 80)
    assert server.requests == []


def test_a_light_run_says_what_was_not_read(server: RunningServer, face: Face, project: str) -> None:
    server.seed(project, [SeedRun(name="one", config={"lr": 0.5})])
    api: Untyped = face.api(server.url, server.api_key)
    runs = taken(face, api.runs(f"{server.entity}/{project}", lazy=True))
    run = taken(face, runs[0])
    server.clear()
    assert "not read yet" in run._repr_html_()
    assert "config.lr" not in runs._repr_html_()
    assert server.requests == []


def test_lists_and_scans_say_which_rows(server: RunningServer, face: Face, project: str) -> None:
    server.seed(project, [SeedRun(name="one")])
    api: Untyped = face.api(server.url, server.api_key)
    home = f"{server.entity}/{project}"
    kind = "" if face.name == "sync" else "Async"
    runs = taken(face, api.runs(home, filters={"state": "finished"}, order="-created_at"))
    assert repr(runs) == f'<{kind}Runs {home} filters={{"state": "finished"}} order=-created_at>'
    scan = taken(face, api.run(f"{home}/one")).scan_history(["a", "b"], min_step=3, max_step=9)
    assert repr(scan) == f"<{kind}HistoryScan {home}/one keys=['a', 'b'] match='all' min_step=3 max_step=9>"
    many = taken(face, api.runs(home)).scan_histories()
    assert repr(many) == f"<{kind}HistoriesScan {home}>"
    assert "page_size" in many._repr_html_()


def check(each: Untyped) -> None:
    """Check all that is shown of an object."""
    line, *others = shown_of(each)
    assert line.isprintable()
    assert type(each).__name__ in BY_DATACLASS | {"Summary", "AsyncSummary"} or len(line) <= MOST_IN_REPR
    if others:
        page, *drawn = others
        assert page.isprintable()
        assert len(page) <= MOST_IN_HTML
        Checked().feed(page)
        for width, shown in zip((40, 100), drawn, strict=True):
            assert all(row.isprintable() and len(row) <= width for row in shown.split("\n"))


def shown_of(each: Untyped) -> list[str]:
    """The repr; of what is a table also HTML, and what rich draws on a narrow and a wide terminal."""
    if not hasattr(each, "_repr_html_"):
        return [repr(each)]
    return [repr(each), each._repr_html_(), rich_text(each, 40), rich_text(each, 100)]


def rich_text(each: object, width: int) -> str:
    """What rich draws."""
    file = io.StringIO()
    Console(file=file, width=width).print(each)
    return file.getvalue()


class Checked(HTMLParser):
    """Refuses elements, attributes and addresses that no table of ours has."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            assert name != "href" or (value or "").startswith("http://127.0.0.1:"), value


def all_with_items(objects: list[Untyped]) -> list[Untyped]:
    """The objects that hold attributes, and the items of lists."""
    every = {id(each): each for each in objects}
    for each in objects:
        every |= {id(item): item for item in getattr(getattr(each, "_listing", None), "items", [])}
    return [
        each for each in every.values() if hasattr(each, "__dict__") and not dataclasses.is_dataclass(each)
    ]


def spoil_object(each: Untyped, hostile: str) -> None:
    """Append a str to every str that an object of ours holds."""
    held = attributes(each)
    for name in held.keys() - {"_client", "client", "settings", "_app_url", "_runs", "_listing"}:
        held[name] = spoiled(held[name], hostile)


def attributes(each: Untyped) -> dict[str, object]:
    """What an object holds."""
    held: dict[str, object] = each.__dict__
    return held


def class_of(value: object) -> Untyped:
    """The class of a value, whatever it is."""
    return type(value)


def spoiled(value: Untyped, hostile: str) -> Untyped:
    """A copy of a value in which each str is longer."""
    kind = class_of(value)
    if kind is str:
        return value if value.isupper() else value + hostile
    if isinstance(value, BaseModel):
        return value.model_copy(
            update={name: spoiled(each, hostile) for name, each in value if each is not None}
        )
    if kind in {list, tuple}:
        items: list[Untyped] = [spoiled(each, hostile) for each in value]
        return items if kind is list else tuple(items)
    if kind is dict:
        return {spoiled(key, hostile): spoiled(each, hostile) for key, each in value.items()}
    if dataclasses.is_dataclass(kind) and kind.__module__.startswith("runql"):
        made = copy.copy(value)
        for each in dataclasses.fields(kind):
            object.__setattr__(made, each.name, spoiled(getattr(value, each.name), hostile))
        return made
    return value
