-- Recomputes the given buckets from what is stored, in one statement.
-- A group that a bucket `had` and no longer has is written empty.
insert into kpi_1m
with
    parts as (
        select
            e.site_id as site_id, e.minute as minute,
            if(is_derived, d.channel, e.channel) as channel,
            if(is_derived, d.media, e.media) as media,
            if(is_derived, d.campaign, e.campaign) as campaign,
            e.device as device, e.country as country, '' as had,
            d.version > 0 as is_derived,
            sipHash64(e.visitor_id) as visitor,
            sipHash64(multiIf(is_derived, d.person_id, e.user_id != '', concat('u:', e.user_id),
                              concat('v:', e.visitor_id))) as person,
            is_derived or e.user_id != '' or e.visitor_id != '' as has_person,
            if(is_derived, d.stage, e.stage) as stage,
            d.customer_state in ('customer', 'repeat_customer') as is_customer,
            e.is_bot as bot,
            not bot as human,
            human and e.name = 'page_view' as page_view,
            human and e.name = 'view_item' as product_view,
            human and e.name = 'add_to_cart' as add_to_cart,
            human and d.first_visit as new_visitor,
            human and d.session_events > 0 as session,
            session and d.session_engaged as engaged_session,
            human and d.order_rank > 0 as ordered,
            human and d.order_rank = 1 as first_order,
            human and d.order_rank > 1 as repeat_order,
            if(ordered, ifNull(d.order_value, 0), 0)::Decimal(38, 4) as revenue,
            human and stage = 'reach' as reached,
            human and stage = 'act' as acted,
            human and stage = 'convert' as converted,
            human and stage = 'engage' as engaged,
            human and e.visitor_id != '' and e.source in ('website', 'app') as visits,
            acted and has_person as person_acted,
            human and has_person and e.name in {lead_names:Array(String)} as person_led,
            ordered and has_person as person_ordered,
            person_ordered and d.acted_before as person_acted_and_ordered,
            repeat_order and has_person as person_ordered_again,
            engaged and has_person and is_customer as customer_engaged,
            human and has_person and (is_customer or ordered) as customer_active
        from (
            select * from events final
            where (site_id, minute) in (
                select t.1, toDateTime(t.2, 'UTC')
                from (select arrayJoin(arrayZip({sites:Array(String)}, {minutes:Array(UInt32)})) as t))
        ) as e
        left join (
            select * from derived final
            where (site_id, minute) in (
                select t.1, toDateTime(t.2, 'UTC')
                from (select arrayJoin(arrayZip({sites:Array(String)}, {minutes:Array(UInt32)})) as t))
        ) as d on d.site_id = e.site_id and d.minute = e.minute and d.event_id = e.event_id
        union all
        select
            site_id, minute,
            if(dimension = 'channel', value, ''), if(dimension = 'media', value, ''),
            if(dimension = 'campaign', value, ''), if(dimension = 'device', value, ''),
            if(dimension = 'country', value, ''), dimension,
            false, 0, 0, false, '', false,
            false, false, false, false, false, false, false, false, false, false, false, 0,
            false, false, false, false, false, false, false, false, false, false, false, false
        from kpi_1m
        where (site_id, minute) in (
            select t.1, toDateTime(t.2, 'UTC')
            from (select arrayJoin(arrayZip({sites:Array(String)}, {minutes:Array(UInt32)})) as t))
        group by site_id, minute, dimension, value
    )
select
    site_id, minute,
    multiIf(grouping(channel) = 0, 'channel', grouping(media) = 0, 'media', grouping(campaign) = 0, 'campaign',
            grouping(device) = 0, 'device', grouping(country) = 0, 'country', 'all') as dimension,
    concat(channel, media, campaign, device, country) as value,  -- of which all but one are empty
    {versions:Array(UInt64)}[arrayFirstIndex(
        (site, at) -> site = site_id and at = toUnixTimestamp(minute),
        {sites:Array(String)}, {minutes:Array(UInt32)})],
    countIf(human), countIf(bot), countIf(page_view), countIf(product_view), countIf(add_to_cart),
    countIf(new_visitor), countIf(session), countIf(engaged_session), countIf(ordered), countIf(first_order),
    countIf(repeat_order), sum(revenue),
    countIf(reached), countIf(acted), countIf(converted), countIf(engaged),
    uniqExactStateIf(visitor, visits),
    uniqExactStateIf(person, visits),
    uniqExactStateIf(person, person_acted),
    uniqExactStateIf(person, person_led),
    uniqExactStateIf(person, person_ordered),
    uniqExactStateIf(person, person_acted_and_ordered),
    uniqExactStateIf(person, person_ordered_again),
    uniqExactStateIf(person, customer_engaged),
    uniqExactStateIf(person, customer_active)
from parts
group by grouping sets (
    (site_id, minute), (site_id, minute, channel), (site_id, minute, media), (site_id, minute, campaign),
    (site_id, minute, device), (site_id, minute, country))
having hasAny(groupUniqArray(had), ['', dimension])
