"""Whether a local file is an entry's, by each kind of digest that servers know."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest
import xxhash

from runql.errors import ManifestError, MissingExtraError
from runql.resources.artifacts.download.verify import hash_of, is_intact
from runql.resources.artifacts.manifest import ManifestEntry

CONTENT = b"hello world"
MD5 = ManifestEntry("x", "XrY7u+Ae7tCTyyK7j1rNww==", len(CONTENT))
XXH = ManifestEntry(
    "x", base64.b64encode(xxhash.xxh128(CONTENT).digest()).decode(), len(CONTENT), extra={"alg": "XXH128"}
)


@pytest.mark.parametrize("entry", [MD5, XXH], ids=["MD5", "XXH128"])
def test_a_file_with_the_right_bytes(entry: ManifestEntry, tmp_path: Path) -> None:
    path = tmp_path / "x"
    assert not is_intact(path, entry)
    path.write_bytes(CONTENT)
    assert is_intact(path, entry)
    path.write_bytes(CONTENT.upper())
    assert not is_intact(path, entry)
    path.write_bytes(CONTENT + b"!")
    assert not is_intact(path, entry)
    assert not is_intact(tmp_path, entry)


def test_without_a_size_the_bytes_decide(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    assert is_intact(tmp_path / "x", ManifestEntry("x", MD5.digest))


def test_the_younger_digest_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xxhash", None)
    with pytest.raises(MissingExtraError, match=r"runql\[xxhash\]"):
        hash_of(XXH)
    hash_of(MD5)


def test_an_unknown_digest_is_refused() -> None:
    with pytest.raises(ManifestError, match="unknown algorithm BLAKE3: upgrade"):
        hash_of(ManifestEntry("x", "d", extra={"alg": "BLAKE3"}))
