"""Changes: every description of graphql-core is parsed, and each kind has the level of its direction."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import build_schema
from graphql.utilities.find_breaking_changes import BreakingChangeType, DangerousChangeType

from runql.drift import compare, load_schema, user_operations
from runql.drift.schema import changes
from runql.drift.schema.changes import find_changes, is_safe_to_receive, is_safe_to_send
from runql.errors import DriftInputError


@pytest.mark.parametrize(
    ("sdl", "message"),
    [
        (
            "type Query { a: Int }\ntype A { x: Int\n y: Int\n x: Int }",
            ":4: Field 'A.x' can only be defined once",
        ),
        ("type Query {\n a: Nope }", ":2: Unknown type 'Nope'"),
        ("type Query {", ":1: Syntax Error"),
        ("type A { x: Int }", " is not a valid schema: Query root type must be provided"),
        ("type Query { a: A } input A { b: B } type B { c: Int }", " is not a valid schema: "),
    ],
)
def test_a_file_that_is_no_schema_is_refused_with_its_line(sdl: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.graphql"
    path.write_text(sdl)
    with pytest.raises(DriftInputError, match=re.escape(f"{path}{message}")):
        load_schema(path)


BEFORE = """
directive @mark(a: Int, b: Int) repeatable on FIELD | QUERY
interface Node { id: ID! }
interface Named { name: String }
union Either = A | B
enum Kind { ONE TWO }
scalar Odd
input In { a: Int b: String! c: String d: Int = 1 }
type A implements Node & Named { id: ID! name: String x(a: Int, b: Int = 1, c: String): String! old: Int }
type B { n: Int }
type C { n: Int }
type Query { a: A b: B c: C either: Either kind(k: Kind, in: In): Kind odd: Odd }
"""


def found(*edits: tuple[str, str]) -> dict[str, tuple[str, str]]:
    """Return rule and level of each change by coordinate, after edits of the schema."""
    after = BEFORE
    for old, new in edits:
        assert old in after
        after = after.replace(old, new)
    return {
        each.coordinate: (each.rule, each.level)
        for each in find_changes(build_schema(BEFORE), build_schema(after))
    }


@pytest.mark.parametrize(
    ("edit", "coordinate", "rule", "level"),
    [
        ((" old: Int", ""), "A.old", "field-removed", "breaking"),
        (
            ("x(a: Int, b: Int = 1, c: String): String!", "x(a: Int, b: Int = 1, c: String): String"),
            "A.x",
            "field-type-changed",
            "breaking",
        ),
        (("old: Int", "old: Int!"), "A.old", "field-type-narrowed", "safe"),
        (("c: String): String!", "c: String!): String!"), "A.x(c:)", "argument-type-changed", "breaking"),
        (("(a: Int, b: Int = 1", "(b: Int = 1"), "A.x(a:)", "argument-removed", "breaking"),
        (("b: Int = 1, c", "b: Int = 2, c"), "A.x(b:)", "argument-default-changed", "dangerous"),
        (("x(a: Int, b", "x(a: Int = 3, b"), "A.x(a:)", "argument-default-added", "dangerous"),
        (("x(a: Int,", "x(new: Int!, a: Int,"), "A.x(new:)", "required-argument-added", "breaking"),
        (("x(a: Int,", "x(new: Int! = 1, a: Int,"), "A.x(new:)", "optional-argument-added", "safe"),
        (("x(a: Int,", "x(new: Int, a: Int,"), "A.x(new:)", "optional-argument-added", "safe"),
        (("input In { a: Int", "input In {"), "In.a", "input-field-removed", "breaking"),
        (("b: String! c", "b: Int! c"), "In.b", "input-field-type-changed", "breaking"),
        (("b: String! c", "b: String c"), "In.b", "input-widened", "safe"),
        (("d: Int = 1", "d: Int = 2"), "In.d", "input-field-default-changed", "dangerous"),
        (("input In {", "input In { new: Int!"), "In.new", "required-input-field-added", "breaking"),
        (("input In {", "input In { new: Int! = 1"), "In.new", "optional-input-field-added", "safe"),
        (("ONE TWO", "ONE"), "Kind.TWO", "enum-value-removed", "breaking"),
        (("ONE TWO", "ONE TWO SIX"), "Kind.SIX", "enum-value-added", "dangerous"),
        (("= A | B", "= A"), "Either", "member-removed", "breaking"),
        (("= A | B", "= A | B | C"), "Either", "member-added", "dangerous"),
        (("implements Node & Named", "implements Named"), "Node", "member-removed", "breaking"),
        (("scalar Odd", "type Odd { a: Int }"), "Odd", "type-kind-changed", "breaking"),
        ((" c: C", " c: C new: Int"), "Query.new", "field-added", "safe"),
        (("old: Int", "old: Int @deprecated"), "A.old", "deprecated", "deprecated"),
        (("ONE TWO", "ONE TWO @deprecated"), "Kind.TWO", "deprecated", "deprecated"),
        (
            ("a: Int, b: Int) repeatable", "b: Int) repeatable"),
            "@mark(a:)",
            "directive-argument-removed",
            "breaking",
        ),
        (
            ("@mark(a: Int,", "@mark(new: Int!, a: Int,"),
            "@mark(new:)",
            "required-directive-argument-added",
            "breaking",
        ),
        ((") repeatable on", ") on"), "@mark", "directive-repeatable-removed", "breaking"),
        (("FIELD | QUERY", "FIELD"), "@mark", "directive-location-removed", "breaking"),
        (
            ("directive @mark(a: Int, b: Int) repeatable on FIELD | QUERY", ""),
            "@mark",
            "directive-removed",
            "breaking",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_each_kind_has_its_coordinate_and_level(
    edit: tuple[str, str], coordinate: str, rule: str, level: str
) -> None:
    assert found(edit)[coordinate] == (rule, level)


def test_every_kind_of_graphql_core_has_a_pattern() -> None:
    kinds = {each.name for each in (*BreakingChangeType, *DangerousChangeType)}
    assert kinds == set(vars(changes)["_PATTERNS"])


def test_standard_scalars_and_directives_are_no_changes() -> None:
    small = build_schema("type Query { a: Int }")
    assert find_changes(build_schema("type Query { a: Int b: Float }"), small) != []
    assert [
        each.coordinate for each in find_changes(build_schema("type Query { a: Int b: Float }"), small)
    ] == ["Query.b"]


@pytest.mark.parametrize(
    ("was", "becomes", "receive", "send"),
    [
        ("Int", "Int", True, True),
        ("Int", "Int!", True, False),
        ("Int!", "Int", False, True),
        ("Int", "String", False, False),
        ("[Int]", "[Int!]!", True, False),
        ("[Int!]!", "[Int]", False, True),
        ("[Int]", "Int", False, False),
        ("Int", "[Int]", False, False),
        ("[[Int]!]", "[[Int!]!]", True, False),
    ],
)
def test_direction_decides(was: str, becomes: str, receive: bool, send: bool) -> None:
    assert is_safe_to_receive(was, becomes) is receive
    assert is_safe_to_send(was, becomes) is send


def test_an_object_that_becomes_an_interface_is_dangerous_for_those_who_receive_it(tmp_path: Path) -> None:
    (tmp_path / "mine.graphql").write_text("query Mine { c { n } } query Other { b { n } }")
    after = BEFORE.replace("type C { n: Int }", "interface C { n: Int } type D implements C { n: Int }")
    report = compare(build_schema(BEFORE), build_schema(after), user_operations(tmp_path / "mine.graphql"))
    [finding] = [each for each in report.findings if each.level != "safe"]
    assert (finding.rule, finding.level, finding.coordinate) == ("type-kind-changed", "dangerous", "C")
    assert [use.operation for use in finding.uses] == ["Mine"]
    assert report.verdict() == "ok"
