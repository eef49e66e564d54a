from datetime import UTC, datetime, timedelta

import pytest

from raceline.kpis import EARLIEST
from raceline.live.period import Period, everything, last_minutes, read_minutes

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "minutes"), [(None, 60), ("15", 15), ("60", 60), ("360", 360), ("1440", 1440), ("all", None)]
)
def test_the_choices_of_the_page_are_read(text: str | None, minutes: int | None) -> None:
    assert read_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "0", "-60", "61", "60.0", "６０", "60; drop table events", "99999999999"])
def test_any_other_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="minutes must be one of"):
        read_minutes(text)


def test_the_last_minutes_include_the_one_that_runs() -> None:
    period = last_minutes(NOW, 60)
    assert period.until == datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
    assert period.until - period.since == timedelta(hours=1)
    assert (period.step, period.steps) == (60, 60)


def test_the_period_before_ends_where_this_one_begins() -> None:
    period = last_minutes(NOW, 360)
    before = period.before()
    assert before is not None
    assert before.until == period.since
    assert before.until - before.since == timedelta(hours=6)


def test_there_is_no_period_before_the_first_day() -> None:
    assert Period(EARLIEST + MINUTE, NOW, 60).before() is None


@pytest.mark.parametrize("days", [0, 0.5, 3, 30, 800, 10000])
def test_everything_holds_the_first_and_the_last_minute_in_few_steps(days: float) -> None:
    first, last = NOW - timedelta(days=days), NOW
    period = everything(first.replace(second=0), last.replace(second=0))
    assert period.since <= first.replace(second=0)
    assert period.until == last.replace(second=0) + MINUTE
    assert 1 <= period.steps <= 340
