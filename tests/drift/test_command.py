"""The command `runql drift` in its own process, with its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from graphql import GraphQLObjectType, build_schema, introspection_from_schema
from tests.drift.schema_server import KEY, SchemaServer, ServerBehaviour
from tests.drift.sdl_editor import SdlEditor
from tests.patience import PATIENCE

from runql.cli.checking import commands
from runql.drift.approvals import APPROVALS_FILE
from runql.drift.reports.rendering import FORMATS
from runql.drift.schema.sources import known_sdl

COMMAND = [sys.executable, "-m", "runql.cli.main", "drift"]
TEAM_QUERIES = Path(__file__).with_name("queries")


def run(
    *arguments: str | Path, cwd: Path, env: dict[str, str] | None = None, key: str | None = KEY
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, without the settings of this machine."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    if key is not None:
        clean["WANDB_API_KEY"] = key
    return subprocess.run(
        [*COMMAND, *(str(each) for each in arguments)],
        cwd=cwd,
        env={**clean, "HOME": str(cwd), "COLUMNS": "200", **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def run_without(package: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command where a package is not installed."""
    block = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        f"u.find_spec = lambda name, *rest: None if name == {package!r} else real(name, *rest)\n"
        f"sys.argv = {['runql', 'drift', *arguments]!r}\n"
        "from runql.cli.main import main; main()"
    )
    return subprocess.run([sys.executable, "-c", block], cwd=cwd, capture_output=True, text=True, check=False)


def without(*coordinates: str) -> str:
    edited = SdlEditor(known_sdl())
    for each in coordinates:
        edited.remove(each)
    return edited.sdl()


@pytest.fixture(scope="module")
def server() -> Iterator[SchemaServer]:
    with SchemaServer(known_sdl()) as running:
        yield running


