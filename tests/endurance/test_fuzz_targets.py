"""What is fuzzed fails with errors of runql's own alone; `make fuzz` does the same for longer, guided by branches."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.endurance.fuzz_targets import TARGETS, Target
from tests.endurance.fuzzing import NAMES
from tests.profiles import examples

from runql_server.artifacts.contents import manifest_format

PIECES = [
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b"\0",
        b"\n",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"NaN",
        b"-Infinity",
    ),
    *(
        b"null",
        b"1e400",
        b"9" * 400,
        b"9" * 5_000,
        b"-0.0",
        b"[" * 1_200,
        b'{"a":' * 1_200,
        b"\xef\xbb\xbf",
        b"$",
        b"#",
    ),
    *(
        b'"""',
        b"...",
        b"fragment on on on {",
        b"true",
        b"(a+)+$",
        b"(?=",
        b"a.b" * 300,
        b"",
        b"\xf0\x9f\x98\x80",
    ),
]


@st.composite
def changed(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """An honest input, cut and with odd pieces in it."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 20)))
        data = data[:start] + draw(st.sampled_from(PIECES)) + data[stop:]
    return data


@pytest.mark.parametrize("target", TARGETS, ids=[each.name for each in TARGETS])
def test_odd_bytes_are_refused_by_errors_of_our_own(target: Target) -> None:
    @examples(400)
    @given(st.one_of(changed(target.seeds), changed(target.seeds), st.binary(max_size=40)))
    def run(data: bytes) -> None:
        target.run(data)

    run()


@pytest.mark.parametrize("target", [each for each in TARGETS if each.name != "responses"], ids=str)
def test_honest_bytes_are_accepted(target: Target) -> None:
    # A target that refused them would never come to what is behind its reader.
    target.check(target.seeds[0])


def test_a_compressed_post_is_read() -> None:
    (posts,) = (each for each in TARGETS if each.name == "posts")
    posts.check(gzip.compress(posts.seeds[0]))


def test_numbers_of_a_manifest_stay_as_they_were_sent() -> None:
    sent = b'{"version":1,"contents":{"a":{"digest":"2","extra":{"x":Infinity,"y":NaN,"z":-Infinity}}}}'
    assert b'"extra":{"x":Infinity,"y":NaN,"z":-Infinity}' in manifest_format.parse(sent).to_json()


def test_every_target_has_its_name() -> None:
    assert tuple(each.name for each in TARGETS) == NAMES
