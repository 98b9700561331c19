"""README's table of speed: a short form of the table in RESULTS.md at 20 ms of latency."""

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
    """Return the table of RESULTS.md with seconds and requests of runql, and ratios of the others.

    Raises:
        ValueError: RESULTS.md has no such table.
    """
    found = TABLE.search(results)
    if found is None:
        raise ValueError("RESULTS.md has no table at 20 ms of latency")
    head, rule, *rows = found[1].splitlines()
    return "\n".join([head, rule, *map(_row, rows)])


def refreshed(readme: str, results: str) -> str:
    """Replace the table in README by the last measurements.

    Raises:
        ValueError: README has no such table.
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
