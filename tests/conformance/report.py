"""Writes `REPORT.md`: every call, its result, and deliberate differences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.conformance.calls.call import READ
from tests.conformance.calls.every import CALLS
from tests.conformance.comparison import NOTHING, VERSIONS, Compared, Comparison
from tests.conformance.differences import Difference, of_ours_alone
from tests.conformance.plain_values import Json

FILE: Final = Path(__file__).with_name("REPORT.md")
LONGEST: Final = 70
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
ORDER: Final = ("Api", "Runs", "Run", "Files", "File", "Artifact")
"""Classes at the top of the report."""
HEAD: Final = """# Conformance

`make conformance` writes this file, and `tests/conformance/test_conformance.py` checks it: do not edit.

Each of two versions of the official SDK writes a project to the embedded server. Then the same few lines of code
(`tests/conformance/calls/`) make the calls below through that SDK and through runql, each on its own copy of the data.
The results must be equal to the bit: types, order, columns and dtypes of frames, and bytes of files. An error counts as a
deliberate refusal (`refusal`) or as a crash (`TypeError`, …). After a call that writes, plain GraphQL reads the state of
the server, which must be equal, too. The sync and the async client of runql must have equal results.

**Requests** are those of the call itself for all its subjects, without loading the subjects: most members of `Run` are read
on each of the project's {runs} runs. The official SDK has a disk cache of artifacts' files, which earlier calls filled; the
number varies where it fetches several files concurrently.
"""


def render(comparisons: Mapping[str, Comparison], differences: list[Difference]) -> str:
    """Format the whole report."""
    found = {version: _counted(comparison) for version, comparison in comparisons.items()}
    members = sorted({member for call in CALLS.values() for member in call.members})
    totals = [f"| wandb {version} | {same} | {len(CALLS) - same} |" for version, same in found.items()]
    runs = len(next(iter(comparisons.values()))["Run.id"].ours.answers)
    lines = [
        HEAD.format(runs=runs),
        f"{len(members)} members, {len(CALLS)} calls:",
        "",
        "| against | same | different on purpose |",
        "|---|---|---|",
        *totals,
        *_sections(comparisons),
        *_differences(comparisons, differences),
        *_alone(),
    ]
    return "\n".join(lines) + "\n"


def owners() -> list[str]:
    """List the classes that calls cover, in the order of the calls."""
    return list(dict.fromkeys(sorted((call.owner for call in CALLS.values()), key=_rank)))


def explained(comparison: Comparison, names: set[str]) -> str:
    """Format both results of each of these calls, for the message of a failing test."""
    parts: list[str] = []
    for name in sorted(names):
        compared = comparison[name]
        parts.append(f"{name} ({', '.join(compared.call.members)}: {compared.call.title})")
        for parting in compared.mismatches[:5]:
            parts += [
                f"  at {' / '.join(filter(None, parting.way))}",
                f"    official: {json.dumps(parting.official, ensure_ascii=False)[:500]}",
                f"    runql:    {json.dumps(parting.ours, ensure_ascii=False)[:500]}",
            ]
    return "\n".join(parts)


def _rank(owner: str) -> int:
    return ORDER.index(owner) if owner in ORDER else len(ORDER)


def _counted(comparison: Comparison) -> int:
    return sum(not compared.mismatches for compared in comparison.values())


def _sections(comparisons: Mapping[str, Comparison]) -> Iterator[str]:
    requests = " | ".join(f"runql : {version}" for version in VERSIONS)
    for owner in owners():
        yield from ("", f"## `{owner}`", "")
        yield f"| member | call | {' | '.join(VERSIONS)} | requests {requests} |"
        yield f"|---|---|{'---|' * (2 * len(VERSIONS))}"
        for call, outcome in _rows(comparisons, owner):
            yield _row([call[0], call[1], *outcome])


def _rows(comparisons: Mapping[str, Comparison], owner: str) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Yield a row for each call; attributes with equal results share one row."""
    alike: dict[tuple[str, ...], list[str]] = {}
    others: list[tuple[tuple[str, str], list[str]]] = []
    for call in CALLS.values():
        if call.owner != owner:
            continue
        outcome = _outcome([comparison[call.name] for comparison in comparisons.values()])
        members = [f"`{member.removeprefix(f'{owner}.')}`" for member in call.members]
        if call.title == READ:
            alike.setdefault(tuple(outcome), []).extend(members)
        else:
            others.append(((", ".join(members), call.title), outcome))
    yield from (((", ".join(members), READ), list(outcome)) for outcome, members in alike.items())
    yield from others


def _outcome(compared: list[Compared]) -> list[str]:
    return [
        *("[different](#different-on-purpose)" if each.mismatches else "same" for each in compared),
        *(f"{each.ours.requests} : {_sent(each)}" for each in compared),
    ]


def _sent(compared: Compared) -> str:
    return str(compared.official.requests) if compared.call.steady else "varies"


def _differences(comparisons: Mapping[str, Comparison], differences: list[Difference]) -> Iterator[str]:
    yield from ("", "## Different on purpose", "")
    yield "Numbers are issues of wandb/wandb unless another repository is named."
    yield from (
        "",
        "| member | call | against | official SDK | runql | because | mends |",
        "|---|---|---|---|---|---|---|",
    )
    for difference in differences:
        call = CALLS[difference.call]
        for (where, official, ours), versions in _grouped(comparisons, difference).items():
            yield _row(
                [
                    f"`{call.members[0]}`",
                    f"{call.title}{where}",
                    ", ".join(versions),
                    official,
                    ours,
                    difference.because,
                    ", ".join(difference.mends),
                ]
            )


def _grouped(
    comparisons: Mapping[str, Comparison], difference: Difference
) -> dict[tuple[str, str, str], list[str]]:
    """Group equal differences: their count, the first of them, and the versions that have them."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for version in difference.sdk:
        found = comparisons[version][difference.call].mismatches
        if found:
            where = f"; they differ in {len(found)} places, first" if len(found) > 1 else ""
            groups.setdefault((where, shown(found[0].official), shown(found[0].ours)), []).append(version)
    return groups


def _alone() -> Iterator[str]:
    yield from ("", "## Ours alone", "", "Members that the official SDK does not have.", "")
    yield from ("| class | members |", "|---|---|")
    for owner, members in of_ours_alone().items():
        yield _row([f"`{owner}`", ", ".join(f"`{member}`" for member in members)])


def shown(answer: Json) -> str:
    """Format a result in a few characters, deterministically."""
    if answer == NOTHING:
        return "*nothing*"
    if isinstance(answer, dict) and set(answer) == {"raises"}:
        return f"*{answer['raises']}*"
    text = TIME.sub("a time", json.dumps(_unmarked(answer), ensure_ascii=False))
    if len(text) <= LONGEST:
        return f"`{text}`"
    return f"{len(answer)} entries" if isinstance(answer, (dict, list)) else f"`{text[:LONGEST]}`…"


def _unmarked(answer: Json) -> Json:
    match answer:
        case {"float": str(digits)}:
            return float(digits)
        case dict():
            return {key: _unmarked(value) for key, value in answer.items()}
        case list():
            return [_unmarked(each) for each in answer]
        case _:
            return answer


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
