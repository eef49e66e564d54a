select *
from kpis(site = {site:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, dimension = {dimension:String})
where {value:Nullable(String)} is null or value = {value:Nullable(String)}
order by value
