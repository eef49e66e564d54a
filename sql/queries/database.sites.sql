select site_id, min(minute) as first, max(minute) as last
from kpi_1m
where dimension = 'all'
group by site_id
order by site_id
