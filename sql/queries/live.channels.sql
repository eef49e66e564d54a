select value as channel, visiting as persons, events, orders, toFloat64(revenue) as revenue
from kpis(
    site = {site:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, dimension = 'channel')
where events > 0 or orders > 0
order by persons desc, events desc, channel
limit 12
