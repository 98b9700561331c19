"""`python -m tests.conformance`: compare, and write the report and README's table of members."""

from __future__ import annotations

from tests.conformance import differences, readme, report
from tests.conformance.comparison import compare_all

if __name__ == "__main__":
    report.FILE.write_text(report.render(compare_all(), differences.load()), encoding="utf-8")
    readme.FILE.write_text(readme.refreshed(readme.FILE.read_text("utf-8")), encoding="utf-8")
    print(f"wrote {report.FILE} and {readme.FILE}")
