"""Seeds the benchmark's servers: runs, histories and files of known sizes."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from runql import Api
from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS = 1_000
ROWS = 200_000
MANY_RUNS, ROWS_OF_MANY = 2_000, 200
SPARSE_ROWS, SPARSE_GAP = 100, 10_000
LARGE_FILES, LARGE = 50, 1 << 20
SMALL_FILES, MANY_FILES, SMALL = 500, 2_000, 1 << 12
KEYS = [f"k{number:02}" for number in range(20)]


def fill(server: RunningServer) -> None:
    """Seed everything except exports."""
    chance = random.Random(7)
    for project, count in (("runs", RUNS), ("runs-tenth", RUNS // 10), ("runs-hundredth", RUNS // 100)):
        server.seed(project, [_run(chance, number) for number in range(count)])
    server.seed(
        "histories",
        [SeedRun(name=f"run{number:03}", history=rows(chance, 500, KEYS[:3])) for number in range(200)],
    )
    scans = (("long", ROWS), ("tenth", ROWS // 10), ("hundredth", ROWS // 100))
    server.seed("scan", [SeedRun(name=name, history=rows(chance, count, KEYS)) for name, count in scans])
    many = (
        SeedRun(name=f"run{number:04}", history=rows(chance, ROWS_OF_MANY, KEYS))
        for number in range(MANY_RUNS)
    )
    server.seed("many", many)
    sparse = rows(chance, SPARSE_ROWS, KEYS[:3], gap=SPARSE_GAP)
    server.seed("sparse", [SeedRun(name="sparse", history=sparse)])
    server.seed("files", [SeedRun(name=name) for name in ("large", "small", "many")])
    kinds = (("large", LARGE_FILES, LARGE), ("small", SMALL_FILES, SMALL), ("many", MANY_FILES, SMALL))
    with Api(base_url=server.url, api_key=server.api_key) as api:
        for name, count, size in kinds:
            run = api.run(f"files/{name}")
            with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(8) as pool:
                paths = [Path(folder, f"{number:04}.bin") for number in range(count)]
                for path in paths:
                    path.write_bytes(chance.randbytes(size))
                list(pool.map(partial(run.upload_file, root=folder), paths))


def fill_exports(server: RunningServer) -> None:
    """Seed the run with an exported history."""
    server.seed("exports", [SeedRun(name="long", history=rows(random.Random(8), ROWS, KEYS))])


def rows(
    chance: random.Random, count: int, keys: list[str], *, gap: int = 1
) -> Iterator[dict[str, JsonValue]]:
    """Yield rows of random floats; the last two of twenty keys are integers."""
    for number in range(count):
        values: dict[str, JsonValue] = {"_step": number * gap}
        for key in keys:
            values[key] = chance.randrange(1_000) if key in {"k18", "k19"} else chance.random()
        yield values


def _run(chance: random.Random, number: int) -> SeedRun:
    config: dict[str, JsonValue] = {f"c{key:02}": chance.random() for key in range(39)}
    summary: dict[str, JsonValue] = {f"s{key:02}": chance.random() for key in range(40)}
    name = f"run{number:04}"
    return SeedRun(name=name, display_name=name, config={**config, "layers": [64, 64]}, summary=summary)
