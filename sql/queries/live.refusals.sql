-- Events refused in the range, by reason. Some could not be read far enough to know their site.
select reason, uniqExact(dead_letter_id) as refused
from dead_letters
where site_id in ({site:String}, '')
  and refused_at >= {since:DateTime('UTC')} and refused_at < {until:DateTime('UTC')}
group by reason
order by refused desc, reason
