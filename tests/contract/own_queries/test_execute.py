"""`client.execute` and `client.pages`: operations of a user through our transport, on both clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from tests.contract.both_clients import AnyApi, AnyClient, Face
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, listed, taken

import runql
from runql import UNSET, JSONValue, Operation, RetryPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

KEY = "k" * 40
HASTY = RetryPolicy(max_attempts=3, first_delay=0.001, jitter=0)
M = TypeVar("M", bound=BaseModel)


class Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Named(Shape):
    name: str


class PageInfo(Shape):
    end_cursor: str | None
    has_next_page: bool


class RunEdge(Shape):
    node: Named | None


class Runs(Shape):
    page_info: PageInfo
    edges: list[RunEdge]


class Project(Shape):
    runs: Runs | None = None


class RunNames(Shape):
    project: Project | None


class Done(Shape):
    success: bool


class Deletion(Shape):
    delete_run: Done | None


RUN_NAMES = """\
query RunNames($entity: String!, $project: String!, $first: Int, $after: String = null) {
  project(entityName: $entity, name: $project) {
    runs(first: $first, after: $after, order: "+created_at") {
      pageInfo { endCursor hasNextPage }
      edges { node { name } }
    }
  }
}
"""
DELETION = "mutation Deletion($id: ID!) { deleteRun(input: {id: $id}) { success } }"


def run_names(project: str = "p", entity: str = "e", first: int | None = None) -> Operation[RunNames]:
    variables: dict[str, object] = {"entity": entity, "project": project, "first": first, "after": UNSET}
    return Operation("RunNames", "query", RUN_NAMES, variables, RunNames)


def deletion() -> Operation[Deletion]:
    return Operation("Deletion", "mutation", DELETION, {"id": "x"}, Deletion)


def runs_of(data: RunNames) -> Runs | None:
    return data.project.runs if data.project else None


def names(face: Face, client: AnyClient, operation: Operation[RunNames]) -> list[str | None]:
    return [
        None if node is None else node.name
        for node in listed(face, client.pages(operation, connection=runs_of))
    ]


def page(names: list[str | None], cursor: JSONValue, *, more: bool) -> dict[str, JSONValue]:
    edges: list[JSONValue] = [{"node": None if name is None else {"name": name}} for name in names]
    info: JSONValue = {"endCursor": cursor, "hasNextPage": more}
    return {"project": {"runs": {"pageInfo": info, "edges": edges}}}


def sent_variables(scripted: ScriptedServer) -> list[dict[str, JSONValue]]:
    return [json.loads(request.body)["variables"] for request in scripted.asked]


@pytest.fixture
def client(face: Face, scripted: ScriptedServer) -> AnyClient:
    """Make a client that sends each request at most three times."""
    return face.client(scripted.url, KEY, retry=HASTY)


@pytest.fixture
def served(face: Face, server: RunningServer, project: str) -> AnyApi:
    """Make an entry point to a server with five runs."""
    server.seed(project, [SeedRun(display_name=f"run-{index}") for index in range(5)])
    server.clear()
    return face.api(server.url, server.api_key)


def test_a_users_operation_gives_its_model_in_one_request(
    face: Face, served: AnyApi, server: RunningServer, project: str
) -> None:
    data: RunNames = taken(face, served.client.execute(run_names(project, server.entity)))
    assert isinstance(data, RunNames)
    found = runs_of(data)
    assert found is not None
    assert len(found.edges) == 5
    assert [request.operation for request in server.requests] == ["RunNames"]


@pytest.mark.parametrize(("first", "requests"), [(2, 3), (5, 1), (100, 1)])
def test_pages_give_every_node_once_with_one_request_a_page(
    face: Face, served: AnyApi, server: RunningServer, project: str, first: int, requests: int
) -> None:
    listed_names = names(face, served.client, run_names(project, server.entity, first))
    by_us = [
        run.id
        for run in face.items(face.take(served.runs(f"{server.entity}/{project}", order="+created_at")))
    ]
    assert listed_names == by_us
    assert len(set(listed_names)) == 5
    assert [request.operation for request in server.requests].count("RunNames") == requests


def test_a_page_is_requested_when_the_iteration_reaches_it(
    face: Face, served: AnyApi, server: RunningServer, project: str
) -> None:
    pages = served.client.pages(run_names(project, server.entity, 2), connection=runs_of)
    assert server.requests == []
    assert len(face.items(pages, 2)) == 2
    assert len(server.requests) == 1


def test_the_cursor_goes_into_the_variable_and_null_nodes_stay(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give_data(
        page(["a", None], "1", more=True), page([], "2", more=True), page(["b"], None, more=False)
    )
    assert names(face, client, run_names(first=2)) == ["a", None, "b"]
    assert [sent.get("after", "not sent") for sent in sent_variables(scripted)] == ["not sent", "1", "2"]


def test_pages_start_after_a_cursor_of_the_caller(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    operation = run_names()
    operation = replace(operation, variables={**operation.variables, "after": "7"})
    scripted.give_data(page(["c"], None, more=False))
    assert names(face, client, operation) == ["c"]
    assert sent_variables(scripted)[0]["after"] == "7"


@pytest.mark.parametrize(
    ("pages", "problem"),
    [
        ([page(["a"], "1", more=True), page(["b"], "1", more=True)], "in a circle: cursor '1' came before"),
        (
            [page(["a"], "1", more=True), page(["b"], "2", more=True), page(["c"], "1", more=True)],
            "in a circle",
        ),
        ([page(["a"], None, more=True)], "has another page, and sends no cursor"),
        ([page(["a"], "", more=True)], "has another page, and sends no cursor"),
        ([{"project": None}], "is null, so the list would end too early"),
        ([page(["a"], "1", more=True), {"project": {"runs": None}}], "is null"),
    ],
)
def test_a_list_that_would_be_incomplete_is_an_error(
    face: Face,
    client: AnyClient,
    scripted: ScriptedServer,
    pages: list[dict[str, JSONValue]],
    problem: str,
) -> None:
    scripted.give_data(*pages)
    with pytest.raises(runql.PaginationError, match=problem):
        names(face, client, run_names())
    assert len(scripted.asked) == len(pages)


def test_a_query_is_repeated_after_a_server_failure(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give(ScriptedResponse(status=502))
    scripted.give_data(page(["a"], None, more=False))
    assert names(face, client, run_names()) == ["a"]
    assert len(scripted.asked) == 2


def test_a_mutation_is_not_repeated_after_a_server_failure(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give(ScriptedResponse(status=502))
    with pytest.raises(runql.ServerFailureError):
        taken(face, client.execute(deletion()))
    assert len(scripted.asked) == 1


def test_a_mutation_that_was_refused_for_the_rate_is_sent_again(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give(ScriptedResponse(status=429))
    scripted.give_data({"deleteRun": {"success": True}})
    assert taken(face, client.execute(deletion())).delete_run.success
    assert len(scripted.asked) == 2


def test_an_operation_of_another_schema_is_an_error_that_names_what_the_server_lacks(
    face: Face, served: AnyApi, server: RunningServer
) -> None:
    document = "query Other { repository(id: 1) { stars } }"
    operation = Operation("Other", "query", document, {}, RunNames)
    with pytest.raises(runql.OutdatedServerError) as caught:
        taken(face, served.client.execute(operation))
    assert caught.value.unknown == ("Query.repository",)
    assert len(server.requests) == 1


def test_a_response_that_does_not_fit_is_drift(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give_data({"project": {"runs": {"edges": []}}})
    with pytest.raises(runql.SchemaDriftError, match="pageInfo"):
        taken(face, client.execute(run_names()))


def test_the_credentials_are_sent(face: Face, client: AnyClient, scripted: ScriptedServer) -> None:
    scripted.give_data({"deleteRun": None})
    assert taken(face, client.execute(deletion())).delete_run is None
    assert scripted.asked[0].headers["authorization"].startswith("Basic ")


@dataclass
class Handwritten(Generic[M]):
    """An operation of a user's own class."""

    result: type[M]
    name: str = "RunNames"
    kind: Literal["query", "mutation"] = "query"
    document: str = RUN_NAMES
    variables: Mapping[str, object] = field(default_factory=lambda: {"entity": "e", "project": "p"})


