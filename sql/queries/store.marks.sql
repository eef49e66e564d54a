-- What changes whenever the facts under a node do.
select site_id, node, count() as facts, sum(version) as versions
from history final
where (site_id, node) in (select t.1, t.2 from (select arrayJoin(arrayZip({sites:Array(String)}, {nodes:Array(String)})) as t))
group by site_id, node
