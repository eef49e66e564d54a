select sum(page_views) as page_views
from kpis(site = {site:String}, since = now('UTC') - interval 1 hour, until = '2100-01-01', dimension = 'campaign')
where startsWith(value, 'probe-')
