"""`docs/from-wandb.md`: the deliberate differences of `REPORT.md` in short, one row for each reason."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.conformance.report import FILE as REPORT

FILE: Final = Path(__file__).parents[2] / "docs" / "from-wandb.md"
PLACE: Final = re.compile(r"(?<=<!-- written by `make conformance` -->\n).*?(?=\n\n## )", re.DOTALL)
NEWEST: Final = "0.31.0"
ADDED: Final = "newer versions of the official SDK have it, too"
"""The reason of members that only the older version lacks: nothing for somebody who comes from the newer one."""


def table(report: str) -> str:
    """Format the counts and the table."""
    rows: dict[str, tuple[list[str], list[str]]] = {}
    for line in report.partition("## Different on purpose")[2].partition("\n## ")[0].splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            member, versions, because, mends = cells[0], cells[2], cells[5], cells[6]
            if because != ADDED and NEWEST in versions:
                members, issues = rows.setdefault(because, ([], []))
                members += [member] if member not in members else []
                issues += [each for each in mends.split(", ") if each and each not in issues]
    [(members_, calls)] = re.findall(r"^(\d+) members, (\d+) calls:$", report, re.MULTILINE)
    [same] = re.findall(rf"^\| wandb {re.escape(NEWEST)} \| (\d+) \|", report, re.MULTILINE)
    head = f"{members_} members, {calls} calls: {same} have the same result as in wandb {NEWEST}. The others differ on purpose:"
    lines = [
        f"| {', '.join(members)} | {because} | {', '.join(issues)} |"
        for because, (members, issues) in rows.items()
    ]
    return "\n".join([head, "", "| member | in runql | issues |", "|---|---|---|", *lines])


def refreshed(text: str) -> str:
    """The page with the table of the report as it is now.

    Raises:
        ValueError: the page has no place for it.
    """
    if PLACE.search(text) is None:
        raise ValueError("docs/from-wandb.md has no place for the table of differences")
    return PLACE.sub(lambda _: table(REPORT.read_text("utf-8")), text)
