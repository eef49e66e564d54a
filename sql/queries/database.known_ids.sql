-- Which of these events were stored or refused.
select distinct toString(event_id) from events where event_id in {ids:Array(UUID)}
union distinct
select distinct event_id from dead_letters where event_id in {texts:Array(String)}
