"""What is kept from the checkers: every ignore names its rule, every silenced type its reason, casts are counted."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest
from tests.architecture.test_modules import ROOT, modules

# As many as there are. Fewer: lower the number. More: say in review why the types cannot be told otherwise.
CASTS = {"src": 4, "tests": 2}

TYPE_IGNORE = re.compile(r"(?:type|pyright):\s*ignore(\[[\w\-, ]+\])?")
NOQA = re.compile(r"noqa(:\s?[A-Z]+\d+(?:,\s?[A-Z]+\d+)*)?", re.IGNORECASE)
WHOLE_FILE = re.compile(r"#\s*(?:mypy:|pyright:\s*(?:basic|standard|strict|report)|type:\s*ignore\S*\s*$)")
WORD = re.compile(r"[^\W\d_]{2,}")


def comments(module: str) -> Iterator[tuple[int, str]]:
    """The comments of a module, each with its line."""
    text = (ROOT / module).read_text("utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def complaint(comment: str, above: str = "") -> str | None:
    """What is wrong with a comment that silences a checker; its reason may be the comment in the line above."""
    types = list(TYPE_IGNORE.finditer(comment))
    if any(match[1] is None for match in types):
        return "an ignore without a code"
    if any(match[1] is None for match in NOQA.finditer(comment)):
        return "a noqa without a code"
    said = WORD.findall(above + NOQA.sub("", TYPE_IGNORE.sub("", comment)))
    if types and len(said) < 2:
        return "an ignored type without a reason"
    return None


def casts(module: str) -> int:
    """How many casts a module has."""
    source = (ROOT / module).read_text("utf-8")
    if "cast(" not in source:
        return 0
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return sum(ast.unparse(call.func) in {"cast", "typing.cast"} for call in calls)


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_every_ignore_has_its_code_and_its_reason(folder: str) -> None:
    complaints: list[str] = []
    for module in modules(folder):
        found = dict(comments(module))
        for line, comment in found.items():
            above = found.get(line - 1, "") if _stands_alone(module, line - 1) else ""
            if wrong := complaint(comment, above):
                complaints.append(f"{module}:{line}: {wrong}")
    assert complaints == []


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_no_file_is_kept_from_the_checkers_as_a_whole(folder: str) -> None:
    kept = [
        f"{module}:{line}"
        for module in modules(folder)
        for line, comment in comments(module)
        if WHOLE_FILE.match(comment) and _stands_alone(module, line)
    ]
    assert kept == []


@pytest.mark.parametrize("folder", sorted(CASTS))
def test_casts_do_not_become_more(folder: str) -> None:
    found = {module: count for module in modules(folder) if (count := casts(module))}
    assert sum(found.values()) == CASTS[folder], found


@pytest.mark.parametrize(
    ("comment", "wrong"),
    [
        ("# type: ignore", True),
        ("# type: ignore[arg-type]", True),
        ("# pyright: ignore[reportCallIssue]", True),
        ("# type: ignore[arg-type]  # pyright: ignore[reportCallIssue]", True),
        ("# noqa", True),
        ("# noqa: documented", True),
        ("# type: ignore[arg-type] — callers may be untyped", False),
        ("# type: ignore[arg-type]  # pyright: ignore[reportCallIssue] — as above", False),
        ("# noqa: N802 — documented", False),
        ("# noqa: N802, A002", False),
        ("# why it is so", False),
    ],
)
def test_complaints_are_made_where_due(comment: str, wrong: bool) -> None:
    assert (complaint(comment) is not None) == wrong


def _stands_alone(module: str, line: int) -> bool:
    lines = (ROOT / module).read_text("utf-8").splitlines()
    return lines[line - 1].lstrip().startswith("#")
