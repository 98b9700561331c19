"""The viewer, and the HTML of a run in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from tests.unit.transport.stepping import answered, ended

from runql.errors import AuthenticationError
from runql.resources.records.iframe import page_html
from runql.resources.user import User, read_viewer
from runql.transport.flow import Send
from runql_graphql.operations import get_viewer

ADA = {"id": "u", "name": "Ada Lovelace", "username": "ada", "email": "a@b", "admin": True, "entity": "team"}


class Tags(HTMLParser):
    """The tags of a text, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def viewer(body: object) -> User:
    flow = read_viewer()
    assert next(flow) == Send(get_viewer())
    return ended(flow, answered({"viewer": body}))


def test_the_viewer_is_read_by_one_request() -> None:
    teams = {"edges": [{"node": {"name": "team"}}, {"node": None}, {"node": {"name": "other"}}]}
    user = viewer({**ADA, "teams": teams})
    assert user == User("Ada Lovelace", "ada", "a@b", "team", admin=True, teams=("team", "other"))
    assert str(user) == "Ada Lovelace"


@pytest.mark.parametrize("teams", [None, {"edges": []}])
def test_a_viewer_without_teams_or_anything_optional(teams: object) -> None:
    assert viewer({"id": "u", "name": "Ada", "teams": teams}) == User("Ada")


def test_no_viewer_means_the_key_is_not_known() -> None:
    flow = read_viewer()
    next(flow)
    with pytest.raises(AuthenticationError, match=r"WANDB_API_KEY.*\[GetViewer\]"):
        flow.send(answered({"viewer": None}))


def test_a_run_is_an_iframe_of_its_page() -> None:
    [(tag, attributes)] = Tags(page_html("https://app/e/p/runs/r", "run", height=420, hidden=False)).found
    assert tag == "iframe"
    assert attributes["src"] == "https://app/e/p/runs/r?jupyter=true"
    assert "height:420px" in str(attributes["style"])
    assert "display:none" not in str(attributes["style"])


def test_hidden_it_waits_behind_a_button() -> None:
    (button, _), (frame, attributes) = Tags(page_html("https://app/r", "run", height=99, hidden=True)).found
    assert (button, frame) == ("button", "iframe")
    assert "display:none" in str(attributes["style"])


@pytest.mark.parametrize(
    "url", ["https://app/'><script>alert(1)</script>", 'https://app/" onload="x', "https://app/&amp;"]
)
def test_no_url_breaks_out_of_its_attribute(url: str) -> None:
    [(tag, attributes)] = Tags(page_html(url, "run", height=1, hidden=False)).found
    assert tag == "iframe"
    assert attributes.keys() == {"src", "style"}
    assert attributes["src"] == f"{url}?jupyter=true"
