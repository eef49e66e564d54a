-- Refused events that no later copy has replaced.
select dead_letter_id, reason, detail, refused_by, refused_at, site_id, event_id, payload
from dead_letters final
where ({reason:String} = '' or reason = {reason:String})
  and ({id:String} = '' or startsWith(toString(dead_letter_id), {id:String}))
  and event_id not in (select toString(event_id) from events where site_id in (select site_id from dead_letters))
order by refused_at desc
limit {limit:UInt32}
