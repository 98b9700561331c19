"""Projects and users: lists that do not count themselves, and picking one user."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.unit.transport.stepping import answered, played, sent

from runql import NotFoundError, PaginationError, PartialResultWarning, ProjectNotFoundError, User
from runql.partial_results import PartialReads
from runql.resources.pages.listing import UncountedListing
from runql.resources.project import list_project_page, read_project
from runql.resources.user import best_match, list_matching_users
from runql.transport.wire import Response
from runql_graphql.fragments import ProjectFields


def project(name: str) -> dict[str, object]:
    created = "2026-07-01T12:00:00"
    return {"id": name, "name": name, "entityName": "e", "createdAt": created, "isBenchmark": False}


def page(field: str, nodes: Sequence[object], cursor: str | None = None) -> Response:
    edges = [{"cursor": f"c{place}", "node": node} for place, node in enumerate(nodes)]
    info = {"endCursor": cursor, "hasNextPage": cursor is not None}
    return answered({field: {"pageInfo": info, "edges": edges}})


def listing() -> UncountedListing[ProjectFields, str]:
    return UncountedListing(
        lambda size, after: list_project_page("e", size, after),
        lambda found: [fields.name for fields in found.nodes],
        str,
        per_page=2,
    )


def test_counting_projects_reads_all_pages() -> None:
    held = listing()
    replies = [page("models", [project("a")], "c"), page("models", [project("b")])]
    count, effects = played(held.counted(), replies)
    assert (count, held.items) == (2, ["a", "b"])
    assert [sent(effect).variables["after"] for effect in effects] == [None, "c"]


def test_a_hidden_project_is_an_error_that_keeps_the_pages_before_it() -> None:
    held = listing()
    replies = [page("models", [project("a")], "c"), page("models", [None, project("b"), None])]
    with pytest.raises(PaginationError, match=r"null in place of 2 item\(s\) on the page after cursor 'c'"):
        played(held.counted(), replies)
    assert held.items == ["a"]


def test_hidden_projects_are_left_out_and_reported_where_the_caller_allows_it() -> None:
    held = listing()
    with pytest.warns(PartialResultWarning, match=r"1 item\(s\) on the first page") as caught, PartialReads():
        count, _ = played(held.counted(), [page("models", [project("a"), None])])
    assert (count, held.items, len(caught)) == (1, ["a"], 1)


def test_an_entity_without_projects_has_none_and_an_absent_one_is_an_error() -> None:
    assert played(listing().counted(), [page("models", [])])[0] == 0
    with pytest.raises(NotFoundError, match="entity e"):
        played(listing().counted(), [answered({"models": None})])


def test_an_absent_project_is_an_error() -> None:
    assert played(read_project("e", "p"), [answered({"project": project("p")})])[0].name == "p"
    with pytest.raises(ProjectNotFoundError):
        played(read_project("e", "p"), [answered({"project": None})])


def test_users_are_read_to_the_last_page() -> None:
    ada, bob = {"id": "1", "name": "Ada", "username": "ada"}, {"id": "2", "name": "Bob"}
    found, _ = played(list_matching_users("a"), [page("users", [ada], "c"), page("users", [bob])])
    assert found == [User("Ada", "ada"), User("Bob")]
    with pytest.raises(PaginationError, match="null in place of the users"):
        played(list_matching_users("a"), [answered({"users": None})])
    circle = [page("users", [ada], cursor) for cursor in ("c", "d", "c")]
    with pytest.raises(PaginationError):
        played(list_matching_users("a"), circle)


def test_the_exact_name_wins_over_the_first() -> None:
    first, exact = User("Adam", "adam", "adam@x"), User("Ada", "ada", "ada@x")
    assert best_match([first, exact], "ada") is exact
    assert best_match([first, exact], "ada@x") is exact
    assert best_match([first, exact], "ad") is first
    assert best_match([], "ada") is None
