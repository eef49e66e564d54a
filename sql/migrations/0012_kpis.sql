-- Every KPI of a site over a range, by the values of one dimension, from the minute roll-ups.
-- `since` is inclusive, `until` exclusive; dimension 'all' has one value, ''.
-- A rate without a denominator is null, not zero. Two sets have |A| + |B| - |A or B| members in common.
create view kpis as
select
    value,
    uniqExactMerge(k.visitors) as unique_visitors,
    sum(k.sessions) as sessions,
    sum(k.page_views) as page_views,
    sum(k.new_visitors) as new_visitors,
    if(unique_visitors > 0, new_visitors / unique_visitors, null) as new_visitor_share,
    uniqExactMerge(k.lead_persons) as leads,
    sum(k.product_views) as product_views,
    sum(k.add_to_carts) as add_to_carts,
    sum(k.engaged_sessions) as engaged_sessions,
    sum(k.orders) as orders,
    sum(k.first_orders) as first_orders,
    uniqExactMerge(k.order_persons) as customers,
    sum(k.revenue) as revenue,
    if(orders > 0, toFloat64(revenue) / orders, null) as aov,
    if(unique_visitors > 0, orders / unique_visitors, null) as conversion_rate,
    sum(k.repeat_orders) as repeat_orders,
    uniqExactMerge(k.repeat_persons) as repeat_customers,
    if(customers > 0, repeat_customers / customers, null) as repeat_purchase_rate,
    uniqExactMerge(k.active_customers) as active_customers,
    uniqExactMerge(k.visit_persons) as visiting,
    uniqExactMerge(k.act_persons) as acting,
    uniqExactMerge(k.acted_order_persons) as acted_ordering,
    uniqExactMerge(k.engaged_customers) as engaging,
    if(visiting > 0,
       (visiting + acting - uniqExactMergeArray([k.visit_persons, k.act_persons])) / visiting,
       null) as reach_act,
    if(acting > 0,
       (acting + acted_ordering - uniqExactMergeArray([k.act_persons, k.acted_order_persons])) / acting,
       null) as act_convert,
    if(customers > 0,
       (customers + engaging - uniqExactMergeArray([k.order_persons, k.engaged_customers])) / customers,
       null) as convert_engage,
    sum(k.events) as events,
    sum(k.bot_events) as bot_events,
    sum(k.reach_events) as reach_events,
    sum(k.act_events) as act_events,
    sum(k.convert_events) as convert_events,
    sum(k.engage_events) as engage_events
from (select * from kpi_1m final) as k
where k.site_id = {site:String}
  and k.minute >= {since:DateTime('UTC')} and k.minute < {until:DateTime('UTC')}
  and k.dimension = {dimension:String}
group by k.value as value
