"""`python -m tests.conformance`: compare, and write the report and the tables of two documents."""

from __future__ import annotations

from tests.conformance import differences, member_table, newcomers, report
from tests.conformance.comparison import compare_all

if __name__ == "__main__":
    report.FILE.write_text(report.render(compare_all(), differences.load()), encoding="utf-8")
    member_table.FILE.write_text(
        member_table.refreshed(member_table.FILE.read_text("utf-8")), encoding="utf-8"
    )
    newcomers.FILE.write_text(newcomers.refreshed(newcomers.FILE.read_text("utf-8")), encoding="utf-8")
    print(f"wrote {report.FILE}, {member_table.FILE} and {newcomers.FILE}")
