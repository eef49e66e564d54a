select count() as events, uniqExact(session_id) as sessions, countIf(order_id != '') as orders,
    toFloat64(sumIf(value, order_id != '')) as revenue
from events final
where site_id = {site:String}
