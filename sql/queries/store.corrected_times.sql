select site_id, event_id, toUnixTimestamp64Milli(occurred_at) as occurred_ms
from corrected_times
where site_id in {sites:Array(String)} and event_id in {ids:Array(UUID)}
