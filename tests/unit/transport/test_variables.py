"""Variables are checked against the operation's own declaration, so that no encoder's error reaches a caller."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from runql.transport.codec import encode
from runql.transport.variables import check_variables
from runql_graphql.base_model import UNSET
from runql_graphql.input_types import UpsertBucketInput
from runql_graphql.operation import Operation

DOCUMENT = """query Q($name: String!, $id: ID, $text: JSONString, $first: Int = 50, $step: Int64, $whole: Boolean!,
  $names: [String!]!, $specs: [JSONString!], $grid: [[Int]], $input: UpsertBucketInput) { a(b: "$name: Int") }"""


def operation(**variables: object) -> Operation[Any]:  # Any: its answer is not read
    return Operation("Q", "query", DOCUMENT, variables, object)


@pytest.mark.parametrize(
    "variables",
    [
        {"name": "a\U0001f600", "id": None, "text": UNSET, "first": 2**31 - 1, "step": -(2**63) + 1},
        {"whole": False, "names": ["a", "b"], "specs": ("{}",), "grid": [[1, None], None]},
        {"names": [], "input": UpsertBucketInput(id="a", tags=["é"], config='"\\ud800"')},
        {"undeclared": {"a": [1.5, True, None]}},
    ],
)
def test_what_fits_is_sent(variables: dict[str, object]) -> None:
    sent = json.loads(encode(operation(**variables)))["variables"]
    assert set(sent) == {name for name, value in variables.items() if value is not UNSET}


REFUSED: list[tuple[str, object, type[Exception], str]] = [
    ("name", 1, TypeError, "must be a str, not int"),
    ("name", b"a", TypeError, "must be a str, not bytes"),
    ("name", ["a"], TypeError, "must be a str, not list"),
    ("name", "\ud800", ValueError, "half of a surrogate pair"),
    ("id", 1.5, TypeError, "must be a str, not float"),
    ("text", {"a": 1}, TypeError, "must be a str, not dict"),
    ("first", "1", TypeError, "must be an int, not str"),
    ("first", True, TypeError, "must be an int, not bool"),
    ("first", math.nan, TypeError, "must be an int, not float"),
    ("first", 2**31, ValueError, "must be between -2147483647 and 2147483647"),
    ("first", 10**4000, ValueError, "must be between"),
    ("step", 2**63, ValueError, "must be between -9223372036854775807 and 9223372036854775807"),
    ("whole", 1, TypeError, "must be a bool, not int"),
    ("names", "ab", TypeError, "must be a list, not str"),
    ("names", ["a", 2], TypeError, "must be a str, not int"),
    ("names", ["a", "\udfff"], ValueError, "half of a surrogate pair"),
    ("grid", [1], TypeError, "must be a list, not int"),
    ("grid", [["1"]], TypeError, "must be an int, not str"),
    ("input", UpsertBucketInput.model_construct(notes="\ud800"), ValueError, "half of a surrogate pair"),
    ("input", {"a": math.nan}, ValueError, "must be JSON"),
    ("input", object(), ValueError, "must be JSON"),
    ("undeclared", {"a": {1}}, ValueError, "must be JSON"),
]


@pytest.mark.parametrize(("name", "value", "error", "said"), REFUSED)
def test_what_does_not_is_refused_by_name(
    name: str, value: object, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=f"^{name} of Q .*{said}"):
        check_variables(operation(**{name: value}))


def test_what_holds_itself_or_is_too_deep_is_refused() -> None:
    circle: list[object] = []
    circle.append(circle)
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (circle, deep):
        with pytest.raises(ValueError, match=r"input of Q must be JSON"):
            encode(operation(input=value))
