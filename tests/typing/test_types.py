"""A strictly typed program sees every type, none of them `Any`, and its mistakes are seen before it runs."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import pytest
from tests.architecture.surface import members_of
from tests.typing.checking import Remark, mypy, pyrefly, pyright, ty
from tests.typing.misuse import SEEN_BY_PYRIGHT, source

import runql
from runql.resources.artifacts.catalog import ArtifactCatalog

pytestmark = pytest.mark.long

FACES = ("sync_face.py", "async_face.py", "sync_artifacts.py", "async_artifacts.py", "errors_face.py")
WIDE = "wide_inputs.py"
ASSERTION = re.compile(r"\bassert_type\b")
VAGUE = re.compile(r"\b(Any|Unknown)\b")
CHECKERS = pytest.mark.parametrize("checker", ["mypy", "pyright", "ty", "pyrefly"])

UNSEEN = {
    "mypy": {*SEEN_BY_PYRIGHT},
    "pyrefly": {*SEEN_BY_PYRIGHT, "for each in aruns: print(each)"},
}
"""Mistakes that a checker does not see, although the others do."""

# How a list makes and refreshes its runs.
NOT_FOR_USERS = {"listed", "take"}

# Asserted in files of their own.
ABOUT_ARTIFACTS = {name for name in vars(ArtifactCatalog) if not name.startswith("_")} - {
    "default_entity"
} | {
    *("log_artifact", "logged_artifacts", "use_artifact", "used_artifacts"),
}

Remarks = dict[str, list[Remark]]


def face(name: str) -> str:
    """The text of one of the checked files."""
    return Path(__file__).with_name(name).read_text("utf-8")


def fields_of(owner: type) -> list[str]:
    """The fields of a dataclass, none of any other class."""
    return [field.name for field in dataclasses.fields(owner)] if dataclasses.is_dataclass(owner) else []


def revealing(text: str) -> str:
    """The same program, revealing each type instead of asserting it."""

    class Revealer(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            if isinstance(node.func, ast.Name) and node.func.id == "assert_type":
                return ast.Call(ast.Name("reveal_type"), node.args[:1], [])
            return self.generic_visit(node)

    return ast.unparse(Revealer().visit(ast.parse(text))) + "\n"


@pytest.fixture(scope="module")
def remarks(tmp_path_factory: pytest.TempPathFactory) -> Remarks:
    """What each checker says of the files, of their revealing twins, and of the misuse; one run each."""
    folder = tmp_path_factory.mktemp("user")
    (folder / WIDE).write_text(face(WIDE))
    for name in FACES:
        (folder / name).write_text(face(name))
        (folder / f"revealing_{name}").write_text(revealing(face(name)))
    (folder / "misuse.py").write_text(source()[0])
    return {"mypy": mypy(folder), "pyright": pyright(folder), "ty": ty(folder), "pyrefly": pyrefly(folder)}


@CHECKERS
@pytest.mark.parametrize("name", [*FACES, WIDE])
def test_every_asserted_type_is_the_one_that_a_user_sees(checker: str, name: str, remarks: Remarks) -> None:
    assert [
        f"{each.line}: {each.text}" for each in remarks[checker] if each.file == name and each.is_error
    ] == []


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("name", FACES)
def test_no_revealed_type_is_vague(checker: str, name: str, remarks: Remarks) -> None:
    lines = revealing(face(name)).splitlines()
    revealed = {
        lines[each.line - 1].strip(): each.revealed
        for each in remarks[checker]
        if each.file == f"revealing_{name}" and each.revealed is not None
    }
    asked = {line.strip() for line in lines if "reveal_type(" in line}
    assert set(revealed) == asked
    assert {line: shown for line, shown in revealed.items() if VAGUE.search(shown)} == {}


@CHECKERS
def test_every_mistake_is_seen(checker: str, remarks: Remarks) -> None:
    _, wrong = source()
    seen = {each.line for each in remarks[checker] if each.file == "misuse.py" and each.is_error}
    assert {statement for line, statement in wrong.items() if line not in seen} == UNSEEN.get(checker, set())
    assert seen <= set(wrong)


READ_WITH: dict[str, list[type]] = {
    "sync_face.py": [
        runql.Api,
        runql.Runs,
        runql.Run,
        runql.Sweep,
        runql.Project,
        runql.HistoriesScan,
        runql.HistoryScan,
        runql.TypedRun,
        runql.TypedRuns,
        runql.User,
        runql.Traffic,
        runql.Settings,
    ],
    "async_face.py": [
        runql.AsyncApi,
        runql.AsyncRuns,
        runql.AsyncRun,
        runql.AsyncSweep,
        runql.AsyncProject,
        runql.AsyncHistoriesScan,
        runql.AsyncHistoryScan,
        runql.AsyncTypedRun,
        runql.AsyncTypedRuns,
    ],
    "sync_artifacts.py": [
        runql.Artifact,
        runql.ArtifactEntry,
        runql.ArtifactFile,
        runql.ArtifactType,
        runql.ArtifactCollection,
        runql.RunArtifacts,
    ],
    "async_artifacts.py": [
        runql.AsyncArtifact,
        runql.AsyncArtifactEntry,
        runql.AsyncArtifactFile,
        runql.AsyncArtifactType,
        runql.AsyncArtifactCollection,
        runql.AsyncRunArtifacts,
    ],
    "errors_face.py": [runql.GraphQLProblem],
}


@pytest.mark.parametrize("name", FACES)
def test_every_public_read_member_is_asserted(name: str) -> None:
    asserted = {
        part.attr
        for call in ast.walk(ast.parse(face(name)))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "assert_type"
        for part in ast.walk(call.args[0])
        if isinstance(part, ast.Attribute)
    }
    bound_to_a_name_first = {"scan_history", "manifest", "get_entry", "files"}
    members = {member for owner in READ_WITH[name] for member in (*members_of(owner), *fields_of(owner))}
    members = members | ABOUT_ARTIFACTS if "artifacts" in name else members - ABOUT_ARTIFACTS
    assert members - NOT_FOR_USERS - bound_to_a_name_first - asserted == set()
    assert len(asserted) > 10


def test_a_vague_type_would_be_seen() -> None:
    assert VAGUE.search("dict[str, Any]")
    assert VAGUE.search("list[Unknown]")
    assert not VAGUE.search("AnyApi")
    assert ASSERTION.search(face("sync_face.py"))
    assert not ASSERTION.search(revealing("assert_type(api.run(x), Run)"))
