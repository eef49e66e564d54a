-- What a worker would have concluded from each person's history.
insert into derived
    (site_id, minute, event_id, version, is_deleted, node, person_id, stage, customer_state, order_rank, order_value,
     acted_before, first_visit, session_id, session_events, session_page_views, session_engaged, channel)
select
    site_id, minute, event_id, 1, 0, concat('v:', visitor_id), visitor_id,
    if(name = 'purchase' and ordered > 1, 'engage', stage),
    multiIf(ordered > 1, 'repeat_customer', ordered = 1, 'customer', 'anonymous'),
    if(name = 'purchase', ordered, 0), value,
    name = 'purchase' and acted > 0, nth = 1, session_id,
    if(nth_of_session = 1, of_session, 0), if(nth_of_session = 1, views, 0), nth_of_session = 1 and of_session > 1,
    channel
from (
    select
        *,
        countIf(name = 'purchase') over (partition by visitor_id order by occurred_at, event_id) as ordered,
        countIf(stage = 'act') over (partition by visitor_id order by occurred_at, event_id) as acted,
        row_number() over (partition by visitor_id order by occurred_at, event_id) as nth,
        row_number() over (partition by session_id order by occurred_at, event_id) as nth_of_session,
        count() over (partition by session_id) as of_session,
        countIf(name = 'page_view') over (partition by session_id) as views
    from events final
    where site_id = {site:String} and not is_bot
)