def test_an_operation_of_another_class_is_executed(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give_data(page(["a"], None, more=False))
    data: RunNames = taken(face, client.execute(Handwritten(RunNames)))
    assert runs_of(data) is not None


COMMENTED = """
# query Hidden($a: Int!) { a }
fragment F on Query { viewer(note: "query Quoted { ") { id } }
query RunNames(  # $comment: Int!
  $entity: String! , $filter: Filter = {name: "(", tags: ["}"]}
  $ids: [ID!]! = ["a"], $project: String!
) { ...F }
"""


def operation_with(**parts: object) -> Untyped:
    """An operation with other parts, as a caller without a type checker may pass it."""
    given: dict[str, Any] = {**vars(Handwritten(RunNames)), **parts}  # Any: see above
    return Handwritten(**given)


def test_the_variables_of_a_document_are_found_between_comments_and_strings(
    face: Face, client: AnyClient, scripted: ScriptedServer
) -> None:
    scripted.give_data({"project": None})
    given = {"entity": "e", "project": "p"}
    assert taken(face, client.execute(operation_with(document=COMMENTED, variables=given))).project is None
    with pytest.raises(ValueError, match="needs the variable 'project'"):
        taken(face, client.execute(operation_with(document=COMMENTED, variables={"entity": "e"})))
    with pytest.raises(ValueError, match="no variable 'comment'"):
        taken(face, client.execute(operation_with(document=COMMENTED, variables={**given, "comment": 1})))
    for name in ("Hidden", "Quoted", "F"):
        with pytest.raises(ValueError, match="holds no operation of this name"):
            taken(face, client.execute(operation_with(document=COMMENTED, name=name)))
    assert len(scripted.asked) == 1


BAD: dict[str, tuple[Untyped, type[Exception], str]] = {
    "no operation": ("query { a }", TypeError, "str has no 'name'.*runql-codegen"),
    "older class": (
        type("Older", (), {"name": "A", "document": "", "variables": {}})(),
        TypeError,
        "no 'kind'",
    ),
    "name": (operation_with(name=3), TypeError, "name of an operation must be a str"),
    "document": (operation_with(document=b""), TypeError, "document of an operation must be a str"),
    "variables": (operation_with(variables=[]), TypeError, "variables of an operation must be a Mapping"),
    "result": (operation_with(result="RunNames"), TypeError, "result of an operation must be a type"),
    "result class": (operation_with(result=dict), TypeError, "must be a pydantic model, not dict"),
    "another name": (operation_with(name="Others"), ValueError, "holds no operation of this name"),
    "kind": (operation_with(kind="mutation"), ValueError, "is a query in its document.*'mutation'"),
    "hidden mutation": (
        operation_with(name="Deletion", document=DELETION, variables={"id": "x"}),
        ValueError,
        "is a mutation in its document, and its kind is 'query'",
    ),
    "subscription": (operation_with(kind="subscription"), ValueError, "must be a query or a mutation"),
    "undeclared": (
        operation_with(variables={"entity": "e", "project": "p", "name": 1}),
        ValueError,
        "declares no variable 'name'",
    ),
    "missing": (operation_with(variables={"entity": "e"}), ValueError, "needs the variable 'project'"),
    "unset": (
        operation_with(variables={"entity": "e", "project": UNSET}),
        ValueError,
        "needs the variable 'project'",
    ),
    "null": (
        operation_with(variables={"entity": None, "project": "p"}),
        ValueError,
        "needs the variable 'entity'",
    ),
    "type": (
        operation_with(variables={"entity": "e", "project": "p", "first": "2"}),
        TypeError,
        "first of RunNames must be an int",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_operation_that_cannot_be_sent_is_refused_before_it_is(
    face: Face, client: AnyClient, scripted: ScriptedServer, case: str
) -> None:
    operation, error, problem = BAD[case]
    with pytest.raises(error, match=problem):
        taken(face, client.execute(operation))
    with pytest.raises(error, match=problem):
        listed(face, client.pages(operation, connection=runs_of))
    assert scripted.asked == []


NOT_PAGES: dict[str, tuple[dict[str, Untyped], type[Exception], str]] = {
    "mutation": (
        {"operation": deletion()},
        ValueError,
        "pages are read by queries, and Deletion is a mutation",
    ),
    "cursor": ({"cursor": "since"}, ValueError, r"declares no variable 'since'.*\$since: String.*'after'"),
    "connection": ({"connection": "project.runs"}, TypeError, "connection must be a function, not str"),
}


@pytest.mark.parametrize("case", NOT_PAGES)
def test_pages_that_cannot_be_read_are_refused_at_the_call(
    client: AnyClient, scripted: ScriptedServer, case: str
) -> None:
    given, error, problem = NOT_PAGES[case]
    arguments: dict[str, Untyped] = {"operation": run_names(), "connection": runs_of, **given}
    with pytest.raises(error, match=problem):
        client.pages(**arguments)
    assert scripted.asked == []


def test_what_is_no_connection_is_named(face: Face, client: AnyClient, scripted: ScriptedServer) -> None:
    scripted.give_data(page(["a"], None, more=False))

    def project_of(data: RunNames) -> Untyped:
        return data.project

    with pytest.raises(TypeError, match="RunNames selects no connection there, it has no 'page_info'"):
        listed(face, client.pages(run_names(), connection=project_of))
