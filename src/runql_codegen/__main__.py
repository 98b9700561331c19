"""`python -m runql_codegen`: rebuild `generated/runql_graphql` from `schema/` and `queries/`."""

from __future__ import annotations

import sys
from pathlib import Path

from runql_codegen.generate import generate
from runql_codegen.package_folder import replace_folder
from runql_codegen.settings import CodegenError, read_settings


def rebuild(config: Path) -> Path:
    """Rebuild the runtime package that `config` (a pyproject.toml) describes, and return its folder.

    The folder is replaced, so that modules of removed operations go. The package includes the SDL, so that the server
    and the drift check read the schema of the generated client.

    Raises:
        CodegenError: a setting, the schema or a query cannot be used.
    """
    settings = read_settings(config)
    replace_folder(settings.package, generate(settings, is_runtime=True).files)
    return settings.package


if __name__ == "__main__":
    try:
        rebuild(Path(sys.argv[1] if len(sys.argv) > 1 else "pyproject.toml"))
    except CodegenError as error:
        sys.exit(str(error))
