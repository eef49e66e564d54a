-- Copies rows, keeps no state: a redelivered event replaces its copies as it replaces itself.
create materialized view history_of_events to history as
select
    site_id, node, occurred_at, event_id, version, is_deleted, name, source, visitor_id, user_id, session_id,
    candidates, order_id, value, channel, media, campaign, has_signal, device, country
from events
array join arrayFilter(n -> length(n) > 2, [
    concat('v:', visitor_id),
    concat('u:', user_id),
    if(name in ('purchase', 'close_convert_lead'), concat('o:', order_id), '')
]) as node
where not is_bot
