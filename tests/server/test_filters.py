"""Filters: SQL must agree with a plain reading of the same rules, over documents nobody thought of."""

from __future__ import annotations

import json
import math
import re
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TypeGuard, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runql_server import auth, listing
from runql_server.filters import FilterError
from runql_server.jsontext import JsonValue
from runql_server.seed import SeedRun, seed_runs
from runql_server.store import Store

KEYS = ["config.a", "config.b.c", "config.a.value", "summary_metrics.loss", "summary_metrics.n.m"]
COLUMNS = ["name", "state", "group", "display_name", "notes", "jobType"]

Values = st.SearchStrategy[JsonValue]
Document = dict[str, JsonValue]

numbers: st.SearchStrategy[int | float] = st.one_of(
    st.integers(-5, 5),
    st.sampled_from([2**53 + 1, 2**63, -(2**70), 0.5, -0.0, 1.0, math.inf, -math.inf, math.nan]),
)
texts = st.sampled_from(["", "a", "b", "ab", "A", "ü", "1", "run-2", "finished"])
optional_texts: st.SearchStrategy[str | None] = st.one_of(st.none(), texts)
scalars: Values = st.one_of(st.none(), st.booleans(), numbers, texts)


def as_list(items: list[JsonValue]) -> JsonValue:
    return items


def lists_of(items: Values, longest: int) -> Values:
    return st.lists(items, max_size=longest).map(as_list)


def as_document(items: Document) -> JsonValue:
    return items


values: Values = st.one_of(scalars, lists_of(scalars, 2))


def nested(plain: str, parent: str, child: str) -> st.SearchStrategy[Document]:
    """Documents with a value at ``plain`` and at ``parent.child``, or without."""
    below: Values = st.dictionaries(st.just(child), values, max_size=1).map(as_document)
    return st.fixed_dictionaries({}, optional={plain: values, parent: below})


@st.composite
def seed_run(draw: st.DrawFn) -> SeedRun:
    return SeedRun(
        config=draw(nested("a", "b", "c")),
        summary=draw(nested("loss", "n", "m")),
        state=draw(st.sampled_from(["finished", "failed", "killed"])),
        group=draw(optional_texts),
        notes=draw(optional_texts),
        job_type=draw(optional_texts),
        tags=tuple(draw(st.lists(texts, max_size=2, unique=True))),
        display_name="ab",
    )


def condition_on(names: list[str], operand: Values) -> st.SearchStrategy[tuple[str, JsonValue]]:
    return st.tuples(st.sampled_from(names), operand)


operators = st.one_of(
    condition_on(["$eq", "$ne"], values),
    condition_on(["$gt", "$gte", "$lt", "$lte"], st.one_of(numbers, texts)),
    condition_on(["$in", "$nin"], lists_of(values, 3)),
    condition_on(["$exists"], st.booleans()),
    condition_on(["$regex"], st.sampled_from(["a", "^a$", "^$", "[b-z]", "u|ü"])),
)
condition: Values = st.one_of(
    values, st.lists(operators, min_size=1, max_size=2).map(lambda pairs: as_document(dict(pairs)))
)
fields = st.sampled_from([*KEYS, *COLUMNS, "tags"])


