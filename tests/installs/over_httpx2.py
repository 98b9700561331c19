"""Where httpx2 is installed and httpx is not: let every import of httpx, in every process, be httpx2."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Switch(MetaPathFinder):
    """Waits for the first import of httpx or httpcore: a process that imports neither starts as fast as before."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Put httpx2 in the place of httpx, by the function that its authors offer applications for that."""
        if fullname.partition(".")[0] not in {"httpx", "httpcore"}:
            return None
        sys.meta_path.remove(self)
        from httpx2 import alias_httpx

        alias_httpx()
        # The import that is under way takes a module that is there already for a new one of the same file.
        del sys.modules[fullname]
        specs = (finder.find_spec(fullname, path, target) for finder in sys.meta_path)
        return next((spec for spec in specs if spec is not None), None)


sys.meta_path.insert(0, Switch())
