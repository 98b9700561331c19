"""`python -m runql_codegen`: rebuild `generated/runql_graphql` from `schema/` and `queries/`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from runql_codegen.fragment_modules import fragment_names, split_fragments


def rebuild(config_path: Path) -> Path:
    """Rebuild the package that `config_path` (a pyproject.toml) describes, and return its folder.

    The folder is deleted first, because ariadne-codegen keeps modules of removed operations. The package includes the
    SDL, so that the server and the drift check read the schema of the generated client.
    """
    settings: dict[str, str] = tomllib.loads(config_path.read_text())["tool"]["ariadne-codegen"]
    target, schema = Path(settings["target_package_path"]), Path(settings["schema_path"])
    package = target / settings["target_package_name"]
    shutil.rmtree(package, ignore_errors=True)
    # ariadne-codegen refuses a missing target.
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "ariadne_codegen", "--config", str(config_path)], check=True)
    split_fragments(package, fragment_names(Path(settings["queries_path"])))
    shutil.copyfile(schema, package / schema.name)
    (package / "py.typed").touch()
    return package


if __name__ == "__main__":
    rebuild(Path(sys.argv[1] if len(sys.argv) > 1 else "pyproject.toml"))
