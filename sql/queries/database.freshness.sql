-- How old the newest event is, and how long the newest events took from the collector to the store.
select
    max(occurred_at) as newest,
    dateDiff('millisecond', newest, now64(3)) / 1000 as age_seconds,
    count() as events_last_minute
from events
where site_id = {site:String} and minute >= toStartOfMinute(now() - interval 1 minute)
