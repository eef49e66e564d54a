from datetime import UTC, datetime, timedelta

import pytest

from schemas.rejection import RejectReason
from stream_processors.race.clock import corrected_time, refuse_time

NOW = datetime(2025, 5, 1, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
FIVE_MINUTES, HOUR, WEEK = timedelta(minutes=5), timedelta(hours=1), timedelta(days=7)


@pytest.mark.parametrize("skew", [FIVE_MINUTES, -FIVE_MINUTES, timedelta()])
def test_clock_off_by_up_to_five_minutes_is_believed(skew: timedelta) -> None:
    assert corrected_time(NOW, NOW - skew, NOW) == (NOW, False)


@pytest.mark.parametrize("skew", [FIVE_MINUTES + TICK, -FIVE_MINUTES - TICK, timedelta(days=400), -timedelta(days=400)])
def test_clock_further_off_is_corrected_by_what_it_is_off(skew: timedelta) -> None:
    sent_at = NOW - skew
    assert corrected_time(sent_at - HOUR, sent_at, NOW) == (NOW - HOUR, True)


def test_without_the_time_of_sending_nothing_is_corrected() -> None:
    assert corrected_time(NOW - WEEK, None, NOW) == (NOW - WEEK, False)


def test_correction_beyond_the_calendar_leaves_the_time_to_be_refused() -> None:
    latest = datetime.max.replace(tzinfo=UTC)
    assert corrected_time(latest, NOW - WEEK, NOW) == (latest, False)
    assert refuse_time(latest, NOW, imported=False) is not None


@pytest.mark.parametrize(
    ("occurred_at", "imported", "reason"),
    [
        (NOW - WEEK, False, None),
        (NOW - WEEK - TICK, False, RejectReason.TOO_OLD),
        (NOW + HOUR, False, None),
        (NOW + HOUR + TICK, False, RejectReason.IN_THE_FUTURE),
        (NOW - WEEK - TICK, True, None),
        (datetime(1990, 1, 1, tzinfo=UTC), True, None),
        (datetime(1990, 1, 1, tzinfo=UTC) - TICK, True, RejectReason.TOO_OLD),
        (NOW + HOUR, True, None),
        (NOW + HOUR + TICK, True, RejectReason.IN_THE_FUTURE),
        (datetime.min.replace(tzinfo=UTC), False, RejectReason.TOO_OLD),
    ],
)
def test_time_limits_are_inclusive(occurred_at: datetime, imported: bool, reason: RejectReason | None) -> None:
    refused = refuse_time(occurred_at, NOW, imported)
    assert (refused.reason if refused else None) == reason
