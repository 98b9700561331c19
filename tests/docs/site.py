"""Prepares the pages of the documents' site for `make docs`, and checks what was built: `python -m tests.docs.site`."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tests.docs.api_pages import api_pages
from tests.docs.command_page import command_page
from tests.docs.linking import linked, reference_places

import runql

Nav: TypeAlias = "list[dict[str, str | Nav]]"
ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "docs" / "zensical.toml"
BUILD: Final = ROOT / "build" / "docs"
REPOSITORY: Final[str | None] = (
    tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"].get("urls", {}).get("Repository")
)
LINK: Final = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
LOADED: Final = re.compile(
    r"<(?:script|img|iframe)[^>]+src=\"?(https?://[^\"\s>]+)|<link[^>]+stylesheet[^>]+(https?://[^\"\s>]+)"
)
IMPORTED: Final = re.compile(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)")
ON_DEMAND: Final = (
    'class="mermaid"',
    'class="glightbox"',
    'data-md-component="source"',
    "language-pyodide",
)
"""What the theme's script fetches from another host when a page has it: diagrams, pictures, a forge's counts, Python."""


@dataclass(frozen=True)
class Entry:
    """A line of the navigation: a page, all pages of a folder, or a section."""

    title: str
    path: str = ""
    section: tuple[Entry, ...] = ()


def read_nav() -> tuple[Entry, ...]:
    """Read the navigation of docs/zensical.toml."""
    return _entries(tomllib.loads(CONFIG.read_text("utf-8"))["project"]["nav"])


def _entries(listed: Nav) -> tuple[Entry, ...]:
    found: list[Entry] = []
    for line in listed:
        [(title, target)] = line.items()
        found.append(
            Entry(title, target) if isinstance(target, str) else Entry(title, section=_entries(target))
        )
    return tuple(found)


def leaves(entries: tuple[Entry, ...]) -> Iterator[Entry]:
    """Yield the entries that name pages, in order."""
    for entry in entries:
        yield from leaves(entry.section) if entry.section else (entry,)


def written_pages() -> dict[str, str]:
    """The pages that are written at build time, by their paths."""
    return {"docs/commands.md": command_page(), **api_pages()}


def all_pages() -> dict[str, str]:
    """The content of every page of the site, by its path in the repository."""
    pages = written_pages()
    for path in sorted((ROOT / "docs").rglob("*.md")):
        pages[path.relative_to(ROOT).as_posix()] = path.read_text("utf-8")
    for entry in leaves(read_nav()):
        if entry.path not in pages and not entry.path.endswith("/*"):
            pages[entry.path] = (ROOT / entry.path).read_text("utf-8")
    return {page: relative(content, page, REPOSITORY) for page, content in pages.items()}


def relative(content: str, page: str, repository: str | None) -> str:
    """The page with links into the repository, which README needs outside of it, as paths."""
    if repository is None:
        return content
    place = re.compile(rf"\]\({re.escape(repository)}/(?:blob|tree)/main/")
    above = "../" * page.count("/")
    return place.sub(f"]({above}", content)


def linked_files(pages: dict[str, str]) -> set[str]:
    """The files of the repository that pages link to, and that are no pages themselves."""
    found: set[str] = set()
    for page, content in pages.items():
        for link in LINK.findall(re.sub(r"```.*?```", "", content, flags=re.DOTALL)):
            target = (ROOT / page).parent / link
            if not link.startswith(("http://", "https://")) and target.is_file():
                path = target.resolve().relative_to(ROOT).as_posix()
                if path not in pages:
                    found.add(path)
    return found


def in_site(content: str, page: str) -> str:
    """The page as the site has it: a link to a folder leads to its README, a bar in code of a table is not escaped."""

    def mend(link: re.Match[str]) -> str:
        target = (ROOT / page).parent / link[1]
        is_folder = not link[1].startswith(("http://", "https://")) and target.is_dir()
        return f"]({link[1].rstrip('/')}/README.md)" if is_folder else link[0]

    in_table = re.compile(r"^\|.*$", re.MULTILINE)
    content = in_table.sub(
        lambda row: re.sub(r"`[^`]+`", lambda code: code[0].replace("\\|", "|"), row[0]), content
    )
    return LINK.sub(mend, _named_fences(content))


def _named_fences(content: str) -> str:
    """The page whose blocks without a language are plain text; that of docstrings is Python."""
    lines: list[str] = []
    inside = False
    for line in content.split("\n"):
        is_fence = line.startswith("```")
        lines.append("```text" if is_fence and not inside and line == "```" else line)
        inside ^= is_fence
    return "\n".join(lines)


def toml_nav(entries: tuple[Entry, ...], pages: dict[str, str]) -> str:
    """Format the navigation with every page of a folder in the place of its star."""
    lines: list[str] = []
    for entry in entries:
        folder = entry.path.removesuffix("*")
        if entry.section:
            target = toml_nav(entry.section, pages)
        elif folder != entry.path:
            inside = tuple(
                Entry(_title(content), page) for page, content in pages.items() if page.startswith(folder)
            )
            # The page that introduces the folder stands before the others.
            target = toml_nav(
                tuple(sorted(inside, key=lambda each: not each.path.endswith("README.md"))), pages
            )
        else:
            target = _quoted(entry.path)
        lines.append(f"{{ {_quoted(entry.title)} = {target} }}")
    return f"[{', '.join(lines)}]"


def _title(content: str) -> str:
    return content.partition("\n")[0].removeprefix("# ").replace("`", "")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def prepare() -> None:
    """Write the pages and the configuration to build/docs."""
    shutil.rmtree(BUILD, ignore_errors=True)
    pages = all_pages()
    for page, content in pages.items():
        target = BUILD / "pages" / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(in_site(content, page), "utf-8")
    for path in (*linked_files(pages), *tomllib.loads(CONFIG.read_text("utf-8"))["project"]["extra_css"]):
        target = BUILD / "pages" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    nav = f"nav = {toml_nav(read_nav(), pages)}\n"
    config = re.sub(
        r"^nav = \[.*?^\]\n", lambda _: nav, CONFIG.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    (BUILD / "zensical.toml").write_text(config, "utf-8")


def faults() -> list[str]:
    """List the pages that were not built, and what a page or a stylesheet loads from another host."""
    site = BUILD / "site"
    found: list[str] = []
    for style in sorted(site.rglob("*.css")):
        name = style.relative_to(site).as_posix()
        found += [f"{name}: loads {url}" for url in IMPORTED.findall(style.read_text("utf-8"))]
    for page in all_pages():
        built = site / re.sub(r"README\.md$", "index.md", page).replace(".md", ".html")
        if not built.is_file():
            found.append(f"{page}: was not built")
            continue
        html = built.read_text("utf-8")
        found += [f"{page}: loads {''.join(each)}" for each in LOADED.findall(html)]
        found += [f"{page}: makes the theme load {mark}" for mark in ON_DEMAND if mark in html]
    return found


def undescribed(names: Iterable[str]) -> list[str]:
    """List the names that have no heading in the built reference."""
    places = reference_places(BUILD / "site" / "docs" / "reference")
    return [f"runql.{name}: the reference has no heading" for name in names if f"runql.{name}" not in places]


def finish() -> None:
    """Leave one of the two colons with which docstrings begin an example, and link names to their reference."""
    site = BUILD / "site"
    reference = site / "docs" / "reference"
    for page in reference.glob("*.html"):
        page.write_text(page.read_text("utf-8").replace("::</p>", ":</p>"), "utf-8")
    places = reference_places(reference)
    for page in site.rglob("*.html"):
        above = "../" * (len(page.relative_to(site).parts) - 1)
        page.write_text(linked(page.read_text("utf-8"), places, f"{above}docs/reference/"), "utf-8")


def main() -> None:
    """Prepare the pages; with `--finish`, finish and check the site instead."""
    if sys.argv[1:] != ["--finish"]:
        prepare()
        return
    finish()
    found = faults() + undescribed(name for name in runql.__all__ if not name.startswith("__"))
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        sys.exit(1)
    print(f"{BUILD / 'site' / 'index.html'}: {len(all_pages())} pages")


if __name__ == "__main__":
    main()
