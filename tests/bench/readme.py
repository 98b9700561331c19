"""README's table of speed: what RESULTS.md measured at 20 ms of latency, in short."""

from __future__ import annotations

import re
from typing import Final

from tests.bench.paths import ROOT

FILE: Final = ROOT / "README.md"
PLACE: Final = re.compile(r"(?<=<!-- written by `make bench` -->\n)\|.*?(?=\n\n)", re.DOTALL)
TABLE: Final = re.compile(r"^## 20 ms of latency a request\n\n(.*?)\n\n", re.DOTALL | re.MULTILINE)
MEASURED: Final = re.compile(r"([\d.]+) s / (\d+)")
TIMES: Final = re.compile(r"; ([\d.e+]+) ×")


def quoted(results: str) -> str:
    """The table of RESULTS.md with seconds and requests of runql, and for the others how many times as long they took.

    Raises:
        ValueError: there is no such table.
    """
    found = TABLE.search(results)
    if found is None:
        raise ValueError("RESULTS.md has no table at 20 ms of latency")
    head, rule, *rows = found[1].splitlines()
    return "\n".join([head, rule, *map(_row, rows)])


def refreshed(readme: str, results: str) -> str:
    """README with the table as it was measured last.

    Raises:
        ValueError: README has no place for it.
    """
    if PLACE.search(readme) is None:
        raise ValueError("README has no place for the table of speed")
    return PLACE.sub(lambda _: quoted(results), readme)


def _row(line: str) -> str:
    work, own, *others = (cell.strip() for cell in line.strip("|").split("|"))
    return f"| {work} | {_own(own)} | " + " | ".join(map(_other, others)) + " |"


def _own(cell: str) -> str:
    measured = MEASURED.match(cell)
    if measured is None:
        return cell
    return f"{float(measured[1]):.2f} s, {measured[2]} request{'s' if measured[2] != '1' else ''}"


def _other(cell: str) -> str:
    measured, times = MEASURED.match(cell), TIMES.search(cell)
    if measured is None or times is None:
        return cell
    return f"{float(times[1]):.3g} × ({measured[2]})"
