"""The documents fit the repository: links lead somewhere, named paths exist, decisions are listed and have one form."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
FILES = {path for path in TRACKED if (ROOT / path).is_file()}
FOLDERS = {parent.as_posix() for path in FILES for parent in Path(path).parents}
DOCUMENTS = sorted(path for path in FILES if path.endswith(".md"))
DECISIONS = sorted(path for path in FILES if re.match(r"docs/decisions/\d", path))

LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED = re.compile(r"`([\w./*-]+)`")


class SampleServer(Protocol):
    """What the pytest plugin's `sample_server` gives."""

    url: str
    api_key: str


def read(document: str) -> str:
    """The document without its code."""
    return re.sub(r"```.*?```", "", (ROOT / document).read_text("utf-8"), flags=re.DOTALL)


def anchors(document: str) -> set[str]:
    """What a link into the document may name."""
    titles = re.findall(r"^#+ (.+)$", read(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def exists(path: str) -> bool:
    """Whether a path that a document names is there, from the root or below a folder; a star stands for a part of a name."""
    wanted = Path(path.rstrip("/"))
    return any(Path(each).match(str(wanted)) for each in FILES | FOLDERS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_link_leads_somewhere(document: str) -> None:
    dead: list[str] = []
    for link in LINK.findall(read(document)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent.joinpath(path).resolve() if path else ROOT / document
        if not target.exists() or (anchor and anchor not in anchors(target.relative_to(ROOT).as_posix())):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize(
    "document",
    ["ARCHITECTURE.md", "CONTRIBUTING.md", *(path for path in DOCUMENTS if path.startswith("docs/"))],
)
def test_each_named_path_exists(document: str) -> None:
    text = read(document)
    named = {path for path in NAMED.findall(text) if "/" in path and "//" not in path}
    # Paths of a container and of a server are none of the repository.
    named -= {path for path in named if path.startswith("/")}
    if document == "ARCHITECTURE.md":
        named |= set(re.findall(r"`(\w+\.(?:py|md|graphql|toml))`", text))
    assert sorted(path for path in named if not exists(path)) == []


def test_the_tree_is_the_tree() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = set(re.findall(r"^(\w+)/ ", text, re.MULTILINE))
    folders = {path.split("/")[0] for path in FILES if "/" in path and not path.startswith(".")}
    assert named == folders == {"schema", "queries", "generated", "src", "docs", "tests"}


@pytest.mark.parametrize("folder", ["src/runql", "src/runql/resources", "src/runql/drift"])
def test_each_room_is_named(folder: str) -> None:
    rooms = {path.removeprefix(folder + "/") for path in FOLDERS if Path(path).parent.as_posix() == folder}
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert sorted(room for room in rooms if not re.search(rf"\b{room}\b", text)) == []


def test_the_architecture_has_two_screens() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()) <= 120


def test_the_flow_of_the_page_about_flows_works() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/flows.md").read_text("utf-8"), re.DOTALL)
    imports = """
import pytest
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, Send, fetch
from runql.transport.wire import Response
from runql_graphql.operations import get_run_state
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", imports + "\n".join(blocks)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_program_of_the_page_about_types_runs(sample_server: SampleServer, tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/typed.md").read_text("utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        env={"WANDB_BASE_URL": sample_server.url, "WANDB_API_KEY": sample_server.api_key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"mlp\d\d 32 \d+\n\d{3,} 0\.\d+\nTrue True\n", done.stdout)


def test_every_page_is_listed() -> None:
    pages = {
        path.removeprefix("docs/") for path in DOCUMENTS if path.startswith("docs/") and path.count("/") == 1
    }
    listed = set(LINK.findall((ROOT / "docs/README.md").read_text("utf-8")))
    assert pages - listed == {"README.md"}


def test_every_decision_is_listed_in_order() -> None:
    listed = LINK.findall((ROOT / "docs/decisions/README.md").read_text("utf-8"))
    assert [f"docs/decisions/{link}" for link in listed if link[0].isdigit()] == DECISIONS


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_has_one_form(decision: str) -> None:
    text = (ROOT / decision).read_text("utf-8")
    number, title = int(Path(decision).name[:4]), text.splitlines()[0].partition(". ")[2]
    assert text.startswith(f"# {number}. {title}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert f"]({Path(decision).name}) {title}\n" in (ROOT / "docs/decisions/README.md").read_text("utf-8")


def test_the_decisions_are_numbered_without_gaps() -> None:
    assert [int(Path(decision).name[:4]) for decision in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def sentences(document: str) -> list[str]:
    """The sentences of a page, without blocks of code and what benchmarks and comparisons write."""
    prose = re.sub(r"^<!-- written by .*?-->\n(?:(?:\|.*|\d.*)?\n)*", "", read(document), flags=re.MULTILINE)
    prose = re.sub(r"`[^`\n]+`", "code", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose))
    found: list[str] = []
    for part in re.split(r"\n\s*\n|\n(?=[-#|]|\d+\. )|\|", prose):
        found += re.split(r"(?<=[.!?:])\s+", " ".join(part.split()))
    return found


def long_ones(said: list[str]) -> list[str]:
    """The sentences with more than 25 words."""
    return [each for each in said if len(re.findall(r"[\w][\w.'/&-]*", each)) > 25]


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if re.match(r"README|docs/", path)])
def test_a_sentence_has_at_most_25_words(document: str) -> None:
    assert long_ones(sentences(document)) == []


def test_a_long_sentence_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.md").write_text("# A\n\nShort. " + "word " * 25 + "\nword. [Short](a.md).\n")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert long_ones(sentences("a.md")) == ["word " * 25 + "word."]