def test_a_schema_that_fits_passes(tmp_path: Path) -> None:
    (tmp_path / "same.graphql").write_text(known_sdl())
    done = run("--schema", "same.graphql", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "PASS: 0 breaking" in done.stdout


def test_a_field_that_is_used_and_gone_fails_and_names_the_method(tmp_path: Path) -> None:
    (tmp_path / "new.graphql").write_text(without("Run.state"))
    done = run("--schema", "new.graphql", cwd=tmp_path)
    assert done.returncode == 1
    assert "Run.state  field-removed" in done.stdout
    assert "Run.wait_until_finished" in done.stdout
    assert "stop working" in done.stdout


def test_a_change_that_no_operation_uses_fails_only_when_strict(tmp_path: Path) -> None:
    (tmp_path / "new.graphql").write_text(without("Run.computeSeconds"))
    assert run("--schema", "new.graphql", cwd=tmp_path).returncode == 0
    done = run("--schema", "new.graphql", "--strict", cwd=tmp_path)
    assert done.returncode == 1
    assert "Run.computeSeconds" in done.stdout


def test_an_introspection_file_is_a_schema(tmp_path: Path) -> None:
    body = {"data": introspection_from_schema(build_schema(without("Run.state")))}
    (tmp_path / "schema.json").write_text(json.dumps(body))
    assert run("--schema", "schema.json", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("arguments", [[], ["--no-introspection"]], ids=["introspected", "probed"])
def test_a_server_and_the_queries_of_a_team(
    arguments: list[str], server: SchemaServer, tmp_path: Path
) -> None:
    server.serve(known_sdl())
    done = run("--url", server.url, *arguments, "--queries", TEAM_QUERIES, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    server.serve(without("ArtifactCollectionType.SEQUENCE"))
    done = run("--url", server.url, *arguments, "--queries", TEAM_QUERIES, "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    [finding] = [each for each in json.loads(done.stdout)["findings"] if each["counts"]]
    assert finding["coordinate"] == "ArtifactCollectionType.SEQUENCE"
    [use] = finding["uses"]
    assert (use["operation"], Path(use["path"]).name, use["line"]) == ("TeamCollections", "team.graphql", 6)
    assert server.resolved == []


def test_a_server_without_introspection_is_probed(server: SchemaServer, tmp_path: Path) -> None:
    server.behaviour = ServerBehaviour(introspection=False)
    server.serve(known_sdl())
    done = run("--url", server.url, cwd=tmp_path)
    server.behaviour = ServerBehaviour()
    assert done.returncode == 0
    assert "(probed)" in done.stdout
    assert "refuses introspection" in done.stdout
    assert len(server.received) == 4


@pytest.mark.parametrize("form", ["text", "junit"])
def test_a_server_that_cannot_be_reached_could_not_be_checked(form: str, tmp_path: Path) -> None:
    done = run("--url", "http://127.0.0.1:9", "--format", form, cwd=tmp_path)
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_server_that_hides_its_errors_could_not_be_checked(server: SchemaServer, tmp_path: Path) -> None:
    server.behaviour = ServerBehaviour(masked_message="internal system error")
    done = run("--url", server.url, "--no-introspection", cwd=tmp_path)
    server.behaviour = ServerBehaviour()
    assert done.returncode == 2
    assert "COULD NOT CHECK" in done.stdout


def test_unproved_types_end_with_2_unless_they_are_accepted(tmp_path: Path) -> None:
    behaviour = ServerBehaviour(introspection=False, without_locations=True, sorts_errors=True)
    with SchemaServer(known_sdl(), behaviour=behaviour) as server:
        done = run("--url", server.url, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (2, "")
        assert "does not reveal the types of" in done.stdout
        accepted = run("--url", server.url, "--allow-unproved", cwd=tmp_path)
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert "accepted, " in accepted.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --schema FILE, --url URL, or --queries alone"),
        (["--schema", "a.graphql", "--url", "http://x"], "not both"),
        (["--queries", ".", "--update", "x.graphql"], "give --schema FILE, --url URL"),
        (["--schema", "same.graphql", "--only-mine"], "name them with --queries"),
        (["--schema", "same.graphql", "--known", "same.graphql"], "--known goes with --only-mine"),
        (["--schema", "gone.graphql"], "gone.graphql cannot be read"),
        (["--schema", "empty.graphql"], "empty.graphql"),
        (["--schema", "broken.graphql"], "broken.graphql:2: Syntax Error"),
        (["--schema", "failed.json"], "holds no introspection (data.__schema), but errors"),
        (["--schema", "same.graphql", "--no-introspection"], "--no-introspection goes with --url"),
        (["--url", "http://x", "--no-introspection", "--update", "x.graphql"], "a probe returns no schema"),
        (["--schema", "same.graphql", "--queries", "nowhere"], "nowhere does not exist"),
        (["--schema", "same.graphql", "--approvals", "none.toml"], "none.toml cannot be read"),
        (["--schema", "same.graphql", "--format", "yaml"], "--format"),
        (["--schema", "same.graphql", "--also", "yaml=x"], "give FORMAT=FILE"),
        (["--schema", "same.graphql", "--also", "json=no/such/x"], "cannot write"),
        (["--url", "ftp://x"], "base_url"),
        (["--url", "http://192.0.2.1"], "which would send the API key in the clear"),
        (
            ["responses", "--url", "http://192.0.2.1", "--project", "e/p"],
            "`--allow-insecure` of `runql drift`",
        ),
        (["--wrong"], "--wrong"),
        (["responses"], "give either recordings or --url URL"),
        (["responses", "nowhere"], "nowhere does not exist"),
        (["responses", "--url", "http://x"], "--project entity/project"),
        (["responses", "--wrong"], "--wrong"),
        (["unknown"], "unknown"),
    ],
)
def test_a_usage_error_has_its_own_exit_code(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "same.graphql").write_text(known_sdl())
    (tmp_path / "empty.graphql").write_text("")
    (tmp_path / "broken.graphql").write_text("type Query {\n  a: }\n")
    (tmp_path / "failed.json").write_text(
        '{"errors": [{"message": "introspection is disabled"}], "data": null}'
    )
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_one_check_is_written_in_several_formats(tmp_path: Path) -> None:
    (tmp_path / "new.graphql").write_text(without("Run.state"))
    done = run("--schema", "new.graphql", "--also", "sarif=a.sarif", "--also", "junit=a.xml", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert "<testsuites" in (tmp_path / "a.xml").read_text()


def test_approvals_are_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "new.graphql").write_text(without("Run.state"))
    (tmp_path / "drift-approvals.toml").write_text(
        '[[approval]]\ncoordinate = "Run.state"\nreason = "planned"\nexpires = 2999-01-01\n'
    )
    done = run("--schema", "new.graphql", cwd=tmp_path)
    assert done.returncode == 0
    assert "approved: planned" in done.stdout


def test_an_update_is_written_with_its_changelog_line_and_level(server: SchemaServer, tmp_path: Path) -> None:
    server.serve(without("Run.state"))
    target = tmp_path / "wandb.graphql"
    target.write_text("type Query { old: Int }\n")
    done = run("--url", server.url, "--update", target, cwd=tmp_path)
    assert done.returncode == 1
    text = target.read_text()
    assert text.startswith("# Server schema: 1 breaking (Run.state).\n# Semver: major. Read from http")
    run_type = build_schema(text).type_map["Run"]
    assert isinstance(run_type, GraphQLObjectType)
    assert "state" not in run_type.fields
    assert run("--schema", target, cwd=tmp_path).returncode == 1
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".part")] == []


def test_an_update_without_changes_leaves_the_file(tmp_path: Path) -> None:
    (tmp_path / "same.graphql").write_text(known_sdl())
    target = tmp_path / "target.graphql"
    target.write_text("type Query { old: Int }\n")
    done = run("--schema", "same.graphql", "--update", target, cwd=tmp_path)
    assert done.returncode == 0
    assert target.read_text() == "type Query { old: Int }\n"
    assert "is unchanged" in done.stdout


def test_an_addition_is_minor(tmp_path: Path) -> None:
    edited = SdlEditor(known_sdl())
    edited.add_field("Run", "brandNew: Int")
    (tmp_path / "new.graphql").write_text(edited.sdl())
    assert run("--schema", "new.graphql", "--update", "out.graphql", cwd=tmp_path).returncode == 0
    assert "Semver: minor" in (tmp_path / "out.graphql").read_text()
    assert run("--schema", "new.graphql", "--update", "no/such/folder.graphql", cwd=tmp_path).returncode == 3


def test_an_update_without_changes_writes_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "same.graphql").write_text(known_sdl())
    done = run("--schema", "same.graphql", "--update", "first.graphql", cwd=tmp_path)
    assert done.returncode == 0
    assert "wrote first.graphql: Server schema: no difference. Semver: none." in done.stdout
    assert "type Query" in (tmp_path / "first.graphql").read_text("utf-8")


