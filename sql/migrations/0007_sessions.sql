-- One row a session, as it stands at its first event.
create view sessions as
select
    site_id, minute, session_id, substring(node, 3) as visitor_id, person_id, session_start as started_at,
    session_end as ended_at, session_events as events, session_page_views as page_views, session_engaged as engaged,
    channel, media, campaign
from derived final
where session_events > 0
