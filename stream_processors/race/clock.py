"""An event's time: corrected where the client's clock is off, refused where it cannot be true."""

from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.rejection import Rejection, RejectReason

TOLERATED_SKEW: Final = timedelta(minutes=5)
OLDEST_LIVE: Final = timedelta(days=7)
FURTHEST_AHEAD: Final = timedelta(hours=1)
OLDEST_IMPORTED: Final = datetime(1990, 1, 1, tzinfo=UTC)
NEVER_YET: Final = datetime(2100, 1, 1, tzinfo=UTC)


def corrected_time(occurred_at: datetime, sent_at: datetime | None, received_at: datetime) -> tuple[datetime, bool]:
    """When it really happened, and whether that differs from what the client's clock said.

    `received_at - sent_at` is how far the client's clock is off (plus the time on the wire, which is far smaller
    than the tolerance). Without `sent_at` nothing is known about the clock, so nothing is corrected.
    """
    if sent_at is None or abs(received_at - sent_at) <= TOLERATED_SKEW:
        return occurred_at, False
    try:
        return occurred_at + (received_at - sent_at), True
    except OverflowError:  # beyond the calendar: left as it is, to be refused
        return occurred_at, False


def refuse_time(occurred_at: datetime, received_at: datetime, imported: bool) -> Rejection | None:
    """`occurred_at` is the corrected one. Both limits themselves are accepted."""
    if not OLDEST_IMPORTED <= received_at < NEVER_YET:  # nobody's clock is that wrong, and the tables end in 2106
        detail = f"received_at {received_at.isoformat()} is not between 1990 and 2100"
        return Rejection(reason=RejectReason.INVALID_EVENT, detail=detail)
    if occurred_at - received_at > FURTHEST_AHEAD:
        detail = f"occurred_at {occurred_at.isoformat()} is more than 1 hour after {received_at.isoformat()}"
        return Rejection(reason=RejectReason.IN_THE_FUTURE, detail=detail)
    if imported and occurred_at < OLDEST_IMPORTED:
        return Rejection(reason=RejectReason.TOO_OLD, detail=f"occurred_at {occurred_at.isoformat()} is before 1990")
    if not imported and received_at - occurred_at > OLDEST_LIVE:
        detail = f"occurred_at {occurred_at.isoformat()} is more than 7 days before {received_at.isoformat()}"
        return Rejection(reason=RejectReason.TOO_OLD, detail=detail)
    return None
