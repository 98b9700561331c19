"""Rows of chosen keys: what `sampledHistory` answers, from its text where that is at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from runql.frames.batches import Batch, RowBatch
from runql.frames.row_readers import RowReader
from runql.transport.codec import Cut
from runql.values import as_json, parse_json, rows_of_array

CUT: Final = Cut("sampledHistory", depth=2)
"""The rows of each spec, which need not become Python objects."""


def rows_by_spec(told: Sequence[object], text: bytes | None, specs: int, reader: RowReader) -> list[Batch]:
    """The rows that answer each of ``specs`` specs, in their order; a spec without an answer has none.

    Args:
        told: the field as the model holds it.
        text: the same as JSON, where it was kept out of the model.
        specs: how many were asked.
        reader: reads the text of one answer.
    """
    if text is not None:
        arrays = arrays_of(text)
        if len(arrays) == specs:
            return [reader.read_array(array) for array in arrays]
        whole = parse_json(text)
        told = whole if isinstance(whole, list) else []
    answers = [rows_of_array(as_json(answer)) for answer in told[:specs]]
    return [RowBatch(rows) for rows in (*answers, *[[]] * (specs - len(answers)))]


def text_of_each(texts: Mapping[str, Sequence[bytes]], nodes: int) -> Sequence[bytes | None]:
    """What was cut out of an answer for each of so many runs; None where it cannot be told whose it is."""
    found = texts.get(CUT.field, [])
    return found if len(found) == nodes else [None] * nodes


def arrays_of(text: bytes) -> list[bytes]:
    """The arrays of an array of arrays, where their brackets are the only ones; else none."""
    inner = text[2:-2].split(b"],[")
    if any(b"[" in part or b"]" in part for part in inner):
        return []
    return [b"[%s]" % part for part in inner]
