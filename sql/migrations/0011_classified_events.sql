-- Events as they are to be read: derived where history has spoken, provisional where it has not yet.
create view classified_events as
select
    e.site_id as site_id, e.minute as minute, e.event_id as event_id, e.occurred_at as occurred_at,
    e.received_at as received_at, e.stored_at as stored_at, e.name as name, e.source as source,
    e.visitor_id as visitor_id, e.user_id as user_id, e.is_bot as is_bot, e.bot_reasons as bot_reasons,
    e.device as device, e.country as country, e.order_id as order_id, e.value as value, e.currency as currency,
    e.clock_corrected as clock_corrected, e.rules_version as rules_version,
    e.context as context, e.properties as properties,
    d.version > 0 as is_derived,
    if(is_derived, d.stage, e.stage) as stage,
    if(is_derived, d.rule_id, e.rule_id) as rule_id,
    multiIf(is_derived, d.person_id, e.user_id != '', concat('u:', e.user_id),
            e.visitor_id != '', concat('v:', e.visitor_id), '') as person_id,
    if(is_derived, d.customer_state, 'anonymous') as customer_state,
    d.order_rank as order_rank, d.order_value as order_value, d.acted_before as acted_before,
    d.first_visit as first_visit,
    if(is_derived, d.session_id, e.session_id) as session_id,
    if(is_derived, d.channel, e.channel) as channel,
    if(is_derived, d.media, e.media) as media,
    if(is_derived, d.campaign, e.campaign) as campaign
from (select * from events final) as e
left join (select * from derived final) as d
    on d.site_id = e.site_id and d.minute = e.minute and d.event_id = e.event_id
