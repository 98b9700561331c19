"""Every operation without each of the fields that it can do without is an operation that a server takes."""

from __future__ import annotations

import json

import pytest
from graphql import FieldNode, FragmentDefinitionNode, parse, print_ast, validate
from tests.contract.older import schema_without
from tests.unit.transport.stepping import answered

from runql.transport.codec import encode, refused_parts
from runql.transport.unknown_parts import MARK, optional_fields, unknown_parts, without_fields
from runql.transport.wire import Response
from runql_graphql import operations
from runql_graphql.operations import get_run

DOCUMENTS = {
    name: text for name, text in vars(operations).items() if name.isupper() and isinstance(text, str)
}
RUN = get_run(entity="e", project="p", run="r")
UNKNOWN_ID = {"message": 'Cannot query field "projectId" on type "Run".'}
UNKNOWN_CONFIG = {"message": 'Cannot query field "config" on type "Run".'}

each_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())


def leaves(document: str) -> dict[str, set[str]]:
    """The fields of each fragment."""
    return {
        each.name.value: {
            node.name.value for node in each.selection_set.selections if isinstance(node, FieldNode)
        }
        for each in parse(document).definitions
        if isinstance(each, FragmentDefinitionNode)
    }


@each_document
def test_no_mark_is_sent(document: str) -> None:
    plain = without_fields(document, ())
    assert MARK.strip() not in plain
    assert validate(schema_without(frozenset[str]()), parse(plain)) == []
    assert print_ast(parse(plain)) == print_ast(parse(document.replace(MARK, "")))


@each_document
def test_what_is_unknown_is_left_out_and_nothing_else(document: str) -> None:
    for part in optional_fields(document):
        lighter = without_fields(document, {part, "Run.id", "Nobody.knows"})
        assert validate(schema_without(frozenset({part})), parse(lighter)) == []
        before, after = leaves(document), leaves(lighter)
        gone = {f"{name}.{field}" for name in after for field in before[name] - after[name]}
        assert {each.partition(".")[2] for each in gone} == {part.partition(".")[2]}


@each_document
def test_all_that_can_be_left_out_can_be_at_once(document: str) -> None:
    parts = optional_fields(document)
    lighter = without_fields(document, parts)
    assert validate(schema_without(parts), parse(lighter)) == []
    assert lighter.endswith("}\n")
    assert "\n\n\n" not in lighter


def test_identity_and_what_holds_rows_is_never_left_out() -> None:
    parts = {part for document in DOCUMENTS.values() for part in optional_fields(document)}
    assert parts
    assert not {part for part in parts if part.endswith((".id", ".name"))}
    assert not parts & {"Run.config", "Run.summaryMetrics", "Run.history", "Run.sampledHistory", "Run.events"}


@pytest.mark.parametrize(
    ("response", "refused"),
    [
        (answered(None, errors=[UNKNOWN_ID]), {"Run.projectId"}),
        (answered(None, errors=[UNKNOWN_ID], status=400), {"Run.projectId"}),
        (answered(None, errors=[UNKNOWN_ID], status=422), {"Run.projectId"}),
        (answered(None, errors=[UNKNOWN_ID, UNKNOWN_CONFIG]), {"Run.projectId", "Run.config"}),
        (answered(None, errors=[UNKNOWN_ID, {"message": "denied"}]), set[str]()),
        (answered(None, errors=[UNKNOWN_ID], status=403), set[str]()),
        (answered(None, errors=[UNKNOWN_ID], status=500), set[str]()),
        (answered({"project": None}, errors=[UNKNOWN_ID]), set[str]()),
        (answered({"project": {"run": {"notes": UNKNOWN_ID["message"]}}}), set[str]()),
        (Response(400, b"Cannot query field"), set[str]()),
        (Response(200, b""), set[str]()),
    ],
)
def test_only_a_refusal_for_unknown_parts_alone_is_taken_for_one(
    response: Response, refused: set[str]
) -> None:
    assert refused_parts(response) == refused


def test_variables_and_name_stay() -> None:
    full, lighter = json.loads(encode(RUN)), json.loads(encode(RUN, {"Run.projectId", "Run.user"}))
    assert full["variables"] == lighter["variables"] == {"entity": "e", "project": "p", "run": "r"}
    assert full["operationName"] == lighter["operationName"] == "GetRun"
    assert "projectId" in full["query"]
    assert "projectId" not in lighter["query"]
    assert "RunUserFields" not in lighter["query"]


@pytest.mark.parametrize(
    "message",
    [
        'Cannot query field "admin" on type "User".',
        "Cannot query field 'admin' on type 'User'. Did you mean 'name'?",
        'Cannot query field "admin" on type "User". Did you mean "name" or "id"?',
    ],
)
def test_a_field_is_named_in_several_words(message: str) -> None:
    assert unknown_parts([message]) == ["User.admin"]
