insert into sessions
    (site_id, minute, session_id, visitor_id, version, is_deleted, person_id, started_at, ended_at, events, page_views,
     engaged, channel, device)
select
    site_id, toStartOfMinute(min(occurred_at)), session_id, visitor_id, 1, 0, visitor_id, min(occurred_at),
    max(occurred_at), count(), countIf(name = 'page_view') as views,
    views > 1 or max(occurred_at) - min(occurred_at) >= 10, any(channel), any(device)
from events final
where site_id = {site:String} and not is_bot
group by site_id, session_id, visitor_id
