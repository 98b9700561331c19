"""What the tests of settings share: keys, folders, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runql.config import Settings
from runql.errors import ConfigurationError, RunqlError

KEY = "0123456789abcdef" * 2 + "01234567"
OTHER_KEY = "f" * 40

Resolve = Callable[..., Settings]


def written(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def refusal(call: Callable[[], object], kind: type[RunqlError] = ConfigurationError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, (OSError, UnicodeDecodeError))
    return str(caught.value)
