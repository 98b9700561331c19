"""`python -m tests.drift.peers`: compare with graphql-inspector over 20 versions of GitHub's schema; write tests/drift/PEERS.md."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from graphql import GraphQLSchema, build_schema, parse, validate
from tests.drift.oracle import Oracle
from tests.drift.servers.processes import node
from tests.patience import PATIENCE

from runql.drift import CheckedOperation, Report, compare, user_operations
from runql.drift.operations.combined_document import combine

FOLDER: Final = Path(__file__).parent
QUERIES: Final = FOLDER / "queries"
PEERS: Final = FOLDER.with_name("PEERS.md")
PACKAGES: Final = Path(os.environ.get("RUNQL_PEERS", ""))


@dataclass(frozen=True)
class Inspected:
    """What graphql-inspector says of one step.

    Attributes:
        seconds: to parse two schemas, to compare them, and to validate the queries.
        breaking: the parts that its `diff` calls breaking.
        invalid: the queries that its `validate` refuses.
    """

    seconds: float
    breaking: tuple[str, ...]
    invalid: frozenset[str]


@dataclass(frozen=True)
class Step:
    """A step from one version of the schema to the next.

    Attributes:
        name: both versions.
        broken: the queries that were valid before the step, and that the oracle says break.
        report: what runql says.
        seconds: as for graphql-inspector.
        inspected: what graphql-inspector says.
    """

    name: str
    broken: frozenset[str]
    report: Report
    seconds: float
    inspected: Inspected

    @property
    def found(self) -> frozenset[str]:
        """The queries that runql says break."""
        return frozenset(use.operation for each in self.report.counting() for use in each.uses)

    @property
    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield each part that one of both reports: the part, queries, runql's level, whether `diff` calls it breaking."""
        ours = {
            each.coordinate: each for each in self.report.findings if each.level == "breaking" or each.uses
        }
        listed = {
            coordinate: each for coordinate, each in ours.items() if each.level in {"breaking", "dangerous"}
        }
        for coordinate in sorted({*listed, *self.inspected.breaking}):
            finding = ours.get(coordinate)
            uses = ", ".join(use.operation for use in finding.uses) if finding else ""
            level = f"{finding.level}{'' if uses else ', unused'}" if finding else "–"
            yield coordinate, uses or "–", level, "breaking" if coordinate in self.inspected.breaking else "–"


def main() -> None:
    """Compare every step, and write the table."""
    operations = user_operations(QUERIES)
    steps = list(compared(versions(), operations))
    PEERS.write_text(written(steps, operations), "utf-8")
    wrong = [each.name for each in steps if each.found != each.broken]
    print(f"peers: {len(steps) - len(wrong)} passed, {len(wrong)} failed")
    raise SystemExit(1 if wrong else 0)


def versions() -> list[str]:
    """Return the versions of the schema, in order."""
    dependencies = json.loads((FOLDER / "package.json").read_text("utf-8"))["dependencies"]
    return [name.removeprefix("schema-") for name in dependencies if name.startswith("schema-")]


def compared(names: Sequence[str], operations: Sequence[CheckedOperation]) -> Iterator[Step]:
    """Yield what both say of each step."""
    inspected = inspect(names, operations)
    known, reading = loaded(names[0])
    for before, after in pairwise(names):
        found, next_reading = loaded(after)
        valid = [each for each in operations if not validate(known, parse(combine([each]).source))]
        started = time.perf_counter()
        report = compare(known, found, valid, source=after)
        seconds = time.perf_counter() - started + reading + next_reading
        broken = frozenset(each.operation for each in Oracle(known, valid).broken(found))
        yield Step(f"{before} → {after}", broken, report, seconds, next(inspected))
        known, reading = found, next_reading


def loaded(version: str) -> tuple[GraphQLSchema, float]:
    """Return a version of the schema, and the seconds that it took to read."""
    started = time.perf_counter()
    sdl = (PACKAGES / "node_modules" / f"schema-{version}" / "schema.graphql").read_text("utf-8")
    # The last two versions define a field twice.
    schema = build_schema(sdl, assume_valid_sdl=True)
    return schema, time.perf_counter() - started


def inspect(names: Sequence[str], operations: Sequence[CheckedOperation]) -> Iterator[Inspected]:
    """Yield what graphql-inspector says of each step, with a file for each query."""
    with TemporaryDirectory() as folder:
        for each in operations:
            Path(folder, each.name).write_text(combine([each]).source, "utf-8")
        done = subprocess.run(
            [node(), str(PACKAGES / "inspect.mjs"), folder, *names],
            cwd=PACKAGES,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    for line in done.stdout.splitlines():
        found = json.loads(line)
        yield Inspected(found["seconds"], tuple(found["breaking"]), frozenset(found["invalid"]))


def written(steps: Sequence[Step], operations: Sequence[CheckedOperation]) -> str:
    """Return the table."""
    named = json.loads((FOLDER / "package.json").read_text("utf-8"))["dependencies"]
    rows = [(step.name, *row) for step in steps for row in step.rows]
    diffs = [row for row in rows if row[4] == "breaking"]
    hits = {(step.name, name) for step in steps for name in step.broken}
    ours = {(step.name, name) for step in steps for name in step.found}
    theirs = hits & {(step.name, name) for step in steps for name in step.inspected.invalid}
    false_alarms = sum(row[3] != "breaking" for row in diffs)
    lines = [
        "# Beside graphql-inspector",
        "",
        f"Written by `make peers`: {len(steps)} steps between {len(steps) + 1} consecutive versions of GitHub's public schema "
        f"(`@octokit/graphql-schema`), {len(operations)} queries and mutations (`tests/drift/peers/queries`), "
        f"`@graphql-inspector/core` {named['@graphql-inspector/core']}.",
        "A query breaks where it was valid before the step, and graphql-core refuses it or an input that was valid.",
        "",
        "| | what it reports | finds | misses | false alarms | seconds a step |",
        "|---|---|---|---|---|---|",
        f"| `runql drift --only-mine` | queries, with the part that breaks them | {len(ours & hits)} | {len(hits - ours)} "
        f"| {len(ours - hits)} | {statistics.median(each.seconds for each in steps):.1f} |",
        f"| graphql-inspector `diff` | breaking changes, used or not | {len(diffs) - false_alarms} changes | – "
        f"| {false_alarms} changes | {statistics.median(each.inspected.seconds for each in steps):.1f}, with `validate` |",
        f"| graphql-inspector `validate` | queries that are not valid | {len(theirs)} | {len(hits - theirs)} | 0 | as above |",
        "",
        "`diff` has an option that asks a function of the caller whether a part is used. Seconds include both schemas' parsing: "
        "graphql-core parses 64,000 lines in seconds, graphql-js in a fraction of one. The last two versions define a field twice: both "
        "read them here without validating the SDL; `runql drift` refuses them, and says where.",
        "",
        "## Findings",
        "",
        "| step | part | queries that use it | runql | `diff` |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        "## Broken queries",
        "",
        "| step | query | runql | `validate` |",
        "|---|---|---|---|",
    ]
    for step in steps:
        for name in sorted(step.broken | step.found):
            said = ["breaks" if name in names else "–" for names in (step.found, step.inspected.invalid)]
            lines.append(f"| {step.name} | {name} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
