-- KPIs straight from the facts, each the plainest way.
with
    facts as (
        select
            e.*, if(d.version > 0, d.person_id, e.visitor_id) as person,
            if(d.version > 0, d.stage, e.stage) as true_stage, d.order_rank as order_rank,
            d.customer_state in ('customer', 'repeat_customer') as is_customer
        from (select * from events final) as e
        left join (select * from derived final) as d using (site_id, minute, event_id)
        where site_id = {site:String} and not is_bot
          and e.minute >= {since:DateTime('UTC')} and e.minute < {until:DateTime('UTC')}
    )
select
    uniqExact(visitor_id) as unique_visitors,
    countIf(name = 'page_view') as page_views,
    countIf(name = 'view_item') as product_views,
    countIf(name = 'add_to_cart') as add_to_carts,
    uniqExactIf(person, name = 'generate_lead') as leads,
    uniqExactIf(order_id, order_id != '') as orders,
    uniqExactIf(person, order_id != '') as customers,
    toFloat64(sum(value)) as revenue,
    countIf(order_rank > 1) as repeat_orders,
    toFloat64(sum(value)) / orders as aov,
    orders / unique_visitors as conversion_rate,
    uniqExact(person) as reach_persons,
    uniqExactIf(person, true_stage = 'act') as act_persons,
    customers as convert_persons,
    uniqExactIf(person, true_stage = 'engage' and is_customer) as engage_persons,
    uniqExactIf(person, true_stage = 'act') / uniqExact(person) as reach_act
from facts
