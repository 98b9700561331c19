"""Every Python block of the documents runs as printed, in the order of its page, against the sample."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, Protocol

import pytest
from tests.docs.blocks import PAGES, ROOT, blocks, languages
from tests.patience import PATIENCE

ELSEWHERE: Final = {
    "README.md": "test_readme.py",
    "docs/filters.md": "test_readme.py",
    "docs/flows.md": "test_documents.py",
    "docs/frames.md": "test_frames_document.py",
    "docs/own-queries.md": "test_own_queries.py",
    "docs/typed.md": "test_documents.py",
}
"""Pages whose blocks need more than the sample: the module of this folder that runs them."""
EXCERPTS: Final = {"docs/services.md": "tests/examples/service.py"}
"""Pages that show lines of a file that tests run."""
TESTS: Final = "docs/testing.md"
PROGRAMS: Final = [
    page for page in PAGES if "python" in languages(page) and page not in {*ELSEWHERE, *EXCERPTS, TESTS}
]


class SampleServer(Protocol):
    """What the pytest plugin's `sample_server` gives."""

    url: str
    api_key: str


def run(server: SampleServer, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env={"WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.api_key, "HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PROGRAMS)
def test_the_program_of_a_page_runs(page: str, sample_server: SampleServer, tmp_path: Path) -> None:
    run(sample_server, tmp_path, "-c", "\n".join(blocks(page, "python")))


def test_the_tests_of_the_page_about_tests_pass(sample_server: SampleServer, tmp_path: Path) -> None:
    code = "\n".join(blocks(TESTS, "python"))
    (tmp_path / "test_page.py").write_text(code)
    said = run(sample_server, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py")
    assert f"{code.count('def test_')} passed" in said


@pytest.mark.parametrize("page", EXCERPTS)
def test_an_excerpt_stands_in_its_file(page: str) -> None:
    source = [line for line in (ROOT / EXCERPTS[page]).read_text("utf-8").splitlines() if '"""' not in line]
    for block in blocks(page, "python"):
        assert block.strip() in "\n".join(source)


def test_every_other_page_is_run_by_the_module_that_is_named() -> None:
    for page, module in ELSEWHERE.items():
        assert Path(page).name in (Path(__file__).parent / module).read_text("utf-8"), page
        assert blocks(page, "python"), page


def test_every_language_is_one_that_is_checked() -> None:
    # graphql and toml: test_own_queries.py; yaml: test_readme.py; none: test_shell_blocks.py
    found = {(page, language) for page in PAGES for language in languages(page) - {"", "python"}}
    assert found == {
        ("README.md", "yaml"),
        ("docs/own-queries.md", "graphql"),
        ("docs/own-queries.md", "toml"),
    }
