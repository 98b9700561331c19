"""Times of the server as aware datetimes: UTC where no zone is given, and a clear error for what is no time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql.errors import UnreadableValueError
from runql.times import as_time

OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - naive, as the server writes them


@examples(200)
@given(time=TIMES)
def test_a_time_without_a_zone_is_utc(time: datetime) -> None:
    found = as_time(time.isoformat(), "created_at")
    assert found == time.replace(tzinfo=UTC)
    assert found.tzinfo is UTC


@examples(200)
@given(time=TIMES, zone=OFFSETS)
def test_a_time_with_an_offset_is_the_same_moment_in_utc(time: datetime, zone: timezone) -> None:
    aware = time.replace(tzinfo=zone)
    found = as_time(aware.isoformat(), "created_at")
    assert found == aware
    assert found.tzinfo is UTC


@examples(300)
@given(value=st.text())
def test_any_str_is_a_time_in_utc_or_an_error_of_ours(value: str) -> None:
    with suppress(UnreadableValueError):
        assert as_time(value, "created_at of run e/p/r").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_what_servers_write_is_read(value: str, wanted: datetime) -> None:
    found = as_time(value, "created_at")
    assert found == wanted
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value", ["", "now", "2026-01-31", "20260131", "31.01.2026 12:00", "2026-13-01T00:00:00", "1769860800"]
)
def test_what_is_no_time_is_an_error_that_names_the_attribute(value: str) -> None:
    with pytest.raises(
        UnreadableValueError, match="as created_at of run e/p/r: this is no ISO 8601 time"
    ) as info:
        as_time(value, "created_at of run e/p/r")
    assert repr(value) in str(info.value)


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        ("2026-01-31T12:00:00 Mars/Base", "Mars/Base"),
        ("2026-01-31T12:00:00 CET", "CET"),
        ("2026-01-31T12:00:00+01:00[Europe/Berlin]", "Europe/Berlin"),
    ],
)
def test_a_zone_by_name_is_an_error_that_names_it(value: str, zone: str) -> None:
    with pytest.raises(UnreadableValueError, match=f"the time zone '{zone}' is unknown"):
        as_time(value, "created_at")


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_utc_has_no_year_for_is_an_error(value: str) -> None:
    with pytest.raises(UnreadableValueError, match="no ISO 8601 time"):
        as_time(value, "created_at")


def test_where_the_server_sent_none_there_is_none() -> None:
    assert as_time(None, "heartbeat_at") is None
