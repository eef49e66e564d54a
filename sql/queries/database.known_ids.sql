-- How many of these events were stored or refused.
select count() as known
from
(
    select toString(event_id) as id from events where event_id in {ids:Array(UUID)}
    union distinct
    select event_id as id from dead_letters where event_id in {texts:Array(String)}
)
