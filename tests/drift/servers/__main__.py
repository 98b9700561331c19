"""`python -m tests.drift.servers`: check servers of others with changes of every kind; write REPORT.md, fail on a wrong verdict."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from tests.drift.independent_usage import all_operations
from tests.drift.schema_changes import SchemaChange, all_changes
from tests.drift.schema_server import KEY
from tests.drift.servers.matrix import Cell, cells
from tests.drift.servers.processes import ARMORED, FOLDER, PYTHON_SERVERS, SERVERS, ForeignServer
from tests.patience import PATIENCE
from tests.profiles import usual_part

from runql import RetryingClient, RetryPolicy
from runql.config import resolve_settings
from runql.drift import known_schema

REPORT = Path(__file__).with_name("REPORT.md")
WORDS = {"ok": "fine", "breaking": "**breaks**", "unchecked": "?"}
AT_ONCE = 2
"""Servers that are checked at the same time."""

Rows: TypeAlias = Mapping[str, Sequence[Cell]]
"""The cells of each server, in the order of the changes."""


def main() -> None:
    """Probe and introspect every server, write the report, and exit with 1 if a verdict is wrong or anything ran."""
    changes = usual_part(all_changes(), lambda each: (each.kind, each.breaks))
    probed, introspected = (checked_servers(changes, introspection=each) for each in (False, True))
    REPORT.write_text(written(changes, probed, introspected), "utf-8")
    everything = [each for rows in (probed, introspected) for row in rows.values() for each in row]
    wrong = [each for each in everything if each.is_missed or each.is_false or each.resolved]
    for each in wrong:
        print(f"{each.server}: {each.change.name}: {each.verdict}, resolved {list(each.resolved)}")
    print(f"servers: {len(everything) - len(wrong)} passed, {len(wrong)} failed")
    sys.exit(1 if wrong else 0)


def checked_servers(changes: Sequence[SchemaChange], *, introspection: bool) -> Rows:
    """Check every server with every change."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {kind: pool.submit(checked, kind, changes, introspection=introspection) for kind in SERVERS}
        return {kind: each.result() for kind, each in waiting.items()}


def checked(kind: str, changes: Sequence[SchemaChange], *, introspection: bool) -> list[Cell]:
    """Check one server with every change."""
    known, operations = known_schema(), all_operations()
    with ForeignServer(kind) as server:
        settings = resolve_settings(base_url=server.url, api_key=KEY, timeout=PATIENCE, environ={})
        with RetryingClient(settings, retry=RetryPolicy(max_attempts=1)) as client:
            found = cells(
                server,
                changes,
                known=known,
                operations=operations,
                client=client,
                introspection=introspection,
            )
            return list(found)


def written(changes: Sequence[SchemaChange], probed: Rows, introspected: Rows) -> str:
    """Return the report."""
    lines = [
        "# Servers of others",
        "",
        "Written by `make servers`. Each server hides its schema, serves the SDL after one change, and is probed: the first table.",
        "Then it serves the same without hiding it, and is introspected: the last table.",
        "A change **breaks** an operation, or is fine; `?` is *could not check*, with a reason below. Behind the verdict: requests.",
        f"Of {' and '.join(ARMORED)} the operations are checked that their limits allow; others they refuse in production, too.",
        "",
        *versions(),
        "",
        f"| change | effect | {' | '.join(probed)} |",
        f"|---|---|{'---|' * len(probed)}",
    ]
    for number, change in enumerate(changes):
        effect = WORDS["breaking" if change.breaks else "ok"]
        verdicts = " | ".join(words(row[number]) for row in probed.values())
        lines.append(f"| {change.name} | {effect} | {verdicts} |")
    lines += ["", *counts(probed), "", "## Why it could not check", ""]
    if all(cell.verdict != "unchecked" for row in probed.values() for cell in row):
        lines.append("Every probe has a verdict.")
    for kind, row in probed.items():
        reasons = Counter(
            each.reason for cell in row if cell.verdict == "unchecked" for each in cell.report.undecided
        )
        lines += [f"- {kind}: {reason} ({number} times)" for reason, number in reasons.most_common(3)]
    lines += ["", "## By introspection", "", *counts(introspected)]
    return "\n".join(lines) + "\n"


def counts(rows: Rows) -> Iterator[str]:
    """Yield a table with the number of verdicts of each kind."""
    yield "| server | right | missed | false | could not check | fields resolved |"
    yield "|---|---|---|---|---|---|"
    for kind, row in rows.items():
        missed, false = sum(each.is_missed for each in row), sum(each.is_false for each in row)
        open_ones = sum(each.verdict == "unchecked" for each in row)
        right, resolved = len(row) - missed - false - open_ones, sum(len(each.resolved) for each in row)
        yield f"| {kind} | {right} | {missed} | {false} | {open_ones} | {resolved} |"


def words(cell: Cell) -> str:
    """Return the verdict of a cell with its requests, and what is wrong with it."""
    wrong = ", missed" if cell.is_missed else ", false" if cell.is_false else ""
    return f"{WORDS[cell.verdict]} {cell.report.requests}{wrong}"


def versions() -> list[str]:
    """Return a line with the versions of the servers."""
    named = json.loads((FOLDER / "package.json").read_text("utf-8"))["dependencies"]
    return [
        f"{len(SERVERS)} servers: "
        + ", ".join(f"{name} {version.rpartition('@')[2]}" for name, version in named.items())
        + f"; of PyPI {', '.join(PYTHON_SERVERS)}."
    ]


if __name__ == "__main__":
    main()
