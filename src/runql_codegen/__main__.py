"""`python -m runql_codegen`: delete `generated/runql_graphql` and build it again from `schema/` and `queries/`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ariadne_codegen.config import get_client_settings, get_config_dict
from ariadne_codegen.main import client


def rebuild(config_path: Path) -> Path:
    """Rebuild the package that `config_path` (a pyproject.toml) describes, and return its folder.

    The folder is deleted first, because ariadne-codegen leaves modules of removed operations behind. The SDL travels
    with the package, so that the server and the drift check read the very schema the client was built with.
    """
    config = get_config_dict(str(config_path))
    settings = get_client_settings(config)
    package = Path(settings.target_package_path) / settings.target_package_name
    shutil.rmtree(package, ignore_errors=True)
    package.parent.mkdir(parents=True, exist_ok=True)
    client(config)  # type: ignore[no-untyped-call]  # ariadne-codegen leaves it without annotations
    shutil.copyfile(settings.schema_path, package / Path(settings.schema_path).name)
    (package / "py.typed").touch()
    return package


if __name__ == "__main__":
    rebuild(Path(sys.argv[1] if len(sys.argv) > 1 else "pyproject.toml"))
