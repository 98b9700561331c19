"""The site of the documents is whole: the navigation names each page once, the written pages have every name and command."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tests.docs import linking, site
from tests.docs.api_pages import api_pages
from tests.docs.command_page import all_commands, command_page

import runql


def test_the_navigation_names_every_document_once() -> None:
    named = [entry.path for entry in site.leaves(site.read_nav())]
    assert len(named) == len(set(named))
    stars = [path.removesuffix("*") for path in named if path.endswith("/*")]
    pages = [path for path in site.all_pages() if not path.startswith(tuple(stars))]
    assert sorted(path for path in named if not path.endswith("/*")) == sorted(pages)
    assert all(any(page.startswith(star) for page in site.all_pages()) for star in stars)


def test_every_public_name_is_on_one_page_of_the_reference() -> None:
    described = re.findall(r"^::: runql\.(\w+)$", "\n".join(api_pages().values()), re.MULTILINE)
    public = {name for name in runql.__all__ if not name.startswith("__")}
    assert sorted(described) == sorted({*public, "filters"})


def test_every_command_and_option_is_described() -> None:
    page = command_page()
    titles = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert titles == [*all_commands()]
    assert {"runql serve", "runql drift", "runql drift responses"} <= set(titles)
    assert "`--data-dir <path>`" in page


def test_the_place_of_a_folder_holds_its_pages_with_the_first_before() -> None:
    pages = {"a/1.md": "# One", "a/README.md": "# All", "b.md": "# `B`"}
    nav = site.toml_nav((site.Entry("A", "a/*"), site.Entry("B", "b.md")), pages)
    assert nav == '[{ "A" = [{ "All" = "a/README.md" }, { "One" = "a/1.md" }] }, { "B" = "b.md" }]'


def test_a_link_to_a_folder_leads_to_its_page() -> None:
    assert site.in_site("[d](docs/decisions) [u](https://x/docs)", "README.md") == (
        "[d](docs/decisions/README.md) [u](https://x/docs)"
    )


def test_links_into_the_repository_become_paths() -> None:
    link = "[a](https://forge/us/runql/blob/main/docs/a.md#b) [c](https://forge/us/runql/issues)"
    assert site.relative(link, "README.md", "https://forge/us/runql") == (
        "[a](docs/a.md#b) [c](https://forge/us/runql/issues)"
    )
    assert site.relative(link, "docs/x/y.md", "https://forge/us/runql").startswith("[a](../../docs/a.md#b)")
    assert site.relative(link, "README.md", None) == link


def test_the_documents_are_built_after_the_checks() -> None:
    steps = re.findall(r"^step make (\w+)", (site.ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    assert steps[steps.index("check") + 1] == "docs"
    target = (site.ROOT / "Makefile").read_text("utf-8").partition("\ndocs:")[2].partition("\n\n")[0]
    assert "zensical build --strict" in target


def test_a_bar_in_code_of_a_table_is_not_escaped() -> None:
    assert (
        site.in_site("| `a \\| b` | c \\| d |\n`a \\| b`", "README.md") == "| `a | b` | c \\| d |\n`a \\| b`"
    )


def test_files_that_pages_link_to_are_in_the_site() -> None:
    assert "tests/examples/service.py" in site.linked_files(site.all_pages())


def test_a_page_that_loads_from_another_host_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "BUILD", tmp_path)
    monkeypatch.setattr(site, "all_pages", lambda: {"README.md": "", "docs/a.md": "", "docs/b.md": ""})
    (tmp_path / "site" / "docs").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text('<a href="https://elsewhere">a link is not loaded</a>')
    (tmp_path / "site" / "docs" / "a.html").write_text(
        '<script src="https://cdn/x.js"></script><link rel="stylesheet" href="https://fonts/y.css">'
        '<pre class="mermaid"></pre>'
    )
    (tmp_path / "site" / "a.css").write_text(
        '@import "https://styles/a.css"; @font-face { src: url(//fonts/z.woff2), url("data:font/woff2;base64,x") }'
    )
    assert site.faults() == [
        "a.css: loads https://styles/a.css",
        "a.css: loads //fonts/z.woff2",
        "docs/a.md: loads https://cdn/x.js",
        "docs/a.md: loads https://fonts/y.css",
        'docs/a.md: makes the theme load class="mermaid"',
        "docs/b.md: was not built",
    ]


def test_nothing_that_the_theme_fetches_is_switched_on() -> None:
    project = tomllib.loads(site.CONFIG.read_text("utf-8"))["project"]
    assert project["theme"]["font"] is False
    assert "repo_url" not in project, "the theme asks the forge for its counts"
    assert set(project["plugins"]) == {"search", "mkdocstrings"}
    for style in project["extra_css"]:
        assert not site.IMPORTED.findall((site.ROOT / style).read_text("utf-8"))
    for page, content in site.all_pages().items():
        assert "```mermaid" not in content, page


def test_a_block_without_a_language_is_plain_text() -> None:
    page = "```\na\n```\n\n```sh\nb\n```\n\n```\nc\n```"
    assert site.in_site(page, "README.md") == ("```text\na\n```\n\n```sh\nb\n```\n\n```text\nc\n```")


def test_names_become_links_to_the_reference(tmp_path: Path) -> None:
    (tmp_path / "runs.html").write_text(
        '<h2 id="runql.Run" class="doc"><h3 id="runql.Run.history" class="doc">'
    )
    places = linking.reference_places(tmp_path)
    assert places == {"runql.Run": "runs.html#runql.Run", "runql.Run.history": "runs.html#runql.Run.history"}

    def link(span: str) -> str:
        return linking.linked(f"<p><code>{span}</code></p>", places, "../r/")

    method = '<p><a href="../r/runs.html#runql.Run.history"><code>{}</code></a></p>'
    for span in ("Run.history", "runql.Run.history", "run.history(samples=500)"):
        assert link(span) == method.format(span)
    for span in ("run", "Run.nothing", "Running", "Run history"):
        assert link(span) == f"<p><code>{span}</code></p>"
    for around in ("<pre>{}</pre>", '<a href="x">{}</a>', "<h2>{}</h2>"):
        html = around.format("<code>Run.history</code>")
        assert linking.linked(html, places, "") == html


def test_a_name_without_a_heading_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "BUILD", tmp_path)
    (tmp_path / "site" / "docs" / "reference").mkdir(parents=True)
    (tmp_path / "site" / "docs" / "reference" / "runs.html").write_text('<h2 id="runql.Run" class="doc">')
    assert site.undescribed(["Run", "Runs"]) == ["runql.Runs: the reference has no heading"]


def test_the_reference_begins_with_the_classes_that_everybody_uses() -> None:
    first = [re.findall(r"^::: (.+)$", page, re.MULTILINE)[:1] for page in api_pages().values()]
    assert first[:4] == [["runql.Api"], ["runql.Run"], ["runql.HistoryScan"], ["runql.Artifact"]]
