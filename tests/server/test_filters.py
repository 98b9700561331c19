"""Filters: the SQL agrees with a plain implementation of the same rules, over random documents."""

from __future__ import annotations

import json
import math
import re
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeGuard, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql_server import lenient_json
from runql_server.access import auth
from runql_server.errors import FilterError
from runql_server.lenient_json import JsonInput, JsonValue
from runql_server.listing import pages
from runql_server.seed import SeedRun, seed_runs
from runql_server.storage import migrations
from runql_server.storage.store import Store

KEYS = [
    "config.a",
    "config.b.c",
    "config.a.value",
    "config.b.value.c",
    "config.b.value.value.c",
    "config.value.value",
    "summary_metrics.loss",
    "summary_metrics.loss.max",
    "summary_metrics.n.m",
]
STATISTICS = ["best", "min", "max", "last", "mean", "first"]
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


def as_value(value: float) -> JsonValue:
    return value


def as_document(items: Document) -> JsonValue:
    return items


values: Values = st.one_of(scalars, lists_of(scalars, 2))


def nested(plain: str, parent: str, child: str) -> st.SearchStrategy[Document]:
    """Documents with a value at ``plain`` and at ``parent.child``, or without."""
    below: Values = st.dictionaries(st.just(child), values, max_size=1).map(as_document)
    return st.fixed_dictionaries({}, optional={plain: values, parent: below})


statistics: Values = st.one_of(numbers, texts)


def summarized_as(name: str, value: JsonValue, more: Document) -> JsonValue:
    return {name: value, **more}


summarized: Values = st.builds(
    summarized_as,
    st.sampled_from([*STATISTICS, "other"]),
    statistics,
    st.dictionaries(st.sampled_from(STATISTICS), numbers.map(as_value), max_size=1),
)


def with_statistics(plain: Document, loss: JsonValue) -> Document:
    return {**plain, "loss": loss} if loss is not None else plain


@st.composite
def seed_run(draw: st.DrawFn) -> SeedRun:
    return SeedRun(
        config=draw(st.one_of(nested("a", "b", "c"), nested("value", "b", "value"))),
        summary=with_statistics(draw(nested("loss", "n", "m")), draw(st.one_of(st.none(), summarized))),
        state=draw(st.sampled_from(["finished", "failed", "killed"])),
        group=draw(optional_texts),
        notes=draw(optional_texts),
        job_type=draw(optional_texts),
        tags=tuple(draw(st.lists(texts, max_size=2, unique=True))),
        display_name="ab",
    )


def condition_on(names: list[str], operand: Values) -> st.SearchStrategy[tuple[str, JsonValue]]:
    return st.tuples(st.sampled_from(names), operand)


patterns = st.sampled_from(["a", "^a$", "^$", "[b-z]", "u|ü", "A # c"])
orderings: Values = st.one_of(numbers, texts)


Pairs = list[tuple[str, JsonValue]]


def as_object(pairs: Pairs) -> Document:
    return dict(pairs)


def negated(pairs: Pairs) -> Document:
    return {"$not": dict(pairs)}


def with_options(pattern: str, letters: str) -> Document:
    return {"$regex": pattern, "$options": letters}


def with_size(size: int) -> Document:
    return {"$size": size}


def operators_over(one: Values, several: Values, ordered: Values) -> st.SearchStrategy[Document]:
    """Objects of operators whose operands are such values."""
    plain = st.one_of(
        condition_on(["$eq", "$ne"], one),
        condition_on(["$gt", "$gte", "$lt", "$lte"], ordered),
        condition_on(["$in", "$nin", "$all"], several),
        condition_on(["$exists"], st.booleans()),
        condition_on(["$regex"], patterns),
    )
    pairs: st.SearchStrategy[Pairs] = st.lists(plain, min_size=1, max_size=2)
    options = st.sampled_from(["", "i", "x", "ims"])
    return st.one_of(pairs.map(as_object), pairs.map(negated), st.builds(with_options, patterns, options))


over_values = operators_over(values, lists_of(values, 3), orderings)
over_texts = operators_over(st.one_of(st.none(), texts), lists_of(st.one_of(st.none(), texts), 3), texts)
sized = st.integers(0, 3).map(with_size)
value_condition: Values = st.one_of(values, over_values.map(as_document), sized.map(as_document))
text_condition: Values = st.one_of(st.none(), texts, over_texts.map(as_document))
tag_condition: Values = st.one_of(text_condition, sized.map(as_document))
member: st.SearchStrategy[tuple[str, JsonValue]] = st.one_of(
    st.tuples(st.sampled_from(KEYS), value_condition),
    st.tuples(st.sampled_from(COLUMNS), text_condition),
    st.tuples(st.just("tags"), tag_condition),
)


