-- Which of these buckets have rows of several versions: a recomputation leaves all of its bucket's rows with its own,
-- so another, of a worker that had lost the bucket, read before it and wrote after it.
select site_id, toUnixTimestamp(minute) as minute_s
from kpi_1m final
where (site_id, minute) in (
    select t.1, toDateTime(t.2, 'UTC')
    from (select arrayJoin(arrayZip({sites:Array(String)}, {minutes:Array(UInt32)})) as t)
)
group by site_id, minute
having min(version) != max(version)
