select
    site_id, event_id, version, person_id, stage, rule_id, customer_state, order_rank, order_value, acted_before,
    first_visit, session_id, toUnixTimestamp64Milli(session_start) as session_start_ms,
    toUnixTimestamp64Milli(session_end) as session_end_ms, session_events, session_page_views, session_engaged,
    channel, media, campaign
from derived_by_node final
where (site_id, node) in (select t.1, t.2 from (select arrayJoin(arrayZip({sites:Array(String)}, {nodes:Array(String)})) as t))
