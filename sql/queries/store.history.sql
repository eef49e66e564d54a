select
    site_id, node, version, event_id, toUnixTimestamp64Milli(occurred_at) as occurred_ms, name, source, visitor_id, user_id,
    session_id, candidates, order_id, value, channel, media, campaign, has_signal, device, country
from history final
where (site_id, node) in (select t.1, t.2 from (select arrayJoin(arrayZip({sites:Array(String)}, {nodes:Array(String)})) as t))
