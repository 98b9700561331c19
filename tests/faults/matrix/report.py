"""Writes REPORT.md: the outcomes by fault, beside those of the official SDKs."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tests.faults.matrix.catalogue import FAULTS
from tests.faults.matrix.cells import CELLS
from tests.faults.matrix.known import KNOWN, reason_of
from tests.faults.matrix.libraries import INTERPRETERS, LIMIT, Measured
from tests.faults.matrix.running import Result

REPORT: Final = Path(__file__).parents[1] / "REPORT.md"


def write_report(results: Sequence[Result], libraries: Sequence[Measured], seconds: float) -> None:
    """Write the report."""
    REPORT.write_text("\n".join(_lines(results, libraries, seconds)) + "\n", "utf-8")


def _lines(results: Sequence[Result], libraries: Sequence[Measured], seconds: float) -> Iterable[str]:
    reached = [result for result in results if result.hits]
    late = [result for result in results if any("deadline" in each for each in result.violations)]
    failed = [result for result in results if result.violations]
    yield "# Faults, and what came of them"
    yield ""
    yield f"`make faults` writes this page. {len(results):,} cells of {len(FAULTS)} faults took {seconds:.0f} s."
    yield f"In {len(reached):,} of them the call met its fault; in the others no request of the call fits it."
    yield ""
    yield "| | sync | async |"
    yield "|---|---:|---:|"
    for outcome, name in (
        ("right", "the right value"),
        ("error", "an error of runql"),
        ("wrong", "a wrong value"),
        ("foreign", "a foreign exception"),
    ):
        counts = [_count(reached, outcome, face) for face in ("sync", "async")]
        yield f"| {name} | {counts[0]:,} | {counts[1]:,} |"
    yield ""
    yield f"Calls that outlived their deadline by more than a second: {len(late)}."
    yield f"Cells that do not do what their fault specifies: {len(failed)}, all of them listed at the end."
    yield ""
    yield "## By fault"
    yield ""
    yield "Cells of runql: right value / error / other, on both clients; requests and seconds are the median and the most."
    yield f"Each library beside it made three calls (a run, its history, a file), with its own defaults; one that had not ended {LIMIT:.0f} to 27 s after its start hangs;"
    yield "runql with `deadline=10`. Wrong values and hangs are in bold."
    names = [name for name, python in INTERPRETERS.items() if python] if libraries else []
    families: dict[str, list[str]] = defaultdict(list)
    for title, fault in FAULTS.items():
        families[fault.family].append(title)
    by_fault: dict[str, list[Result]] = defaultdict(list)
    for result in reached:
        by_fault[result.fault].append(result)
    by_library: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for each in libraries:
        by_library[each.fault, each.library].append(each)
    for family, titles in families.items():
        yield ""
        yield f"### {family.capitalize()}"
        yield ""
        yield "| fault | sync | async | requests | seconds |" + "".join(f" {name} |" for name in names)
        yield "|---|---|---|---|---|" + "---|" * len(names)
        for title in titles:
            found = by_fault[title]
            cells = [_escaped(title), _outcomes(found, "sync"), _outcomes(found, "async")]
            cells += [
                _spread([each.requests for each in found], ".0f"),
                _spread([each.seconds for each in found], ".2f"),
            ]
            cells += [_library(by_library[title, name]) for name in names]
            yield f"| {' | '.join(cells)} |"
    yield ""
    yield "## Not as specified"
    yield ""
    if not failed:
        yield "None."
    for (call, name), why in KNOWN.items():
        yield f"- `{call}`, {name}: {why}"
    for result in failed:
        if not reason_of(CELLS[result.cell]):
            yield f"- `{_escaped(result.cell)}`: {_escaped(result.violations[0])[:200]}"


def _count(results: Iterable[Result], outcome: str, face: str) -> int:
    return sum(each.outcome == outcome and each.cell.endswith(f"| {face}") for each in results)


def _outcomes(results: Sequence[Result], face: str) -> str:
    here = [each for each in results if each.cell.endswith(f"| {face}")]
    counts = Counter(each.outcome for each in here)
    other = len(here) - counts["right"] - counts["error"]
    return f"{counts['right']} / {counts['error']} / {f'**{other}**' if other else '0'}" if here else "–"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}}, {max(values):{form}}" if values else "–"


def _library(measured: Sequence[Measured]) -> str:
    if not measured:
        return "–"
    counts = Counter(each.outcome for each in measured)
    words = [
        f"**{counts[outcome]} {outcome}**" if outcome in {"wrong", "hang"} else f"{counts[outcome]} {outcome}"
        for outcome in ("right", "error", "wrong", "hang")
        if counts[outcome]
    ]
    return f"{', '.join(words)} ({max(each.seconds for each in measured):.1f} s)"


def _escaped(text: str) -> str:
    shown = text.encode("ascii", "backslashreplace").decode() if not text.isprintable() else text
    return shown.replace("|", "\\|")
