select site_id, toUnixTimestamp(minute) as minute from events where site_id = {site:String} group by site_id, minute
