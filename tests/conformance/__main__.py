"""`python -m tests.conformance`: compare, and write the report."""

from __future__ import annotations

from tests.conformance import differences, report
from tests.conformance.comparison import compare_all

if __name__ == "__main__":
    report.FILE.write_text(report.render(compare_all(), differences.load()), encoding="utf-8")
    print(f"wrote {report.FILE}")
