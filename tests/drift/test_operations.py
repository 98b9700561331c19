"""Which operations a check covers, which members send them, and what they use of the schema."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from graphql import GraphQLInputObjectType, GraphQLSchema, build_schema
from tests.architecture.surface import members_of, public_classes

from runql.drift import CheckedOperation, compare, own_operations, probe, user_operations
from runql.drift.operations.combined_document import combine
from runql.drift.operations.senders import known_senders
from runql.drift.operations.usage import usage_of
from runql.drift.server_errors.error_findings import validate_operations
from runql.errors import DriftInputError
from runql_graphql import operations as generated
from runql_graphql.operation import Operation


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.graphql").write_text(text)
    return folder


def test_every_generated_operation_is_checked_and_has_a_sender() -> None:
    functions = {
        name
        for name, value in vars(generated).items()
        if callable(value) and name.islower() and getattr(value, "__module__", "") == generated.__name__
    }
    own = own_operations()
    assert len(own) == len(functions)
    unsent = [each.name for each in own if not each.methods]
    assert unsent == [], "run `make senders`"


def test_every_sender_is_a_public_member() -> None:
    members = {
        f"{owner.__name__}.{name}" for owner in public_classes() for name in members_of(owner, special=True)
    }
    members |= {owner.__name__ for owner in public_classes()}
    named = {member for members_ in known_senders().methods.values() for member in members_}
    assert named - members == set()


def test_every_filled_input_field_is_in_the_schema(known: GraphQLSchema) -> None:
    for name, fields in known_senders().inputs.items():
        described = known.type_map[name]
        assert isinstance(described, GraphQLInputObjectType)
        assert fields - set(described.fields) == set()


def test_every_input_type_of_an_operation_has_filled_fields(known: GraphQLSchema) -> None:
    sent = usage_of(own_operations(), known).sent
    inputs = {name for name in sent if isinstance(known.type_map[name], GraphQLInputObjectType)}
    written_out = {
        each.split(".")[0] for each in usage_of(own_operations(), known).parts if each.split(".")[0] in inputs
    }
    assert inputs == written_out, "run `make senders`"


def test_checked_documents_are_the_sent_documents() -> None:
    module = import_module("runql_graphql.operations")
    sent: Operation[object] = module.get_viewer()
    [checked] = [each for each in own_operations() if each.name == sent.name]
    texts = [checked.definition.text, *(each.text for each in checked.fragments)]
    assert all(text in sent.document for text in texts)


def test_the_operations_of_today_are_valid_together(
    known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    assert validate_operations(known, operations, known) == []


def test_a_name_of_runql_does_not_hide_a_users(tmp_path: Path, known: GraphQLSchema) -> None:
    own = own_operations()
    write(
        tmp_path,
        one="query GetViewer { viewer { ...ViewerFields } }\nfragment ViewerFields on User { nope }",
        two="{ viewer { name } }",
        three="query ($first: Int) { viewer { ...Shared } users(first: $first) { pageInfo { hasNextPage } } }\n",
        four="fragment Shared on User { alsoNope }",
    )
    theirs = user_operations(tmp_path, own)
    assert [each.name for each in theirs] == ["GetViewer_2", "Anonymous", "Anonymous_2"]
    found = {
        (use.operation, str(use.path), use.line)
        for each in validate_operations(known, own + theirs, known)
        for use in each.uses
    }
    assert found == {
        ("GetViewer_2", str(tmp_path / "one.graphql"), 2),
        ("Anonymous", str(tmp_path / "four.graphql"), 1),
    }


def test_lines_are_those_of_the_users_file(tmp_path: Path, known: GraphQLSchema) -> None:
    text = '# a comment\n\nquery Mine($run: String!) {\n  project(name: "p") {\n    run(name: $run) {\n      nope\n    }\n  }\n}\n'
    theirs = user_operations(write(tmp_path, mine=text))
    [finding] = validate_operations(known, theirs, known)
    assert finding.coordinate == "Run.nope"
    [use] = finding.uses
    assert (use.operation, use.line) == ("Mine", 6)
    assert "nope" in text.splitlines()[use.line - 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query {", r"bad\.graphql:1: Syntax Error"),
        ("type Query { a: Int }", r"bad\.graphql:1: neither an operation nor a fragment"),
        ("fragment F on Run { id }", "holds no operation"),
        ("query A { viewer { ...Gone } }", r"bad\.graphql:1: the fragment Gone is defined nowhere"),
    ],
)
def test_files_without_operations_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DriftInputError, match=message):
        user_operations(write(tmp_path, bad=text))


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DriftInputError, match="does not exist"):
        user_operations(tmp_path / "none")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "query A { ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
            "within itself via 'G'",
        ),
        ("query A($x: Int, $x: Int) { a(x: $x) }", "only one variable named '$x'"),
        ("query A { a(x: $x) }", "Variable '$x' is not defined by operation 'A'"),
        ("query A { a(x: 1, x: 2) }", "only one argument named 'x'"),
    ],
)
def test_queries_that_are_wrong_under_any_schema_are_refused(
    query: str, message: str, tmp_path: Path
) -> None:
    schema = build_schema("type Query { a(x: Int): Int }")
    found = user_operations(write(tmp_path, team=f"# A comment.\n\n{query}"))
    for check in (lambda: compare(schema, schema, found), lambda: next(probe(schema, found))):
        with pytest.raises(DriftInputError, match=re.escape(message)) as error:
            check()
        assert str(error.value).startswith(f"{tmp_path / 'team.graphql'}:3: ")


def test_a_directive_that_may_not_be_repeated_any_more(tmp_path: Path) -> None:
    before, after = (
        build_schema(f"directive @mark {word} on FIELD type Query {{ a: Int }}")
        for word in ("repeatable", "")
    )
    found = user_operations(write(tmp_path, team="query A { a @mark @mark }"))
    [finding] = compare(before, after, found).counting()
    assert (finding.rule, finding.coordinate) == ("directive-repeatable-removed", "@mark")
    assert [use.operation for use in finding.uses] == ["A"]


def test_a_combined_document_keeps_every_line(operations: list[CheckedOperation]) -> None:
    combined = combine(operations, marker="marker_")
    lines = combined.source.splitlines()
    for definition, start in zip(combined.definitions, combined.starts, strict=True):
        assert lines[start - 1] == definition.text.split("\n")[0]
    assert len(combined.markers) == len(operations) + 1, "one each, and one in the last fragment"
