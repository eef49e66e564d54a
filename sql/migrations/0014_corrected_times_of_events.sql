-- Copies rows, keeps no state.
create materialized view corrected_times_of_events to corrected_times as
select site_id, event_id, occurred_at
from events
where clock_corrected
