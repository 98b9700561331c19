"""README is true: its Python runs as printed, its commands and options exist, its figures are those that were measured."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import pytest
from tests.bench import readme
from tests.bench.paths import RESULTS
from tests.patience import PATIENCE
from tests.typing.checking import mypy, pyrefly, pyright, ty

from runql.cli.exit_codes import COULD_NOT_CHECK, USAGE_ERROR
from runql.drift.reports.rendering import FORMATS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
DRIFT = (ROOT / "docs" / "drift.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


class SampleServer(Protocol):
    """What the pytest plugin's `sample_server` gives."""

    url: str
    api_key: str


def test_the_ten_lines_run_against_the_sample(sample_server: SampleServer, tmp_path: Path) -> None:
    environment = {"WANDB_BASE_URL": sample_server.url, "WANDB_API_KEY": sample_server.api_key}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[0]],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shapes = re.findall(r"\.shape\)  # (.+)", BLOCKS[0])
    assert shapes
    assert shapes[0] in done.stdout
    assert "Traffic(requests=7," in done.stdout, (
        "two for the list, one a scan window, one a page of histories"
    )
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) <= 11, "the block is called ten lines, and an import"


def test_the_lines_about_a_model_run_after_them(sample_server: SampleServer, tmp_path: Path) -> None:
    environment = {"WANDB_BASE_URL": sample_server.url, "WANDB_API_KEY": sample_server.api_key}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[0] + BLOCKS[1]],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    model, readers = done.stdout.splitlines()[-2:]
    assert model.startswith("local/digits/mlp:v6 ['best'] 0.98")
    assert "'mlp06'" in readers
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.json", "weights.json"}


def test_the_filter_of_the_page_about_filters_finds_runs(sample_server: SampleServer, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "filters.md").read_text("utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    shown = (
        "assert len(found) > 1\n"
        "values = [run.summary['val_accuracy'] for run in found]\n"
        "assert values == sorted(values, reverse=True)\n"
        "assert all(run.config['lr'] < 0.5 for run in found)\n"
        "assert 'old' not in {tag for run in found for tag in run.tags}\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block + shown],
        env={"WANDB_BASE_URL": sample_server.url, "WANDB_API_KEY": sample_server.api_key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_typed_lines_run_and_every_checker_passes_them(
    sample_server: SampleServer, tmp_path: Path
) -> None:
    section = README.partition("## For typed applications")[2].partition("## ")[0]
    assert len(section.strip().splitlines()) < 25
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKS[2]],
        env={"WANDB_BASE_URL": sample_server.url, "WANDB_API_KEY": sample_server.api_key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "typed.py").write_text(BLOCKS[2])
    for checker in (mypy, pyright, ty, pyrefly):
        assert [each for each in checker(tmp_path) if each.is_error] == []


def test_the_test_runs_as_a_users_test(tmp_path: Path) -> None:
    (tmp_path / "test_users.py").write_text(BLOCKS[3])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_users.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:^|`|   )make ([a-z]+)", README + CONTRIBUTING, re.MULTILINE)))
)
def test_each_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_extras_are_those_that_exist() -> None:
    section = README.partition("## Install")[2].partition("## ")[0]
    installed = ",".join(re.findall(r"runql\[([\w,]+)\]", section))
    named = set(re.findall(r"`(\w+)`", section)) | set(installed.split(","))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert named == set(project["optional-dependencies"])
    used = re.findall(r"runql\[([\w,]+)\]", README + DRIFT)
    assert {extra for each in used for extra in each.split(",")} <= named


def test_the_workflow_is_ten_lines_and_its_check_runs(sample_server: SampleServer, tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(block.splitlines()) == 10
    yaml = import_module("yaml")
    [_, install, check] = yaml.safe_load(block)["jobs"]["drift"]["steps"]
    assert install["run"] == "pip install 'runql[cli,drift]'"
    assert set(check["env"]) == {"WANDB_API_KEY"}
    program, *arguments = check["run"].replace("https://api.wandb.ai", sample_server.url).split()
    assert program == "runql"
    done = subprocess.run(
        [sys.executable, "-m", "runql.cli.main", *arguments],
        env={**os.environ, "WANDB_API_KEY": sample_server.api_key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_options_of_drift_exist() -> None:
    helps = ""
    for command in (["drift"], ["drift", "responses"], ["serve"]):
        done = subprocess.run(
            [sys.executable, "-m", "runql.cli.main", *command, "--help"],
            env={**os.environ, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=True,
        )
        helps += done.stdout
    # test_shell_blocks.py parses the lines of the section that is left out.
    before, _, after = README.partition("## From the shell")
    options = set(re.findall(r"--[a-z][a-z-]+", before + after.partition("\n## ")[2] + DRIFT))
    assert len(options) > 8
    assert sorted(option for option in options if option not in helps) == []


def test_the_formats_of_drift_are_all_named() -> None:
    listed = DRIFT.partition("`--format` is ")[2].partition(". ")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == set(FORMATS)


def test_the_exit_codes_of_drift_are_all_named() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", DRIFT, re.MULTILINE)}
    assert codes == {0, 1, COULD_NOT_CHECK, USAGE_ERROR}


def test_no_section_is_longer_than_a_screen() -> None:
    lengths = {section.splitlines()[0]: len(section.splitlines()) for section in README.split("\n## ")}
    assert {title: length for title, length in lengths.items() if length > 36} == {}


def test_the_command_is_installed() -> None:
    assert {point.name for point in entry_points(group="console_scripts")} >= {"runql"}


def test_it_says_that_it_is_independent() -> None:
    assert "not made, sponsored or endorsed by Weights & Biases" in README


def test_the_figures_before_the_first_section_are_those_that_were_measured() -> None:
    before = README.partition("\n## ")[0]
    [(ours, theirs)] = re.findall(r"Histories of 200 runs take (\d+) requests, not (\d+)", before)
    assert re.search(rf"\| histories of 200 runs .*, {ours} requests \|.*\({theirs}\) \|", README)
    [(calls, same)] = re.findall(r"Of (\d+) compared calls, (\d+) have the same result", before)
    assert f"{calls} calls: {same} have the same result" in (ROOT / "docs" / "from-wandb.md").read_text(
        "utf-8"
    )


def test_the_table_of_speed_is_what_was_measured() -> None:
    results = RESULTS.read_text("utf-8")
    found = readme.PLACE.search(README)
    assert found is not None
    assert found[0] == readme.quoted(results), "run `make bench`"
    assert "All contenders read the same values" in results