def test_introspection_that_is_refused_gives_no_update(server: SchemaServer, tmp_path: Path) -> None:
    server.behaviour = ServerBehaviour(introspection=False)
    done = run("--url", server.url, "--update", "out.graphql", cwd=tmp_path)
    server.behaviour = ServerBehaviour()
    assert done.returncode == 2
    assert "--update needs the schema" in done.stdout


def test_colours_follow_the_environment(tmp_path: Path) -> None:
    (tmp_path / "same.graphql").write_text(known_sdl())
    assert "\x1b[" not in run("--schema", "same.graphql", cwd=tmp_path).stdout
    assert "\x1b[" in run("--schema", "same.graphql", cwd=tmp_path, env={"FORCE_COLOR": "1"}).stdout
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert "\x1b[" not in run("--schema", "same.graphql", cwd=tmp_path, env=both).stdout


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    done = run_without("graphql", "--schema", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'runql[drift]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_queries_alone_are_checked_against_the_schema_that_ships(tmp_path: Path) -> None:
    done = run("--queries", TEAM_QUERIES, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the schema that ships" in done.stdout
    (tmp_path / "wrong.graphql").write_text("query Mine { viewer { nmae } }")
    done = run("--queries", "wrong.graphql", cwd=tmp_path)
    assert done.returncode == 1
    assert "wrong.graphql:1: Mine" in done.stdout


SHOP = "type Query { basket(id: ID!): Basket } type Basket { id: ID! total: Float }"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "old.graphql").write_text(SHOP)
    (tmp_path / "new.graphql").write_text(SHOP.replace(" total: Float", ""))
    (tmp_path / "mine.graphql").write_text("query Total($id: ID!) { basket(id: $id) { total } }")
    return tmp_path


def only_mine(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = ("--queries", "mine.graphql", "--only-mine", "--known", "old.graphql")
    return run(*own, *arguments, cwd=folder)


def test_any_schema_is_checked_for_the_callers_queries(shop: Path) -> None:
    same = only_mine(shop, "--schema", "old.graphql")
    assert (same.returncode, same.stderr) == (0, "")
    assert "PASS: 0 breaking, 0 dangerous, 0 deprecated; 1 operations" in same.stdout
    done = only_mine(shop, "--schema", "new.graphql", "--format", "json")
    assert done.returncode == 1
    [finding] = json.loads(done.stdout)["findings"]
    assert (finding["coordinate"], finding["methods"]) == ("Basket.total", [])


@pytest.mark.parametrize("arguments", [[], ["--no-introspection"]], ids=["introspected", "probed"])
def test_a_server_of_any_kind_that_asks_for_no_key(arguments: list[str], shop: Path) -> None:
    with SchemaServer(SHOP) as server:
        own = ("--queries", "mine.graphql", "--only-mine", "--known", "old.graphql")
        done = run("--url", server.url, *own, *arguments, cwd=shop, key=None)
        assert (done.returncode, done.stderr) == (0, "")
        assert {*server.authorization} == {None}
        server.serve((shop / "new.graphql").read_text())
        done = run("--url", server.url, *own, *arguments, cwd=shop, key=None)
        assert done.returncode == 1
        assert "Basket.total" in done.stdout
        server.behaviour = ServerBehaviour(needs_key=True)
        refused = run("--url", server.url, *own, *arguments, cwd=shop, key=None)
    assert refused.returncode == 3
    assert "no API key for 127.0.0.1" in refused.stderr


def test_another_apis_token_is_sent_as_a_bearer(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "shop-token-of-a-user\n")
    with SchemaServer(SHOP) as server:
        asked = ("--url", server.url, "--bearer", "SHOP_TOKEN")
        done = only_mine(shop, *asked)
        assert (done.returncode, done.stderr) == (0, "")
        assert {*server.authorization} == {"Bearer shop-token-of-a-user"}
        server.serve(SHOP.replace("total", "sum"))
        done = only_mine(shop, *asked, "--format", "json")
    assert done.returncode == 1
    assert "shop-token" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("token", "arguments", "message"),
    [
        ("", ["--url", "http://127.0.0.1:9"], "no variable of that name with a token"),
        ("two words", ["--url", "http://127.0.0.1:9"], "characters that no header carries"),
        ("fine", ["--schema", "old.graphql"], "--bearer goes with --url"),
    ],
)
def test_tokens_that_cannot_be_sent(
    token: str, arguments: list[str], message: str, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", token)
    done = only_mine(shop, *arguments, "--bearer", "SHOP_TOKEN")
    assert done.returncode == 3
    assert message in " ".join(done.stderr.split())
    assert "two words" not in done.stderr


def test_recordings_without_the_package_that_reads_them_name_its_extra(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("interactions: []")
    done = run_without("yaml", "responses", "one.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'runql[yaml]'" in done.stdout
    assert "the server" not in done.stdout


def test_a_bug_of_runql_is_not_a_breaking_change(tmp_path: Path) -> None:
    (tmp_path / "same.graphql").write_text(known_sdl())
    block = (
        "import sys, runql.cli.checking.checks as checks\n"
        "def broken(*_): raise ZeroDivisionError\n"
        "checks.own_operations = broken\n"
        "sys.argv = ['runql', 'drift', '--schema', 'same.graphql']\n"
        "from runql.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr


def test_the_options_name_the_formats_and_the_file_that_checks_know() -> None:
    """The command states them on its own, so that its help loads no check."""
    assert get_args(commands.ReportFormat) == FORMATS
    assert commands.APPROVALS_FILE == APPROVALS_FILE
