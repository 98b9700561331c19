"""`runql-codegen`: what it writes, when `--check` fails and why, and what it refuses before it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from graphql import build_schema, introspection_from_schema
from tests.unit.codegen.building import ROOT, contents
from typer.testing import CliRunner, Result

from runql.drift import user_operations
from runql_codegen.command import app
from runql_codegen.package_folder import STAMP, replace_folder
from runql_codegen.settings import CodegenError

pytestmark = [pytest.mark.nightly, pytest.mark.long]

PYPROJECT = '[tool.runql.codegen]\nqueries = "queries"\npackage = "src/gate/wandb"\n'
QUERY = """\
query RunNames($entity: String!, $project: String!, $after: String) {
  project(entityName: $entity, name: $project) {
    createdAt
    runs(after: $after) { pageInfo { endCursor hasNextPage } edges { node { ...RunName } } }
  }
}
"""
FRAGMENT = "fragment RunName on Run { name state config }\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with one query in two files; commands run in it."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "queries" / "parts").mkdir(parents=True)
    (tmp_path / "queries" / "names.graphql").write_text(QUERY)
    (tmp_path / "queries" / "parts" / "run.gql").write_text(FRAGMENT)
    with chdir(tmp_path):
        yield tmp_path


@pytest.fixture
def package(project: Path) -> Path:
    """The generated package of the project."""
    done = run()
    assert done.exit_code == 0, done.output
    assert done.stdout == "wrote src/gate/wandb: 1 operation, 7 files\n"
    return project / "src" / "gate" / "wandb"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def refused(*arguments: str) -> str:
    """What the command says when it ends with 2."""
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    return done.stderr.removeprefix("runql-codegen: ").rstrip()


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_package_is_whole_and_current(package: Path) -> None:
    assert set(contents(package)) == {
        *("__init__.py", "base_model.py", "fragments.py", "operations.py", "py.typed", "run_names.py", STAMP)
    }
    assert [path.name for path in package.parent.iterdir()] == ["wandb"]
    done = run("--check")
    assert (done.exit_code, done.stdout) == (0, "src/gate/wandb is current: 1 operation\n")


def test_a_current_package_is_not_written_again(package: Path) -> None:
    inode = package.stat().st_ino
    assert run().stdout == "src/gate/wandb is current: 1 operation\n"
    assert package.stat().st_ino == inode


def test_its_operation_is_one_of_runql(package: Path) -> None:
    code = (
        "import runql; from gate.wandb.operations import run_names as f; o = f(entity='e', project='p'); "
        "assert type(o) is runql.Operation; assert o.variables['after'] is runql.UNSET; "
        "print(o.result.__module__, o.document.count('fragment'))"
    )
    environ = {**os.environ, "PYTHONPATH": str(package.parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout == "gate.wandb.run_names 1\n", done.stderr


def test_a_field_of_a_fragment_must_be_in_the_response(package: Path) -> None:
    assert "    state: Optional[str]\n" in (package / "fragments.py").read_text()
    assert "    config: Optional[str]\n" in (package / "fragments.py").read_text()


def test_two_projects_in_other_folders_give_the_same_bytes(package: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("pyproject.toml", "queries"):
        (tmp_path / name).rename(other / name)
    assert run("--config", str(other / "pyproject.toml")).exit_code == 0
    assert contents(other / "src" / "gate" / "wandb") == contents(package)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "query": (
        lambda folder: (folder / "queries" / "names.graphql").write_text(QUERY.replace("createdAt", "name")),
        "the query file queries/names.graphql changed",
    ),
    "comment in a query": (
        lambda folder: (folder / "queries" / "names.graphql").write_text(f"# why\n{QUERY}"),
        "the query file queries/names.graphql changed",
    ),
    "new query": (
        lambda folder: (folder / "queries" / "more.graphql").write_text("query Me { viewer { id } }"),
        "the query file queries/more.graphql is new",
    ),
    "query gone": (
        lambda folder: (folder / "queries" / "parts" / "run.gql").rename(folder / "queries" / "run.graphql"),
        "the query file queries/parts/run.gql is gone",
    ),
    "schema": (
        lambda folder: (
            (folder / "newer.graphql").write_text((ROOT / "schema" / "wandb.graphql").read_text()),
            (folder / "pyproject.toml").write_text(f'{PYPROJECT}schema = "newer.graphql"\n'),
        ),
        "the schema newer.graphql is new",
    ),
    "scalars": (
        lambda folder: (folder / "pyproject.toml").write_text(
            f'{PYPROJECT}scalars.DateTime = "datetime.datetime"\n'
        ),
        "the scalars in pyproject.toml changed",
    ),
    "edited": (
        lambda folder: (folder / "src/gate/wandb/run_names.py").write_text("# mine"),
        "src/gate/wandb/run_names.py was edited by hand",
    ),
    "missing": (
        lambda folder: (folder / "src/gate/wandb/run_names.py").unlink(),
        "src/gate/wandb/run_names.py is missing",
    ),
    "extra": (
        lambda folder: (folder / "src/gate/wandb/notes.txt").write_text("mine"),
        "src/gate/wandb/notes.txt is no generated file",
    ),
    "package": (
        lambda folder: (folder / "src/gate/wandb").rename(folder / "src/gate/other"),
        "src/gate/wandb does not exist",
    ),
    "stamp": (
        lambda folder: (folder / "src/gate/wandb" / STAMP).unlink(),
        f"src/gate/wandb was not generated by runql-codegen: it has no {STAMP}",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_check_fails_and_says_what_changed(package: Path, project: Path, change: str) -> None:
    make, reason = CHANGES[change]
    make(project)
    before = everything(project)
    done = run("--check")
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert f"runql-codegen: {reason}\n" in done.stderr
    assert done.stderr.endswith("is stale: run runql-codegen and commit what it writes\n")
    assert everything(project) == before


@pytest.mark.parametrize(
    "change", ["query", "new query", "schema", "scalars", "edited", "missing", "package"]
)
def test_a_second_run_makes_it_current(package: Path, project: Path, change: str) -> None:
    CHANGES[change][0](project)
    assert run().exit_code == 0
    assert run("--check").exit_code == 0


def test_another_version_of_the_generator_is_a_reason(package: Path) -> None:
    stamp = json.loads((package / STAMP).read_text())
    stamp["files"]["py.typed"] = stamp["files"]["__init__.py"]
    (package / "py.typed").write_bytes((package / "__init__.py").read_bytes())
    (package / STAMP).write_text(json.dumps(stamp))
    assert "was generated by another version of runql" in run("--check").stderr


def test_line_ends_of_a_checkout_and_compiled_files_do_not_matter(package: Path) -> None:
    module = package / "run_names.py"
    module.write_bytes(module.read_bytes().replace(b"\n", b"\r\n"))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_text("")
    assert run("--check").exit_code == 0


FOREIGN: dict[str, Callable[[Path], object]] = {
    "file beside generated ones": lambda folder: (folder / "notes.py").write_text("mine"),
    "file below": lambda folder: (folder / "py.typed").rename(folder / "mine.typed"),
    "no stamp": lambda folder: (folder / STAMP).unlink(),
    "another stamp": lambda folder: (folder / STAMP).write_text("[1]"),
    "half a stamp": lambda folder: (folder / STAMP).write_text('{"files": {}}'),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_folder_that_holds_other_files_is_never_replaced(package: Path, case: str) -> None:
    FOREIGN[case](package)
    (package.parents[2] / "queries" / "names.graphql").write_text(QUERY.replace("createdAt", "name"))
    before = contents(package)
    assert "was not generated by runql-codegen, which replaces the folder" in refused()
    assert contents(package) == before


def test_a_file_in_the_place_of_the_package_stays(project: Path) -> None:
    (project / "src" / "gate").mkdir(parents=True)
    (project / "src" / "gate" / "wandb").write_text("mine")
    assert refused().startswith("src/gate/wandb is no folder")
    assert (project / "src" / "gate" / "wandb").read_text() == "mine"


QUERIES: dict[str, tuple[str, str]] = {
    "unknown field": (
        "query A {\n  viewer { nmae }\n}",
        "queries/names.graphql:2:12: Cannot query field 'nmae' on type 'User'",
    ),
    "syntax": ("query A {\n  viewer {", "queries/names.graphql:2:11: Syntax Error: Expected Name"),
    "argument": (
        'query A { project(nam: "p") { id } }',
        "queries/names.graphql:1:19: Unknown argument 'nam' on field 'Query.project'",
    ),
    "variable type": (
        "query A($p: Int) { project(name: $p) { id } }",
        "queries/names.graphql:1:9: Variable '$p' of type 'Int' used in position",
    ),
    "fragment": (
        "query A { viewer { ...Nowhere } }",
        "queries/names.graphql:1:23: Unknown fragment 'Nowhere'",
    ),
    "no name": ("query { viewer { id } }", "queries/names.graphql:1:1: an operation without name"),
    "subscription": ("subscription A { a }", "queries/names.graphql:1:1: A is a subscription"),
    "reserved": ("query Operations { viewer { id } }", "Operations would be the module operations"),
    "one module": (
        "query GetRun { viewer { id } }\nquery getRun { viewer { id } }",
        "queries/names.graphql:2:1: getRun and GetRun would be one module, get_run",
    ),
    "twice": (
        "query A { viewer { id } }\nquery A { viewer { id } }",
        "There can be only one operation named 'A'",
    ),
    "schema": ("type A { id: ID }", "queries/names.graphql:1:1: neither an operation nor a fragment"),
    "empty": ("# nothing", "queries/names.graphql:1:10: Syntax Error"),
}


@pytest.mark.parametrize("check", [(), ("--check",)])
@pytest.mark.parametrize("case", QUERIES)
def test_a_query_that_cannot_be_used_is_named_by_file_line_and_column(
    package: Path, project: Path, case: str, check: tuple[str, ...]
) -> None:
    before = contents(package)
    query, problem = QUERIES[case]
    (project / "queries" / "names.graphql").write_text(query)
    assert problem in refused(*check)
    assert contents(package) == before


def test_all_problems_are_listed_up_to_a_limit(project: Path) -> None:
    fields = "\n".join(f"wrong{index}" for index in range(30))
    (project / "queries" / "names.graphql").write_text(f"query A {{ viewer {{\n{fields} }} }}")
    lines = refused().splitlines()
    assert len(lines) == 21
    assert lines[-1] == "runql-codegen: and 10 more"


def test_a_folder_without_queries_is_refused(project: Path) -> None:
    (project / "queries" / "names.graphql").unlink()
    assert refused().startswith("queries holds no query")
    (project / "queries").rename(project / "others")
    assert refused().startswith("queries does not exist")


CONFIGS: dict[str, tuple[str | None, str]] = {
    "no file": (None, "pyproject.toml cannot be read"),
    "no TOML": ("[tool", "pyproject.toml is not TOML"),
    "no table": ("[tool.ruff]", r"pyproject.toml has no table [tool.runql.codegen]: add"),
    "table of another kind": ("tool.runql = 3", "has no table"),
    "no package": (
        '[tool.runql.codegen]\nqueries = "queries"',
        "package in [tool.runql.codegen] must be a path",
    ),
    "empty": (PYPROJECT.replace("src/gate/wandb", ""), "must be a path, not ''"),
    "number": (PYPROJECT.replace('"queries"', "3"), "queries in [tool.runql.codegen] must be a path, not 3"),
    "null byte": (PYPROJECT.replace("src/gate/wandb", "a\\u0000b"), "must be a path"),
    "unknown": (f"{PYPROJECT}quieres = 1", "no setting 'quieres'; it has queries, package, schema, scalars"),
    "leaves": (PYPROJECT.replace("src/gate/wandb", "../wandb"), "package leaves the project"),
    "absolute": (PYPROJECT.replace("src/gate/wandb", "/tmp/wandb"), "package leaves the project"),
    "project": (PYPROJECT.replace("src/gate/wandb", "."), "package leaves the project"),
    "module": (PYPROJECT.replace("src/gate/wandb", "gate.wandb"), "'gate.wandb' is no name of a package"),
    "keyword": (PYPROJECT.replace("src/gate/wandb", "gate/import"), "'import' is no name of a package"),
    "above queries": (PYPROJECT.replace('"queries"', '"src/gate/wandb/q"'), "queries lies in the package"),
    "schema gone": (f'{PYPROJECT}schema = "no.graphql"', "schema: "),
    "schema wrong": (f'{PYPROJECT}schema = "queries/names.graphql"', "schema: "),
    "scalar type": (f"{PYPROJECT}scalars.JSON = 3", "scalar JSON must be a type such as"),
    "scalar table": (f'{PYPROJECT}scalars.JSON = {{ kind = "str" }}', "scalar JSON must be a type such as"),
    "scalars": (f'{PYPROJECT}scalars = "str"', "scalars must be a table"),
    "scalar name": (
        f'{PYPROJECT}scalars.Jsn = "str"',
        "the schema has no scalar Jsn; it has DateTime, Duration",
    ),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_setting_that_cannot_be_used_is_refused(project: Path, case: str) -> None:
    config, problem = CONFIGS[case]
    if config is None:
        (project / "pyproject.toml").unlink()
    else:
        (project / "pyproject.toml").write_text(config)
    before = everything(project)
    assert problem in refused()
    assert everything(project) == before


def test_a_link_that_leaves_the_project_is_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (project / "src").symlink_to(outside)
    assert "package leaves the project" in refused()
    assert everything(outside) == []


def test_a_newer_schema_is_read_from_an_sdl_or_an_introspection(project: Path) -> None:
    sdl = "scalar Money\ntype Query { price(of: Money!): Money }"
    (project / "queries" / "names.graphql").write_text("query Price($of: Money!) { price(of: $of) }")
    (project / "queries" / "parts" / "run.gql").unlink()
    (project / "newer.graphql").write_text(sdl)
    (project / "newer.json").write_text(json.dumps(introspection_from_schema(build_schema(sdl))))
    made: list[dict[str, bytes]] = []
    for name in ("newer.graphql", "newer.json"):
        (project / "pyproject.toml").write_text(f'{PYPROJECT}schema = "{name}"\n')
        assert run().exit_code == 0
        made.append(contents(project / "src" / "gate" / "wandb"))
        del made[-1][STAMP]
    assert made[0] == made[1]
    assert b"    price: Optional[object]\n" in made[0]["price.py"]


def test_scalars_have_the_types_of_the_settings(package: Path, project: Path) -> None:
    assert "    created_at: str = " in (package / "run_names.py").read_text()
    (project / "pyproject.toml").write_text(f'{PYPROJECT}scalars.DateTime = "datetime.datetime"\n')
    assert run().exit_code == 0
    code = (package / "run_names.py").read_text()
    assert "    created_at: datetime = " in code
    assert "from datetime import datetime" in code


def test_the_drift_check_reads_the_same_folder(package: Path, project: Path) -> None:
    operations = user_operations(project / "queries")
    assert [each.name for each in operations] == ["RunNames"]
    assert [each.name for each in operations[0].fragments] == ["RunName"]
    sdl = (ROOT / "schema" / "wandb.graphql").read_text()
    before, run_type, after = sdl.partition("\ntype Run ")
    moved = before + run_type + after.replace("  state: String\n", "  status: String\n", 1)
    (project / "moved.graphql").write_text(moved)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "runql.cli.main",
            "drift",
            "--schema",
            "moved.graphql",
            "--queries",
            "queries",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "queries/parts/run.gql" in done.stdout, done.stdout
    (project / "pyproject.toml").write_text(f'{PYPROJECT}schema = "moved.graphql"\n')
    assert refused("--check").startswith(
        "queries/parts/run.gql:1:32: Cannot query field 'state' on type 'Run'"
    )


def test_a_package_that_cannot_be_renamed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "wandb"
    package.mkdir()
    (package / "a.py").write_text("old")
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CodegenError, match="cannot be written: no"):
        replace_folder(package, {"a.py": b"new"})
    assert everything(tmp_path) == ["wandb", "wandb/a.py"]
    assert (package / "a.py").read_text() == "old"


def test_a_full_disk_leaves_the_package_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "wandb"
    package.mkdir()
    (package / "a.py").write_text("old")
    write = Path.write_bytes

    def refuse(self: Path, data: bytes) -> int:
        if self.name == "b.py":
            raise OSError("no space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(CodegenError, match="no space left"):
        replace_folder(package, {"a.py": b"new", "b.py": b"new"})
    assert everything(tmp_path) == ["wandb", "wandb/a.py"]
    assert (package / "a.py").read_text() == "old"


@pytest.mark.parametrize(("library", "name"), [("ariadne_codegen", "ariadne-codegen"), ("typer", "typer")])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, library: str, name: str) -> None:
    code = (
        "import importlib.util, runql_codegen.main as it; found = it.find_spec; "
        f"it.find_spec = lambda each: None if each == {library!r} else found(each); it.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"the runql-codegen command needs {name}, which is not installed: pip install 'runql[codegen]'\n"
    )


def test_help_and_version(project: Path) -> None:
    assert run("--version").stdout.startswith("runql-codegen ")
    shown = run("--help").stdout
    assert "--check" in shown
    assert "the package is stale" in " ".join(shown.split())
