select events, sessions, orders, toFloat64(revenue) as revenue
from kpis(site = {site:String}, since = '1990-01-01', until = '2100-01-01', dimension = 'all')
