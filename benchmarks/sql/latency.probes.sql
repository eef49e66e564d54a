-- What the view `kpis` adds up, without all its other columns: asked ten times a second it must not be the load.
select groupArray(value) as seen
from kpi_1m final
where site_id = {site:String} and dimension = 'campaign' and startsWith(value, 'probe-') and page_views > 0
    and minute >= now('UTC') - interval 10 minute
