"""The pages about drift in CI: valid by the schemas of the CI systems, with commands and inputs that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
from tests.docs.blocks import ROOT, blocks
from tests.docs.test_shell_blocks import parse, words

from runql.drift import read_approvals

JENKINS: Final = "docs/drift-jenkins.md"
KINDS: Final = {"docs/drift-github.md": "vendor.github-workflows", "docs/drift-gitlab.md": "vendor.gitlab-ci"}
YAML: Final = [(page, block) for page in KINDS for block in blocks(page, "yaml")]
GITHUB: Final = ROOT / ".github"


def loaded(text: str) -> Any:  # Any: YAML has no types
    return import_module("yaml").safe_load(text)


@pytest.mark.parametrize(("page", "block"), YAML)
def test_each_file_is_valid_by_its_systems_schema(page: str, block: str, tmp_path: Path) -> None:
    file = tmp_path / "file.yml"
    file.write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", KINDS[page], str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_inputs_on_githubs_page_exist() -> None:
    action, nightly = (loaded(block) for block in blocks("docs/drift-github.md", "yaml"))
    given = action["jobs"]["drift"]["steps"][1]["with"]
    known = loaded((GITHUB / "actions" / "drift" / "action.yml").read_text("utf-8"))["inputs"]
    assert given.keys() <= known.keys()
    called = nightly["jobs"]["drift"]
    # YAML 1.1 reads the key `on` as true.
    terms = loaded((GITHUB / "workflows" / "nightly-drift.yml").read_text("utf-8"))[True]["workflow_call"]
    assert called["with"].keys() <= terms["inputs"].keys()
    assert called["secrets"].keys() <= terms["secrets"].keys()


def commands() -> list[str]:
    """The calls of `runql` on the pages, as a shell gets them."""
    steps = [
        step
        for block in blocks("docs/drift-gitlab.md", "yaml")
        for job in loaded(block).values()
        for step in job["script"]
    ]
    [pipeline] = blocks(JENKINS, "groovy")
    [crontab] = blocks("docs/drift-cron.md", "text")
    lines = [*steps, *re.findall(r"sh '(.+)'", pipeline), crontab]
    return [found[0] for line in lines if (found := re.search(r"runql drift .*", line))]


def test_the_commands_on_the_pages_parse() -> None:
    found = commands()
    assert len(found) == 4
    for command in found:
        parse(words(command))


def test_the_approvals_on_the_page_are_read(tmp_path: Path) -> None:
    [block] = blocks("docs/drift.md", "toml")
    (tmp_path / "approvals.toml").write_text(block)
    [approval] = read_approvals(tmp_path / "approvals.toml")
    assert approval.coordinate == "Sweep.*"
