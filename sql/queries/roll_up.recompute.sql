-- Recomputes the given buckets from what is stored, in one statement.
-- A group that a bucket had and no longer has is written empty, by the second part.
insert into kpi_1m
with
    touched as (
        select t.1 as site_id, toDateTime(t.2, 'UTC') as minute, t.3 as version
        from (select arrayJoin(arrayZip({sites:Array(String)}, {minutes:Array(UInt32)}, {versions:Array(UInt64)})) as t)
    ),
    happened as (
        select
            e.site_id as site_id, e.minute as minute, e.name as name, e.source as source, e.is_bot as is_bot,
            sipHash64(e.visitor_id) as visitor, e.visitor_id != '' and e.source in ('website', 'app') as visits,
            d.version > 0 as is_derived,
            sipHash64(multiIf(is_derived, d.person_id, e.user_id != '', concat('u:', e.user_id),
                              concat('v:', e.visitor_id))) as person,
            is_derived or e.user_id != '' or e.visitor_id != '' as has_person,
            if(is_derived, d.stage, e.stage) as stage,
            d.customer_state in ('customer', 'repeat_customer') as is_customer,
            d.order_rank as order_rank, d.order_value as order_value, d.acted_before as acted_before,
            d.first_visit as first_visit, d.session_events > 0 as starts_session, d.session_engaged as session_engaged,
            [('all', ''),
             ('channel', toString(if(is_derived, d.channel, e.channel))),
             ('media', toString(if(is_derived, d.media, e.media))),
             ('campaign', toString(if(is_derived, d.campaign, e.campaign))),
             ('device', toString(e.device)),
             ('country', toString(e.country))] as groups
        from (select * from events final where (site_id, minute) in (select site_id, minute from touched)) as e
        left join (select * from derived final where (site_id, minute) in (select site_id, minute from touched)) as d
            on d.site_id = e.site_id and d.minute = e.minute and d.event_id = e.event_id
    ),
    parts as (
        select
            site_id, minute, grouping.1 as dimension, grouping.2 as value,
            toUInt64(not is_bot) as events,
            toUInt64(is_bot) as bot_events,
            toUInt64(not is_bot and name = 'page_view') as page_views,
            toUInt64(not is_bot and name = 'view_item') as product_views,
            toUInt64(not is_bot and name = 'add_to_cart') as add_to_carts,
            toUInt64(not is_bot and first_visit) as new_visitors,
            toUInt64(not is_bot and starts_session) as sessions,
            toUInt64(not is_bot and starts_session and session_engaged) as engaged_sessions,
            toUInt64(not is_bot and order_rank > 0) as orders,
            toUInt64(not is_bot and order_rank = 1) as first_orders,
            toUInt64(not is_bot and order_rank > 1) as repeat_orders,
            if(orders = 1, ifNull(order_value, 0), 0)::Decimal(38, 4) as revenue,
            toUInt64(not is_bot and stage = 'reach') as reach_events,
            toUInt64(not is_bot and stage = 'act') as act_events,
            toUInt64(not is_bot and stage = 'convert') as convert_events,
            toUInt64(not is_bot and stage = 'engage') as engage_events,
            visitor, person,
            not is_bot and visits as in_visitors,
            in_visitors as in_visits,
            not is_bot and has_person and stage = 'act' as in_acts,
            not is_bot and has_person and name in {lead_names:Array(String)} as in_leads,
            has_person and orders = 1 as in_orders,
            has_person and orders = 1 and acted_before as in_acted_orders,
            has_person and repeat_orders = 1 as in_repeats,
            not is_bot and has_person and stage = 'engage' and is_customer as in_engaged,
            not is_bot and has_person and (is_customer or orders = 1) as in_active
        from happened
        array join groups as grouping
        union all
        select
            site_id, minute, dimension, value, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, false, false, false, false, false, false, false, false, false
        from kpi_1m
        where (site_id, minute) in (select site_id, minute from touched)
        group by site_id, minute, dimension, value
    )
select
    p.site_id, p.minute, p.dimension, p.value, any(t.version),
    sum(p.events), sum(p.bot_events), sum(p.page_views), sum(p.product_views), sum(p.add_to_carts),
    sum(p.new_visitors), sum(p.sessions), sum(p.engaged_sessions), sum(p.orders), sum(p.first_orders),
    sum(p.repeat_orders), sum(p.revenue),
    sum(p.reach_events), sum(p.act_events), sum(p.convert_events), sum(p.engage_events),
    uniqExactStateIf(p.visitor, p.in_visitors),
    uniqExactStateIf(p.person, p.in_visits),
    uniqExactStateIf(p.person, p.in_acts),
    uniqExactStateIf(p.person, p.in_leads),
    uniqExactStateIf(p.person, p.in_orders),
    uniqExactStateIf(p.person, p.in_acted_orders),
    uniqExactStateIf(p.person, p.in_repeats),
    uniqExactStateIf(p.person, p.in_engaged),
    uniqExactStateIf(p.person, p.in_active)
from parts as p
inner join touched as t on t.site_id = p.site_id and t.minute = p.minute
group by p.site_id, p.minute, p.dimension, p.value
