-- Refused events, newest first, without those of which a copy was accepted: one that came after the refusal,
-- or the refused one itself (known by when it was received), sent again.
with letters as (
    select
        dead_letter_id, reason, detail, refused_by, refused_at, site_id, event_id, payload,
        toUUIDOrNull(event_id) as id,
        parseDateTime64BestEffortOrNull(JSONExtractString(payload, 'received_at'), 3, 'UTC') as came_at
    from dead_letters final
    where ({reason:String} = '' or reason = {reason:String})
      and ({id:String} = '' or startsWith(toString(dead_letter_id), {id:String}))
)
select dead_letter_id, reason, detail, refused_by, refused_at, site_id, event_id, payload
from letters
where dead_letter_id not in (
    select refused.dead_letter_id
    from (
        select site_id, event_id, received_at
        from events
        where event_id in (select assumeNotNull(id) from letters where id is not null) and is_deleted = 0
    ) as stored
    inner join (select dead_letter_id, site_id, id, refused_at, came_at from letters where id is not null) as refused
        on stored.event_id = refused.id
    where refused.site_id in ('', stored.site_id)
      and (stored.received_at > refused.refused_at or stored.received_at = refused.came_at)
)
order by refused_at desc
limit {limit:UInt32}
