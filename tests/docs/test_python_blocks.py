"""Every Python block of the documents runs as printed, in the order of its page, against the sample."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pytest
from tests.docs.blocks import PAGES, ROOT, blocks, languages
from tests.offline import writing
from tests.patience import PATIENCE
from tests.typing.checking import mypy

from runql import Api
from runql_server.sample import Sample, start

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
CHANGES: Final = frozenset({"docs/changes.md"})
"""Pages whose blocks change runs: each gets a sample of its own."""
ARCHIVES: Final = "docs/archives.md"
"""The page whose program reads an archive."""
OFFLINE: Final = "docs/offline.md"
"""The page whose program reads a folder of offline runs."""
UNCHECKED: Final = frozenset({"README.md", "docs/flows.md", "docs/own-queries.md"})
"""Pages whose programs are in parts, or checked by the modules above."""
TESTS: Final = "docs/testing.md"
PROGRAMS: Final = [
    page for page in PAGES if "python" in languages(page) and page not in {*ELSEWHERE, *EXCERPTS, TESTS}
]


def run(server: Sample, folder: Path, *arguments: str) -> str:
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
def test_the_program_of_a_page_runs(page: str, sample_server: Sample, tmp_path: Path) -> None:
    if page == ARCHIVES:
        with Api(base_url=sample_server.url, api_key=sample_server.api_key) as api:
            api.project(f"{sample_server.entity}/{sample_server.project}").export(tmp_path / "digits")
    if page == OFFLINE:
        writing.write(tmp_path / "wandb", [writing.run(), writing.row(loss=0.5), writing.exit_record()])
    with start() if page in CHANGES else nullcontext(sample_server) as server:
        run(server, tmp_path, "-c", "\n".join(blocks(page, "python")))


def test_the_tests_of_the_page_about_tests_pass(sample_server: Sample, tmp_path: Path) -> None:
    code = "\n".join(blocks(TESTS, "python"))
    (tmp_path / "test_page.py").write_text(code)
    said = run(sample_server, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_page.py")
    assert f"{code.count('def test_')} passed" in said


def test_the_programs_pass_mypy_strict(tmp_path: Path) -> None:
    checked = [page for page in PAGES if "python" in languages(page) and page not in {*EXCERPTS, *UNCHECKED}]
    for page in checked:
        name = re.sub(r"\W", "_", page.removesuffix(".md"))
        (tmp_path / f"{name}.py").write_text("\n".join(blocks(page, "python")))
    assert len(checked) > 10
    assert [f"{each.file}:{each.line}: {each.text}" for each in mypy(tmp_path) if each.is_error] == []


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
    # graphql and toml: test_own_queries.py; drift's: test_drift_pages.py; yaml: test_readme.py; sh: test_shell_blocks.py; text: pictures and output
    found = {(page, language) for page in PAGES for language in languages(page) - {"python", "sh", "text"}}
    assert found == {
        ("README.md", "yaml"),
        ("docs/drift.md", "toml"),
        ("docs/drift-github.md", "yaml"),
        ("docs/drift-gitlab.md", "yaml"),
        ("docs/drift-jenkins.md", "groovy"),
        ("docs/own-queries.md", "graphql"),
        ("docs/own-queries.md", "toml"),
    }
