"""What pytest leaves alone here: the application is a project with tests of its own, which `test_app.py` runs."""

from __future__ import annotations

collect_ignore = ["app"]
