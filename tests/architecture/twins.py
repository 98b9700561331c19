"""What the members of the async classes say: the first paragraph of their sync twins, kept equal by a test.

``python -m tests.architecture.twins`` writes it anew.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "runql"
WIDTH = 110


OWN_WORDS = {
    ("AsyncLazySequence", "next"),
    ("AsyncNextItem", "take"),
    ("AsyncRetryingClient", "close"),
}
"""Members that do something else than their sync twins."""


@dataclass(frozen=True)
class Member:
    """A method or property with a docstring."""

    path: Path
    owner: str
    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def first_paragraph(self) -> str:
        return " ".join(self.docstring.partition("\n\n")[0].split())


@dataclass(frozen=True)
class Twins:
    """A member of an async class, and the same member of its sync twin."""

    sync: Member
    awaited: Member

    @property
    def expected(self) -> str:
        """What the async member says."""
        said = self.sync.first_paragraph
        if self.sync.docstring.partition("\n\n")[2]:
            said += f"\n\nSee `{self.sync.owner}.{self.sync.name}` for its requests and errors."
        return said

    @property
    def are_equal(self) -> bool:
        return self.awaited.first_paragraph == self.sync.first_paragraph


def twins() -> Iterator[Twins]:
    """Every member that both an async class and its sync twin define."""
    classes = {
        node.name: (path, node)
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    for name, (path, node) in classes.items():
        plain = name.replace("Async", "", 1)
        if not name.startswith(("Async", "_Async")) or plain not in classes:
            continue
        sync_path, sync_node = classes[plain]
        sync = {member.name: member for member in _members(sync_path, sync_node)}
        for member in _members(path, node):
            if member.name in sync and member.name[0] != "_" and (name, member.name) not in OWN_WORDS:
                yield Twins(sync[member.name], member)


def _members(path: Path, owner: ast.ClassDef) -> Iterator[Member]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            yield Member(path, owner.name, node.name, node)


def write() -> None:
    """Bring what the async members say up to date."""
    stale: dict[Path, list[Twins]] = {}
    for pair in twins():
        if not pair.are_equal:
            stale.setdefault(pair.awaited.path, []).append(pair)
    for path, pairs in stale.items():
        lines = path.read_text("utf-8").splitlines()
        for pair in sorted(pairs, key=lambda each: -each.awaited.node.lineno):
            old = pair.awaited.node.body[0]
            indent = " " * old.col_offset
            lines[old.lineno - 1 : old.end_lineno] = _docstring(pair.expected, indent)
        path.write_text("\n".join(lines) + "\n", "utf-8")


def _docstring(said: str, indent: str) -> list[str]:
    first, _, rest = said.partition("\n\n")
    lines = textwrap.wrap(f'"""{first}', WIDTH - len(indent), break_on_hyphens=False, break_long_words=False)
    lines += ["", rest] if rest else []
    if len(lines) == 1:
        lines[0] += '"""'
    else:
        lines.append('"""')
    return [(indent + line).rstrip() for line in lines]


if __name__ == "__main__":
    write()
