-- Copies rows, keeps no state.
create materialized view derived_to_node to derived_by_node as
select
    site_id, node, minute, event_id, version, is_deleted, person_id, stage, rule_id, customer_state, order_rank,
    order_value, acted_before, first_visit, session_id, session_start, session_end,
    session_events, session_page_views, session_engaged, channel, media, campaign
from derived
