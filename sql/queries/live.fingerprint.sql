-- Changes whenever a bucket of the range was recomputed or an event was refused; cheap enough for once a second.
select
    (select sum(cityHash64(minute, version))
     from (select minute, version from kpi_1m final
           where site_id = {site:String} and dimension = 'all'
             and minute >= {since:DateTime('UTC')} and minute < {until:DateTime('UTC')})) as buckets,
    (select count() from dead_letters where site_id in ({site:String}, '')) as refused
