-- Whole events by their keys, to publish them again with what was derived.
select
    site_id, toUnixTimestamp(minute) as minute_s, event_id, toUnixTimestamp64Milli(occurred_at) as occurred_ms,
    toUnixTimestamp64Milli(sent_at) as sent_ms, toUnixTimestamp64Milli(received_at) as received_ms,
    name, source, visitor_id, user_id, session_id, rules_version, device, clock_corrected, context, properties
from events final
where (site_id, minute, event_id) in (
    select t.1, toDateTime(t.2, 'UTC'), t.3
    from (select arrayJoin(arrayZip({sites:Array(String)}, {minutes:Array(UInt32)}, {ids:Array(UUID)})) as t)
)