def combined(inner: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    parts: Values = lists_of(inner.map(as_document), 3)
    return st.dictionaries(st.sampled_from(["$and", "$or", "$nor"]), parts, min_size=1, max_size=1)


filters: st.SearchStrategy[Document] = st.recursive(
    st.dictionaries(fields, condition, max_size=2), combined, max_leaves=6
)


def kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case dict():
            return "map"


def same(one: JsonValue, other: JsonValue) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return json.dumps(one) == json.dumps(other)
    if is_number(one) and is_number(other):
        return stored(one) == stored(other)
    return kind(one) == kind(other) and one == other


def is_number(value: JsonValue) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def stored(value: float) -> float:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def candidates(run: SeedRun, name: str, key: str) -> list[JsonValue]:
    """All values the key stands for; an empty list when it is missing."""
    columns: Document = {
        "name": name,
        "state": run.state,
        "group": run.group,
        "display_name": run.display_name,
        "notes": run.notes,
        "jobType": run.job_type,
    }
    if key == "tags":
        return list(run.tags)
    if key in columns:
        return [columns[key]]
    prefix, *path = key.split(".")
    root = dict(run.config if prefix == "config" else run.summary)
    paths = [path, path[:-1]] if path[-1] == "value" else [path]
    return [walk(root, each) for each in paths]


def walk(node: JsonValue, path: list[str]) -> JsonValue:
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node


def holds(found: list[JsonValue], operator: str, operand: JsonValue) -> bool:
    present = [value for value in found if value is not None]
    match operator, operand:
        case "$eq", None:
            return not present
        case "$eq", _:
            return any(same(value, operand) for value in present)
        case "$ne", _:
            return not holds(found, "$eq", operand)
        case "$in", list():
            return any(holds(found, "$eq", each) for each in operand)
        case "$nin", list():
            return not holds(found, "$in", operand)
        case "$exists", _:
            return bool(present) is operand
        case "$regex", str():
            return any(isinstance(value, str) and re.search(operand, value) for value in present)
        case _, str():
            texts_found = [value for value in present if isinstance(value, str)]
            return any(compare(operator, value.encode(), operand.encode()) for value in texts_found)
        case _:
            assert is_number(operand)
            return any(
                compare(operator, stored(value), stored(operand)) for value in present if is_number(value)
            )


Ordered = TypeVar("Ordered", bytes, float)


def compare(operator: str, one: Ordered, other: Ordered) -> bool:
    return {"$gt": one > other, "$gte": one >= other, "$lt": one < other, "$lte": one <= other}[operator]


def matches(run: SeedRun, name: str, document: Document) -> bool:
    """The plain reading of a filter."""
    return all(member_matches(run, name, key, wanted) for key, wanted in document.items())


def member_matches(run: SeedRun, name: str, key: str, wanted: JsonValue) -> bool:
    if isinstance(wanted, list) and key in {"$and", "$or", "$nor"}:
        parts = [matches(run, name, part) for part in wanted if isinstance(part, dict)]
        return {"$and": all(parts), "$or": any(parts), "$nor": not any(parts)}[key]
    found = candidates(run, name, key)
    conditions = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    return all(holds(found, operator, operand) for operator, operand in conditions.items())


def found_names(store: Store, document: object) -> list[str]:
    with store.reading() as connection:
        page = listing.page(
            connection, 1, filters=json.dumps(document), order=None, first=100, after=None, crash_before=""
        )
        total = listing.count(connection, 1, json.dumps(document), crash_before="")
    assert total == len(page.edges)
    return [edge.node.name for edge in page.edges]


@given(st.lists(seed_run(), min_size=1, max_size=6), st.lists(filters, min_size=1, max_size=8))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sql_agrees_with_the_plain_reading(runs: list[SeedRun], wanted: list[Document]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder))) as store:
        with store.writing() as connection:
            auth.add_key(connection, "k")
        names = seed_runs(store, project="p", runs=runs)
        for document in wanted:
            expected = [name for name, run in zip(names, runs, strict=True) if matches(run, name, document)]
            assert found_names(store, document) == expected, document


def test_a_bool_is_not_a_number_and_a_number_not_a_text(store: Store) -> None:
    kinds: dict[str, JsonValue] = {"t": True, "n": 1, "s": "1"}
    runs = [SeedRun(name=name, config={"a": value}) for name, value in kinds.items()]
    seed_runs(store, project="p", runs=runs)
    asked: list[tuple[JsonValue, list[str]]] = [
        (1, ["n"]),
        (True, ["t"]),
        ("1", ["s"]),
        ({"$gt": 0}, ["n"]),
        ({"$gte": "1"}, ["s"]),
        ({"$in": [1.0, "1"]}, ["n", "s"]),
        ({"$ne": 1}, ["t", "s"]),
        ("\ud800", []),
    ]
    for wanted, expected in asked:
        assert found_names(store, {"config.a": wanted}) == expected, wanted


def test_thousands_of_values_and_branches_are_no_problem(store: Store) -> None:
    names = seed_runs(store, project="p", runs=[SeedRun(config={"a": 4999}), SeedRun(config={"a": -1})])
    assert found_names(store, {"config.a": {"$in": list(range(5000))}}) == names[:1]
    assert found_names(store, {"$or": [{"config.a": number} for number in range(5000)]}) == names[:1]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "filters"),
        ("[]", "filters"),
        ('{"bogus": 1}', "'bogus'"),
        ('{"config.a": {"$like": 1}}', "'$like'"),
        ('{"config.a": {}}', "'config.a'"),
        ('{"config.a": {"$gt": null}}', "'config.a'"),
        ('{"config.a": {"$gt": true}}', "'config.a'"),
        ('{"config.a": {"$in": 1}}', "'config.a'"),
        ('{"config.a": {"$exists": 1}}', "'config.a'"),
        ('{"config.a": {"$regex": "("}}', "'config.a'"),
        ('{"$not": {}}', "'$not'"),
        ('{"$or": {"a": 1}}', "$or"),
        ('{"$or": [1]}', "$or"),
        ('{"config.": 1}', "'config.'"),
        ('{"$and": [' * 60 + "{}" + "]}" * 60, "levels"),
    ],
)
def test_a_filter_that_makes_no_sense_says_where(store: Store, text: str, named: str) -> None:
    seed_runs(store, project="p", runs=[SeedRun()])
    with store.reading() as connection, pytest.raises(FilterError, match=re.escape(named)):
        listing.count(connection, 1, text, crash_before="")


def test_dates_with_a_zone_are_compared_in_utc(store: Store) -> None:
    from datetime import UTC, datetime

    moment = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
    names = seed_runs(store, project="p", runs=[SeedRun(created_at=moment)])
    for text in ("2024-05-01T12:00:00", "2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00"):
        assert found_names(store, {"createdAt": text}) == names
    assert found_names(store, {"created_at": {"$gt": "2024-05-01T13:59:59+02:00"}}) == names
    assert found_names(store, {"created_at": {"$gt": "2024"}}) == names
    assert found_names(store, {"created_at": {"$lt": "2024"}}) == []