def combined(inner: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    parts: Values = lists_of(inner.map(as_document), 3)
    return st.dictionaries(st.sampled_from(["$and", "$or", "$nor"]), parts, min_size=1, max_size=1)


filters: st.SearchStrategy[Document] = st.recursive(
    st.lists(member, max_size=2).map(as_object), combined, max_leaves=6
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
    if prefix == "config":
        levels = [index for index, part in enumerate(path) if part == "value" and index]
        paths = [path, *(path[:index] + path[index + 1 :] for index in levels)]
        return [walk(as_stored(run.config), each) for each in paths]
    found = walk(as_stored(run.summary), path)
    if (
        isinstance(found, dict)
        and found
        and set(found) <= set(STATISTICS)
        and all(map(is_number, found.values()))
    ):
        return [found, *found.values()]
    return [found]


def as_stored(values: JsonInput) -> JsonValue:
    """What the server has of seeded values."""
    return lenient_json.parse(lenient_json.dump(values), what="seeded values")


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
        case "$all", list():
            return bool(operand) and (
                any(isinstance(value, list) and includes(value, operand) for value in present)
                or all(holds(found, "$eq", each) for each in operand)
            )
        case "$size", int():
            return any(isinstance(value, list) and len(value) == operand for value in present)
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
    if key == "tags" and isinstance(wanted, dict) and "$size" in wanted:
        return len(run.tags) == wanted["$size"]
    return operators_hold(found, wanted if isinstance(wanted, dict) else {"$eq": wanted})


def operators_hold(found: list[JsonValue], conditions: Document) -> bool:
    return all(operator_holds(found, operator, conditions) for operator in conditions)


def operator_holds(found: list[JsonValue], operator: str, conditions: Document) -> bool:
    operand = conditions[operator]
    match operator, operand:
        case "$options", _:
            return True
        case "$not", dict():
            return not operators_hold(found, operand)
        case "$regex", str():
            flags = re.RegexFlag(0)
            for letter in str(conditions.get("$options", "")):
                flags |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}[letter]
            return any(isinstance(value, str) and re.search(operand, value, flags) for value in found)
        case _:
            return holds(found, operator, operand)


def includes(items: list[JsonValue], wanted: list[JsonValue]) -> bool:
    return all(any(item_same(item, value) for item in items) for value in wanted)


def item_same(one: JsonValue, other: JsonValue) -> bool:
    if is_number(one) and is_number(other):
        return one == other
    return kind(one) == kind(other) and one == other


def found_names(store: Store, document: object) -> list[str]:
    with store.reading() as connection:
        page = pages.list_runs(
            connection, 1, filters=json.dumps(document), order=None, first=100, after=None, crash_before=""
        )
        total = pages.count_runs(connection, 1, json.dumps(document), crash_before="")
    assert total == len(page.edges)
    return [edge.node.name for edge in page.edges]


@given(st.lists(seed_run(), min_size=1, max_size=6), st.lists(filters, min_size=1, max_size=8))
@examples(80)
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
    runs = [SeedRun(config={"a": value}, summary={"a": {"max": value}}) for value in (4999, -1)]
    names = seed_runs(store, project="p", runs=runs)
    for key in ("config.a", "summary_metrics.a"):
        assert found_names(store, {key: {"$in": list(range(5000))}}) == names[:1]
        assert found_names(store, {"$or": [{key: number} for number in range(5000)]}) == names[:1]


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
        ('{"config.a": {"$all": 1}}', "'config.a'"),
        ('{"config.a": {"$size": -1}}', "'config.a'"),
        ('{"config.a": {"$size": 1.5}}', "'config.a'"),
        ('{"name": {"$size": 1}}', "'name'"),
        ('{"config.a": {"$not": 1}}', "'config.a'"),
        ('{"config.a": {"$not": {}}}', "'config.a'"),
        ('{"config.a": {"$elemMatch": {}}}', "'$elemMatch'"),
        ('{"config.a": {"$options": "i"}}', "'config.a'"),
        ('{"config.a": {"$regex": "a", "$options": "g"}}', "'config.a'"),
        ('{"config.a": {"$regex": "a", "$options": 1}}', "'config.a'"),
        ('{"config.a": ' + '{"$not": ' * 60 + "{}" + "}" * 60 + "}", "levels"),
        ('{"tags": ["x"]}', "'tags' needs a string, not [\"x\"]: use $in"),
        ('{"tags": {"$in": [["x"]]}}', "'tags'"),
        ('{"tags": {"$gt": 1}}', "'tags'"),
        ('{"name": 1}', "'name' needs a string"),
        ('{"state": ["a"]}', "'state' needs a string, not [\"a\"]: use $in"),
        ('{"duration": {"$gt": "60"}}', "'duration' needs a number"),
        ('{"duration": true}', "'duration' needs a number"),
        ('{"duration": {"$regex": "6"}}', "'duration'"),
        ('{"read_only": 0}', "'read_only' needs true or false"),
        ('{"createdAt": {"$gt": "yesterday"}}', "'createdAt' needs a date in ISO 8601, not \"yesterday\""),
        ('{"heartbeat_at": {"$gt": 1795886202}}', "'heartbeat_at' needs a date"),
        ('{"created_at": {"$lt": "2026-13-01"}}', "'created_at' needs a date"),
        ('{"created_at": {"$in": ["0001-01-01T00:00:00+05:00"]}}', "'created_at' needs a date"),
        ('{"created_at": {"$lt": ""}}', "'created_at' needs a date"),
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
        pages.count_runs(connection, 1, text, crash_before="")


def test_a_date_is_understood_however_iso_spells_it(store: Store) -> None:
    moment = datetime(2024, 5, 1, 23, 59, 59, tzinfo=UTC)
    names = seed_runs(store, project="p", runs=[SeedRun(created_at=moment)])
    same = [
        "2024-05-01T23:59:59",
        "2024-05-01 23:59:59",
        "2024-05-01t23:59:59z",
        "2024-05-02T01:59:59+02:00",
        "20240501T235959",
        " 2024-05-01 23:59:59.000 ",
    ]
    for text in same:
        assert found_names(store, {"createdAt": text}) == names, text
        assert found_names(store, {"createdAt": {"$gte": text, "$lte": text}}) == names, text
        assert found_names(store, {"createdAt": {"$gt": text}}) == [], text
    before = ["2024", "2024-05", "2024-05-01", "2024-05-01 23:59", "2024-05-01 23:59:58.9", "0999-01-01"]
    after = ["2025", "2024-06", "2024-05-02", "2024-05-01 23:59:59.5", "2024-05-01T23:59:59-00:01"]
    for text in before:
        assert found_names(store, {"created_at": {"$gt": text}}) == names, text
        assert found_names(store, {"created_at": {"$lte": text}}) == [], text
    for text in after:
        assert found_names(store, {"created_at": {"$lt": text}}) == names, text
        assert found_names(store, {"created_at": {"$gte": text}}) == [], text


def test_config_keys_match_as_the_stored_json_does(store: Store) -> None:
    configs: dict[str, JsonValue] = {"plain": {"b": 1}, "member": {"value": {"b": 1}}, "other": {"b": 2}}
    seed_runs(store, project="p", runs=[SeedRun(name=name, config={"a": a}) for name, a in configs.items()])
    assert found_names(store, {"config.a.value.b": 1}) == ["plain", "member"]
    assert found_names(store, {"config.a.b": 1}) == ["plain"]
    assert found_names(store, {"config.a.value.value.b": 1}) == ["member"]
    assert found_names(store, {"config.a.value.b": {"$exists": False}}) == []


def test_a_metric_that_is_summarized_counts_as_its_statistics(store: Store) -> None:
    accuracies: dict[str, JsonValue] = {
        "number": 0.2,
        "max": {"max": 0.3},
        "both": {"min": 0.1, "max": 0.4},
        "no statistic": {"max": 0.9, "name": "x"},
        "none": None,
    }
    seed_runs(
        store,
        project="p",
        runs=[SeedRun(name=name, summary={"acc": value}) for name, value in accuracies.items()],
    )
    assert found_names(store, {"summary_metrics.acc": {"$gt": 0.25}}) == ["max", "both"]
    assert found_names(store, {"summary_metrics.acc.max": {"$gt": 0.25}}) == ["max", "both", "no statistic"]
    assert found_names(store, {"summary_metrics.acc": {"$in": [0.1, 0.2]}}) == ["number", "both"]

    def ordered(order: str) -> list[str]:
        with store.reading() as connection:
            page = pages.list_runs(
                connection, 1, filters=None, order=order, first=9, after=None, crash_before=""
            )
        return [edge.node.name for edge in page.edges]

    assert ordered("-summary_metrics.acc") == ["both", "max", "number", "none", "no statistic"]
    assert ordered("+summary_metrics.acc") == ["both", "number", "max", "no statistic", "none"]
    assert ordered("-summary_metrics.acc.max")[:3] == ["no statistic", "both", "max"]


def test_a_database_from_before_statistics_is_brought_up_to_date(tmp_path: Path) -> None:
    summaries: dict[str, JsonValue] = {"stat": {"max": 0.9}, "plain": {"max": 0.9, "x": "y"}, "empty": {}}
    with closing(Store(tmp_path)) as store:
        with store.writing() as connection:
            auth.add_key(connection, "k")
        seed_runs(
            store,
            project="p",
            runs=[
                SeedRun(name=name, summary={"acc": value, "max": 0.9}) for name, value in summaries.items()
            ],
        )
        assert found_names(store, {"summary_metrics.acc": 0.9}) == ["stat"]
        with store.writing() as connection:
            connection.execute("UPDATE run_values SET kind = 'number' WHERE kind = 'statistic'")
        assert found_names(store, {"summary_metrics.acc": 0.9}) == []
        with store.connection() as connection:
            connection.execute("ALTER TABLE api_keys DROP COLUMN read_only")
            for table in ("curve_progress", "curve_chunks"):
                connection.execute(f"DROP TABLE {table}")
            connection.execute(f"PRAGMA user_version = {migrations.BEFORE_STATISTICS}")
    with closing(Store(tmp_path)) as store:
        assert found_names(store, {"summary_metrics.acc": 0.9}) == ["stat"]
        assert found_names(store, {"summary_metrics.acc.max": 0.9}) == ["stat", "plain"]
