"""`python -m tests.endurance.fuzzing [SECONDS [TARGET]]`: fuzzes each target with atheris, guided by branches."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("responses", "values", "columns", "manifests", "posts", "filters", "documents")
MISSING: Final = "fuzzing needs atheris, which exists for Linux on x86-64: skipped"

# Parts of JSON and GraphQL that a fuzzer would take long to find.
_WORDS: Final = (
    *(
        '"value"',
        '"data"',
        '"errors"',
        '"message"',
        '"$regex"',
        '"$in"',
        '"$not"',
        '"$or"',
        '"config."',
        '"tags"',
    ),
    *(
        '"contents"',
        '"digest"',
        '"offset"',
        '"content"',
        '"files"',
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "true",
    ),
    *('"_step"', '"\\\\ud800"', "1e400", "99999999999999999999", "fragment", "query", "on", "...", "@skip"),
)


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    atheris: Any = import_module("atheris")  # Any: it has no types
    with atheris.instrument_imports(include=["runql", "runql_server", "graphql"]):
        found = import_module("tests.endurance.fuzz_targets")
    target = next(each for each in found.TARGETS if each.name == name)
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words.dict"
    words.write_text("\n".join('"' + word.replace('"', '\\"') + '"' for word in _WORDS if "\\" not in word))
    options = [
        f"-max_total_time={seconds}",
        "-max_len=4096",
        "-timeout=30",
        "-rss_limit_mb=3000",
        f"-dict={words}",
        f"-artifact_prefix={folder}/",
        str(corpus),
    ]
    atheris.Setup([name, *options], target.run)
    atheris.Fuzz()


def main() -> None:
    """Fuzz one target, or each in a process of its own; exit with 1 if one found something."""
    if find_spec("atheris") is None:
        print(MISSING)
        return
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    if len(sys.argv) > 3:
        fuzz(sys.argv[2], seconds, Path(sys.argv[3]))
        return
    failed: list[str] = []
    for name in sys.argv[2:] or NAMES:
        with tempfile.TemporaryDirectory(prefix=f"runql-fuzz-{name}-") as folder:
            command = [sys.executable, "-m", "tests.endurance.fuzzing", str(seconds), name, folder]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            figures = re.findall(
                r"Done (\d+) runs in (\d+) second|stat::number_of_executed_units: *(\d+)", done.stderr
            )
            print(
                f"{name}: {figures[-1] if figures else 'no figures'}, exit code {done.returncode}", flush=True
            )
            if done.returncode != 0:
                failed.append(name)
                print(done.stdout[-3_000:], done.stderr[-3_000:])
                for artifact in Path(folder).glob("[a-z]*-[0-9a-f]*"):
                    print(f"{artifact.name}: {artifact.read_bytes()[:2_000]!r}", flush=True)
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
