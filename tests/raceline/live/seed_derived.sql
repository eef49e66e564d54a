-- What a worker would have concluded from each person's history.
insert into derived
    (site_id, minute, event_id, version, is_deleted, node, person_id, stage, customer_state, order_rank, order_value,
     acted_before, first_visit, session_id, channel)
select
    site_id, minute, event_id, 1, 0, visitor_id, visitor_id,
    if(name = 'purchase' and ordered > 1, 'engage', stage),
    multiIf(ordered > 1, 'repeat_customer', ordered = 1, 'customer', 'anonymous'),
    if(name = 'purchase', ordered, 0), value,
    name = 'purchase' and acted > 0, nth = 1, session_id, channel
from (
    select
        *,
        countIf(name = 'purchase') over (partition by visitor_id order by occurred_at, event_id) as ordered,
        countIf(stage = 'act') over (partition by visitor_id order by occurred_at, event_id) as acted,
        row_number() over (partition by visitor_id order by occurred_at, event_id) as nth
    from events final
    where site_id = {site:String} and not is_bot
)
