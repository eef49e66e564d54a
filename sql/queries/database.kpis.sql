select *
from kpis(
    site = {site:String}, since = {since:DateTime('UTC')}, until = {until:DateTime('UTC')}, dimension = {dimension:String})
where value = {value:String}
