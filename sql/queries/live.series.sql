-- The stored parts by steps that begin at `since`. Columns that are KPIs have the KPI's name; rates have no series.
select
    intDiv(dateDiff('second', {since:DateTime('UTC')}, k.minute), {step:UInt32}) as step,
    sum(k.reach_events) as reach_events,
    sum(k.act_events) as act_events,
    sum(k.convert_events) as convert_events,
    sum(k.engage_events) as engage_events,
    uniqExactMerge(k.visitors) as unique_visitors,
    sum(k.sessions) as sessions,
    sum(k.page_views) as page_views,
    sum(k.new_visitors) as new_visitors,
    uniqExactMerge(k.lead_persons) as leads,
    sum(k.product_views) as product_views,
    sum(k.add_to_carts) as add_to_carts,
    sum(k.engaged_sessions) as engaged_sessions,
    sum(k.orders) as orders,
    sum(k.first_orders) as first_orders,
    uniqExactMerge(k.order_persons) as customers,
    toFloat64(sum(k.revenue)) as revenue,
    sum(k.repeat_orders) as repeat_orders,
    uniqExactMerge(k.repeat_persons) as repeat_customers,
    uniqExactMerge(k.active_customers) as active_customers
from (select * from kpi_1m final) as k
where k.site_id = {site:String} and k.dimension = 'all'
  and k.minute >= {since:DateTime('UTC')} and k.minute < {until:DateTime('UTC')}
group by step
order by step
