"""Everything that the KPIs of sites say, compared with what other sites say about the same events.

The other site of `x` is `x` + REFERENCE. Groups without anything in them do not count: a bucket keeps an empty row for
a group that it once had.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

REFERENCE: Final = "_reference"
DIMENSIONS: Final = ("all", "channel", "media", "campaign", "device", "country")
_RANGE: Final = {"since": datetime(2024, 1, 1, tzinfo=UTC), "until": datetime(2025, 1, 1, tzinfo=UTC)}

_KPIS: Final = """
select {dimension:String} as dimension, *
from kpis(site = {site:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')},
          dimension = {dimension:String})
"""
_COLUMNS: Final = "select name, startsWith(type, 'Agg') as is_set from system.columns where table = 'kpi_1m' \
and database = currentDatabase() and name not in ('site_id', 'minute', 'dimension', 'value', 'version')"
_DERIVED: Final = """
select replaceOne(site_id, {reference:String}, '') as site, minute, event_id,
    columns('.*') except (site_id, minute, event_id, version, is_deleted), groupUniqArray(site_id) as sites
from derived final
where startsWith(site_id, {sites:String})
group by all
having length(sites) = 1
"""

Rows = set[tuple[Any, ...]]


def differences(client: Client, sites: str) -> list[str]:
    """How the sites whose names begin so differ from their references: derived rows, then groups of minutes."""
    parameters = {"sites": sites, "reference": REFERENCE}
    found = client.query(_DERIVED, parameters=parameters).result_rows
    found = [*found, *client.query(_minutes(client), parameters=parameters).result_rows]
    return sorted(map(str, found))


def _minutes(client: Client) -> str:
    """Sums that differ, and sets: two are the same if each and both together have as many members."""
    checks = []
    for name, is_set in client.query(_COLUMNS).result_rows:
        of = f"uniqExactMergeIf({name}," if is_set else f"sumIf({name},"
        checks += [f"{of} is_reference) != {of} not is_reference)"]
        checks += [f"{of} is_reference) != uniqExactMerge({name})"] if is_set else []
    names = ", ".join(f"if({check}, '{check}', '')" for check in checks)
    return f"""
        select replaceOne(site_id, {{reference:String}}, '') as site, minute, dimension, value,
            arrayFilter(check -> check != '', [{names}]) as failed
        from (select *, endsWith(site_id, {{reference:String}}) as is_reference from kpi_1m final
              where startsWith(site_id, {{sites:String}}))
        group by site, minute, dimension, value
        having notEmpty(failed)
    """


def kpi_rows(client: Client, site: str) -> Rows:
    """The view `kpis` over everything, by every dimension."""
    found: Rows = set()
    for dimension in DIMENSIONS:
        rows = client.query(_KPIS, parameters={"site": site, "dimension": dimension, **_RANGE}).result_rows
        found |= _not_empty(rows)
    return found


def _not_empty(rows: Iterable[Sequence[Any]]) -> Rows:
    return {tuple(row) for row in rows if any(row[2:])}
