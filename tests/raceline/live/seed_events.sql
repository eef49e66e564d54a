-- A shop's day: visitors come in waves, some act, few buy, some customers come back. Deterministic.
-- Each row of `numbers` is a visit; its events follow within minutes.
insert into events
    (site_id, minute, event_id, version, is_deleted, occurred_at, received_at, name, source, visitor_id, session_id,
     stage, channel, device, is_bot, order_id, value, stored_at)
with
    visits as (
        select
            number,
            cityHash64(number, 'who') % {visitors:UInt32} as visitor,
            cityHash64(number, 'when') % 1000000 / 1000000 as u,
            cityHash64(number, 'path') % 1000 as luck,
            -- more visits towards now, with waves
            {until:DateTime64(3, 'UTC')} - toIntervalMillisecond(toUInt64({minutes:UInt32} * 60000
                * (u + 0.06 * sin(u * 40) * u * (1 - u)))) as started,
            arrayElement(['organic_search', 'organic_search', 'paid_search', 'direct', 'direct', 'email',
                          'organic_social', 'paid_social', 'referral'],
                         1 + cityHash64(visitor, 'channel') % 9) as channel,
            arrayElement(['mobile', 'mobile', 'desktop', 'tablet'], 1 + cityHash64(visitor, 'device') % 4) as device,
            arrayConcat(
                [('page_view', 'reach', 0)],
                if(luck % 10 < 6, [('page_view', 'reach', 9)], []),
                if(luck < 420, [('view_item', 'act', 21)], []),
                if(luck < 180, [('add_to_cart', 'act', 47)], []),
                if(luck between 420 and 470, [('generate_lead', 'act', 30)], []),
                if(luck < 62, [('purchase', 'convert', 95)], []),
                if(luck between 900 and 930 and visitor % 3 = 0, [('review', 'engage', 40)], [])) as path
        from numbers({visits:UInt64})
    )
select
    {site:String}, toStartOfMinute(occurred), reinterpretAsUUID(sipHash128({site:String}, number, step.1, step.3)), 1, 0,
    started + toIntervalSecond(step.3) as occurred, occurred + toIntervalMillisecond(180), step.1,
    'website', concat('v', toString(visitor)), concat('s', toString(number)),
    step.2, channel, device, number % 97 = 0,
    if(step.1 = 'purchase', concat('o', toString(number)), ''),
    if(step.1 = 'purchase', toDecimal64(19 + cityHash64(number, 'value') % 18000 / 100, 4), null),
    occurred + toIntervalSecond(1 + number % 2)
from visits
array join path as step
where occurred <= {until:DateTime64(3, 'UTC')}
