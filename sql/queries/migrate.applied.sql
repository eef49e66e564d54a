select number, name, checksum from migrations final order by number
