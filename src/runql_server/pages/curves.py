"""Curves as JSON: the points that a chart draws, and whether there is more to come."""

from __future__ import annotations

import math

from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

from runql_server.curves import reading
from runql_server.curves.reading import ChunkMaker, Curve, Window
from runql_server.errors import RequestError
from runql_server.pages import axes
from runql_server.pages.axes import AXES, AxisFacts
from runql_server.pages.handlers import Visit
from runql_server.pages.rendering import HEADERS
from runql_server.pages.run import run_of
from runql_server.runs import lines
from runql_server.runs.curve_chunks import LINES, Axis, Stream

_MOST_KEYS = 200
_MOST_PIXELS = 8192


class Curves:
    """The maker of responses with curves; one for a server."""

    def __init__(self, maker: ChunkMaker) -> None:
        self._maker = maker

    def __call__(self, visit: Visit) -> Response:
        """Respond with the curves of some keys; 204 when nothing changed since ``version``.

        One request makes a few chunks of a long history. ``complete`` is false until all are made: the page asks again.
        """
        query, run = visit.query, run_of(visit)
        stream = _stream(query)
        x = _x(query, stream)
        axis, about = Axis(run.number, stream, x), _facts(visit, run.number, stream, x)
        window = _window(query)
        if about is None:
            # Of several runs in one chart, some may not have the key yet.
            rows = lines.line_count(visit.connection, stream, run.number)
            return JSONResponse(_empty(run.running, rows), headers=HEADERS)
        keys = list(dict.fromkeys(query.getlist("key")))
        if len(keys) > _MOST_KEYS:
            raise RequestError(f"key: at most {_MOST_KEYS} in one request")
        made = self._maker.advance(axis)
        # Its own snapshot: that of the visit is older than the chunks.
        with visit.store.reading() as connection:
            count = lines.line_count(connection, axis.stream, axis.run)
            version = f"{made.revision}.{made.chunks}.{count}"
            complete = count - made.lines < LINES
            if complete and query.get("version") == version:
                return Response(status_code=204, headers=HEADERS)
            found = reading.read(connection, axis, keys, window)
        return JSONResponse(
            {
                "version": version,
                "rows": count,
                "kept": made.lines,
                "complete": complete,
                "running": run.running,
                "rising": about.rising,
                "rowsWithoutX": about.rows_without,
                "curves": [_to_json(curve) for curve in found],
            },
            headers=HEADERS,
        )


def _to_json(curve: Curve) -> dict[str, object]:
    return {
        "key": curve.key,
        "x": [x for x, _ in curve.points],
        "y": [None if math.isnan(y) else y for _, y in curve.points],
        "notFinite": curve.not_finite,
        "overlaps": curve.overlaps,
    }


def _stream(query: QueryParams) -> Stream:
    match query.get("stream", "history"):
        case "history":
            return "history"
        case "events":
            return "events"
        case other:
            raise RequestError(f"stream: history or events, not {other[:80]!r}")


def _empty(is_running: bool, rows_without: int) -> dict[str, object]:
    return {
        "version": "",
        "rows": 0,
        "kept": 0,
        "complete": True,
        "running": is_running,
        "rising": True,
        "rowsWithoutX": rows_without,
        "curves": [],
    }


def _x(query: QueryParams, stream: Stream) -> str:
    given = query.get("x", AXES[0])
    if given not in AXES and (stream == "events" or not 0 < len(given) <= axes.LONGEST):
        keys = (
            "" if stream == "events" else f" or a key of the history with at most {axes.LONGEST} characters"
        )
        raise RequestError(f"x: {', '.join(AXES)}{keys}, not {given[:80]!r}")
    return given


def _facts(visit: Visit, run: int, stream: Stream, x: str) -> AxisFacts | None:
    # The server keeps what it has read once for each axis: only keys with numbers are one.
    return axes.facts(lines.load_history_keys(visit.connection, run) if stream == "history" else None, x)


def _window(query: QueryParams) -> Window:
    start, stop = _number(query, "from"), _number(query, "to")
    if start is not None and stop is not None and start > stop:
        raise RequestError(f"from: {start} is above to, which is {stop}")
    return Window(start, stop, _pixels(query))


def _number(query: QueryParams, name: str) -> float | None:
    given = query.get(name)
    if given is None:
        return None
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RequestError(f"{name}: a finite number, not {given[:80]!r}")
    return number


def _pixels(query: QueryParams) -> int:
    given = query.get("pixels", "800")
    if not given.isdecimal() or len(given) > 9 or not 1 <= int(given) <= _MOST_PIXELS:
        raise RequestError(f"pixels: from 1 to {_MOST_PIXELS}, not {given[:80]!r}")
    return int(given)
