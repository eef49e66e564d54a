-- When the newest event happened, how many happened within a minute of now, and how long the newest events took from
-- being received to being stored (stored_at has whole seconds). `newest` is the site's newest bucket.
select
    if(count() > 0, max(occurred_at), null) as newest_at,
    countIf(occurred_at > {now:DateTime64(3, 'UTC')} - interval 1 minute) as events_last_minute,
    if(count() > 0, quantile(0.95)(greatest(0, dateDiff('millisecond', received_at, stored_at) / 1000)), null)
        as delay_p95_seconds
from (
    select occurred_at, received_at, stored_at
    from events final
    where site_id = {site:String}
      and minute >= {newest:DateTime('UTC')} - interval 1 minute and minute <= {now:DateTime64(3, 'UTC')}
)
where occurred_at <= {now:DateTime64(3, 'UTC')}
