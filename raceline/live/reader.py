"""The live page's questions to ClickHouse, one method each; the SQL is in `sql/queries/live.*.sql`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from raceline.database import Database
from raceline.kpis import EARLIEST, LATEST
from raceline.live.period import Minutes, Period, everything, last_minutes

Row = Mapping[str, Any]

DEFAULT_SITE: Final = "demo"
# Finding the sites reads every bucket there is: not again for each snapshot.
_SITES_FOR: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class View:
    """A site and a period at one moment. `newest` is the site's newest bucket, None when it has none."""

    site: str
    now: datetime
    minutes: Minutes
    period: Period
    sites: Sequence[Row]
    newest: datetime | None


@dataclass
class Reader:
    """Blocking, usable from several threads. Raises `DatabaseError` when ClickHouse does not answer.

    `database` is called before each question and must give the same connection again, not a new one.
    """

    database: Callable[[], Database]
    clock: Callable[[], datetime]
    _sites: tuple[datetime, Sequence[Row]] | None = field(default=None, init=False, repr=False)

    def view(self, site: str | None, minutes: Minutes) -> View:
        """Without a site: of the one that has the newest events."""
        now, sites = self.clock(), self._known_sites()
        if site is None:
            site = max(sites, key=lambda row: row["last"])["site_id"] if sites else DEFAULT_SITE
        known = next((row for row in sites if row["site_id"] == site), None)
        if minutes is None and known:
            period = everything(known["first"], known["last"])
        else:
            period = last_minutes(now, minutes or 60)
        return View(site, now, minutes, period, sites, known["last"] if known else None)

    def fingerprint(self, view: View) -> tuple[object, ...]:
        """Equal as long as the view's numbers are."""
        [row] = self._rows("live.fingerprint", view.site, view.period)
        return view.site, view.period, row["buckets"], row["refused"]

    def kpis(self, site: str, period: Period) -> Row:
        """One row of the view `kpis`; empty when nothing happened."""
        rows = self._rows("database.kpis", site, period, dimension="all", value="")
        return rows[0] if rows else {}

    def series(self, view: View) -> Sequence[Row]:
        return self._rows("live.series", view.site, view.period, step=view.period.step)

    def channels(self, view: View) -> Sequence[Row]:
        return self._rows("live.channels", view.site, view.period)

    def refusals(self, view: View) -> Sequence[Row]:
        period = Period(EARLIEST, LATEST, 60) if view.minutes is None else view.period
        return self._rows("live.refusals", view.site, period)

    def freshness(self, view: View) -> Row:
        """Events may be ahead of now, by clocks that are off; they do not make a site fresh."""
        if view.newest is None:
            return {"newest_at": None, "events_last_minute": 0, "delay_p95_seconds": None}
        newest = min(view.newest, view.now)
        [row] = self.database().rows("live.freshness", {"site": view.site, "now": view.now, "newest": newest})
        return {**row, "newest_at": _aware(row["newest_at"]) if row["newest_at"] else newest}

    def _known_sites(self) -> Sequence[Row]:
        now = self.clock()
        if self._sites is None or not self._sites[1] or not timedelta() <= now - self._sites[0] < _SITES_FOR:
            rows = self.database().rows("database.sites")
            self._sites = (now, [{**row, "first": _aware(row["first"]), "last": _aware(row["last"])} for row in rows])
        return self._sites[1]

    def _rows(self, name: str, site: str, period: Period, **more: object) -> Sequence[Row]:
        return self.database().rows(name, {"site": site, "since": period.since, "until": period.until, **more})


def _aware(moment: datetime) -> datetime:
    """ClickHouse's UTC times arrive without a zone."""
    return moment.replace(tzinfo=UTC)
