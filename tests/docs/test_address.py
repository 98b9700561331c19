"""The project's address stands in pyproject.toml; everything that a user reads or copies names the same one."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
URLS: Final[dict[str, str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
ADDRESS: Final = URLS["Repository"]
NAME: Final = ADDRESS.removeprefix("https://github.com/")
README: Final = (ROOT / "README.md").read_text("utf-8")
PROSE: Final = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
LINKS: Final = sorted(set(re.findall(r"\]\(([^)\s]+)\)", PROSE)))
COPIED: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "docs/**/*.md",
        ".github/**/*.yml",
        ".pre-commit-hooks.yaml",
        "src/**/*.py",
        "Dockerfile",
    )
    for path in ROOT.glob(pattern)
)


def test_the_address_is_a_repository_and_all_urls_are_below_it() -> None:
    assert re.fullmatch(r"[\w.-]+/runql", NAME)
    assert set(URLS) == {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(ADDRESS) for url in URLS.values())


@pytest.mark.parametrize("link", LINKS)
def test_each_link_of_readme_is_absolute_and_its_target_is_in_the_tree(link: str) -> None:
    assert link.startswith("https://"), "PyPI shows README without the repository around it"
    if not link.startswith(f"{ADDRESS}/"):
        return
    found = re.fullmatch(r"/(blob|tree)/main/([^#]+)(#.+)?", link.removeprefix(ADDRESS))
    assert found is not None, link
    target = ROOT / found[2]
    assert target.is_dir() if found[1] == "tree" else target.is_file(), link
    tracked = subprocess.run(
        ["git", "ls-files", "--", found[2]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert tracked.stdout, f"{link} is not in the repository"


@pytest.mark.parametrize("url", [url for name, url in URLS.items() if name not in {"Repository", "Issues"}])
def test_each_url_of_the_project_leads_into_the_tree(url: str) -> None:
    path = re.sub(r"^/(?:blob|tree)/main/", "", url.removeprefix(ADDRESS))
    assert (ROOT / path).exists()


def test_readme_links_to_the_documents() -> None:
    assert len([link for link in LINKS if link.startswith(f"{ADDRESS}/")]) > 10


def test_nothing_that_a_user_copies_has_a_placeholder_or_another_address() -> None:
    assert len(COPIED) > 100
    for path in COPIED:
        content = (ROOT / path).read_text("utf-8")
        assert not re.search(r"\bOWNER/|\byour-org/|<owner>/", content), path
        named = re.findall(r"([\w.-]+/runql)/(?:\.github|blob|tree|issues)\b", content)
        assert set(named) <= {NAME}, path
