"""A marked API key, its spellings, and searches for it in errors, tracebacks, logs and files."""

from __future__ import annotations

import base64
import io
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import FrameType, ModuleType
from typing import Final, TypeGuard
from urllib.parse import quote

from rich.console import Console
from rich.traceback import Traceback

KEY: Final = "local-5ec2e7" + "9d" * 20
DEPTH: Final = 3
"""How many attributes away from a local variable the walk looks; two is what error trackers show."""


def _pairs(pair: str) -> set[str]:
    encoded = base64.b64encode(pair.encode()).decode()
    return {encoded.rstrip("="), quote(encoded, safe="").removesuffix("%3D")}


SPELLINGS: Final = frozenset(
    {KEY, KEY.removeprefix("local-"), quote(KEY, safe=""), KEY[::-1]}
    | _pairs(f"api:{KEY}")
    | _pairs(f"{KEY}:api")
    | _pairs(f"{KEY}:")
    | _pairs(KEY)
)


def shows_key(written: str | bytes) -> bool:
    """Whether the key is there, in any spelling."""
    string = written if isinstance(written, str) else written.decode("latin-1")
    return any(spelling in string for spelling in SPELLINGS)


def sightings(error: BaseException, *, rendered: bool = True) -> list[str]:
    """Return where an error, its causes, their pickles or their tracebacks with local variables show the key.

    With ``rendered``, tools that show variables (traceback, rich) print them, too.
    """
    found = [place for place, shown in _printed(error) if shows_key(shown)]
    if rendered:
        found += [place for place, shown in _with_variables(error) if shows_key(shown)]
    for each in chain(error):
        name = type(each).__name__
        found += [f"{name}: {place}" for place in _walk(each, name, DEPTH)]
        trace = each.__traceback__
        while trace is not None:
            if not _is_a_tests(trace.tb_frame):
                where = f"{name} in {trace.tb_frame.f_code.co_qualname}"
                for local, value in trace.tb_frame.f_locals.items():
                    found += _walk(value, f"{where}: {local}", DEPTH)
            trace = trace.tb_next
    return found


def caught(call: Callable[[], object]) -> BaseException:
    """Return what a call raises. Its traceback holds no variable of the test but those that the call uses."""
    try:
        call()
    except BaseException as error:  # noqa: BLE001 — interrupts as well
        return error
    raise AssertionError("the call raised nothing")


def chain(error: BaseException) -> list[BaseException]:
    """Return an error, all its causes and contexts, suppressed ones as well, and the members of groups."""
    waiting: list[BaseException | None] = [error]
    found: list[BaseException] = []
    while waiting:
        each = waiting.pop()
        if each is None or any(each is one for one in found):
            continue
        found.append(each)
        members: Sequence[BaseException] = getattr(each, "exceptions", ())
        waiting += [each.__cause__, each.__context__, *members]
    return found


def frames(error: BaseException) -> list[str]:
    """Return the modules of all frames of an error and its causes, for tests of what was cut."""
    return [
        str(frame.f_globals["__name__"])
        for each in chain(error)
        for frame, _ in traceback.walk_tb(each.__traceback__)
    ]


def files_with_key(folder: Path) -> list[str]:
    """Return the files below a folder that hold the key, in their content or name."""
    return [
        str(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and (shows_key(file.read_bytes()) or shows_key(file.name))
    ]


def _printed(error: BaseException) -> Iterator[tuple[str, str]]:
    yield "str", str(error)
    yield "repr", repr(error)
    yield "traceback", "".join(traceback.format_exception(error))
    yield "pickle", _pickled(error)


def _with_variables(error: BaseException) -> Iterator[tuple[str, str]]:
    yield "traceback with locals", _with_locals(error)
    yield "rich", _by_rich(error)


def _pickled(error: BaseException) -> str:
    try:
        return pickle.dumps(error, protocol=0).decode("latin-1")
    except (TypeError, AttributeError, pickle.PicklingError):
        return ""


def _with_locals(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def _by_rich(error: BaseException) -> str:
    out = io.StringIO()
    shown = Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_string=10_000,
        locals_max_length=10_000,
    )
    Console(file=out, width=500).print(shown)
    return out.getvalue()


def _is_a_tests(frame: FrameType) -> bool:
    """Whether a frame belongs to the test, which holds the key itself and what its servers received."""
    return str(frame.f_globals.get("__name__", "")).startswith("tests.")


def _walk(value: object, place: str, depth: int) -> list[str]:
    """Return the places at a value where the key can be read: its repr, attributes, slots, items."""
    if shows_key(_repr(value)):
        return [place]
    if depth == 0 or isinstance(value, (str, bytes, int, float, ModuleType, type)):
        return []
    return [
        deeper
        for name, inner in _parts(value).items()
        for deeper in _walk(inner, f"{place}{name}", depth - 1)
    ]


def _parts(value: object) -> dict[str, object]:
    found = _items(value)
    names: set[str] = set(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots: str | Iterable[str] = kind.__dict__.get("__slots__", ())
        names |= {slots} if isinstance(slots, str) else set(slots)
    for name in names - {"__dict__", "__weakref__"}:
        try:
            found[f".{name}"] = getattr(value, name)
        except Exception:  # noqa: BLE001 — of foreign objects
            continue
    return found


def _items(value: object) -> dict[str, object]:
    if _is_mapping(value):
        return {f"[{_repr(name)}]": inner for name, inner in value.items()}
    if _is_collection(value):
        return {f"[{index}]": inner for index, inner in enumerate(value)}
    return {}


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_collection(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (list, tuple, AbstractSet))


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 — of foreign objects
        return repr(error)
